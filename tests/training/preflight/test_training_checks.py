"""BASELINES, INPUT-FREE, SHUFFLED, REPEATS: what short trainings reach, with one fault; test_panel has the healthy."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from tests.training.preflight.examined import changed, examine, one
from tuning.training import Splits, TensorDataset
from tuning.training.preflight.gains import Gain, gain_of
from tuning.training.preflight.shuffled import _even_order
from tuning.training.workloads.digits_mlp import DigitsMLP


class Blind(DigitsMLP):
    max_epochs = 6

    def build_model(self, params):
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 10), nn.Dropout(1.0), nn.Linear(10, 10))


class Mispaired(DigitsMLP):
    max_epochs = 6

    def data(self):
        order = torch.randperm(1078, generator=torch.Generator().manual_seed(1))
        splits = super().data()
        return Splits(changed(splits, targets=lambda y: y[order[: len(y)] % len(y)]).train, splits.validation)


@pytest.mark.parametrize("workload", [Blind, Mispaired])
def test_inputs_that_do_not_help_are_told(workload):
    found = examine(workload, "INPUT-FREE", "BASELINES")
    assert found["INPUT-FREE"]["status"] == found["BASELINES"]["status"] == "failed"
    assert found["BASELINES"]["evidence"]["other configurations"] == 8


class InOneDecade(DigitsMLP):
    """Learns at high rates only; the middle of the space is too low."""

    max_epochs = 6
    space = DigitsMLP.space | {"lr": {"type": "float", "low": 1e-9, "high": 1.0, "log": True}}

    def build_optimizer(self, model, params):
        return torch.optim.SGD(model.parameters(), lr=params["lr"])


def test_where_the_middle_learns_nothing_but_the_space_does_the_place_is_named():
    found = examine(InOneDecade, "BASELINES", "INPUT-FREE")
    assert found["BASELINES"]["status"] == found["INPUT-FREE"]["status"] == "warning"
    assert "lr = 0." in found["BASELINES"]["means"] and "lr = 0." in found["INPUT-FREE"]["says"]


class Overruled(DigitsMLP):
    """A penalty that outweighs the loss everywhere in the space."""

    max_epochs = 6

    def penalty(self, model, params):
        return 1e4 * torch.stack([weight.square().sum() for weight in model.parameters()]).sum()


def test_what_no_configuration_learns_but_adam_does_is_the_trainings_fault():
    found = one(Overruled, "INPUT-FREE")
    assert found["status"] == "failed" and "not by what the space holds" in found["means"]


def test_a_gain_is_as_sure_as_its_examples_and_its_seeds_allow():
    rows = torch.tensor([[0.3, 0.5, 0.3, 0.5]] * 3)
    alike, other = gain_of(list(rows)), gain_of([rows[0], rows[1] + 0.3, rows[2] - 0.3])
    assert alike.mean == pytest.approx(other.mean) == pytest.approx(0.4)
    assert alike.error == pytest.approx(0.0577, abs=1e-3) and alike.clear and alike.plain
    assert other.error == pytest.approx(math.hypot(0.0577, 0.3 / math.sqrt(3)), abs=1e-3) and not other.clear
    assert not Gain(0.2, 0.001).plain and Gain(-0.2, 0.001).plain and not Gain(0.01, 0.001).clear


def test_shuffled_labels_favour_no_class_over_the_seeds():
    groups = torch.arange(500) % 10
    kept = []
    for seed in range(200):
        order = _even_order(groups, torch.Generator().manual_seed(seed))
        assert order.sort().values.tolist() == list(range(500))
        kept.append(float((groups[order] == groups).double().mean()))
    assert np.mean(kept) == pytest.approx(0.1, abs=0.005) and np.std(kept) < 0.03


class Lying(DigitsMLP):
    def metrics(self, output, target):
        return {"accuracy": torch.ones(())}


class Peeking(DigitsMLP):
    """Trains on the labels as they were, whatever it is given."""

    def __init__(self):
        super().__init__()
        self.seen = self.data().train.tensors

    def train_step(self, model, inputs, targets, params):
        x, y = self.seen
        nearest = torch.cdist(inputs.flatten(1), x.flatten(1)).argmin(1)
        return self.loss(model(inputs), y[nearest])


@pytest.mark.parametrize("workload", [Lying, Peeking])
def test_a_score_that_stays_when_labels_are_shuffled_is_told(workload):
    found = one(workload, "SHUFFLED")
    assert found["status"] == "failed" and found["evidence"]["mean"] > 0.8
    assert found["evidence"]["chance"] == pytest.approx(0.1, abs=0.02)


class Elsewhere(DigitsMLP):
    """Splits anew at each call."""

    def data(self):
        x, y = super().data().train.tensors
        rows = torch.as_tensor(np.random.default_rng().permutation(len(y)))
        return Splits(TensorDataset(x[rows[:800]], y[rows[:800]]), TensorDataset(x[rows[800:]], y[rows[800:]]))


class Noisy(DigitsMLP):
    def augment(self, inputs, params, generator):
        return inputs + torch.as_tensor(np.random.default_rng().normal(size=inputs.shape)).float()


class AlwaysDrops(nn.Module):
    def forward(self, x):
        return nn.functional.dropout(x, 0.5)


class Dropping(DigitsMLP):
    """Drops in eval mode, too; the generator is seeded, so that trainings agree."""

    def build_model(self, params):
        return nn.Sequential(super().build_model(params), AlwaysDrops())


@pytest.mark.parametrize(("workload", "status"), [(Elsewhere, "failed"), (Noisy, "failed"), (Dropping, "warning")])
def test_what_is_not_the_same_twice_is_told(workload, status):
    assert one(workload, "REPEATS")["status"] == status


def test_a_network_that_is_behind_a_linear_model_is_told():
    class Weak(DigitsMLP):
        def build_model(self, params):
            return nn.Sequential(nn.Flatten(), nn.Linear(64, 2), nn.Linear(2, 10))

    found = one(Weak, "BASELINES")
    assert found["status"] == "warning" and "A linear model does better" in found["means"]
