"""BASELINES, INPUT-FREE, SHUFFLED, REPEATS: what short trainings reach, healthy and with one fault."""

import numpy as np
import pytest
import torch
from torch import nn

from tests.training.preflight.examined import changed, examine, one
from tuning.training import Splits, TensorDataset
from tuning.training.workloads.diabetes_mlp import DiabetesMLP
from tuning.training.workloads.digits_mlp import DigitsMLP

TRAINED = ("BASELINES", "INPUT-FREE", "SHUFFLED", "REPEATS")


@pytest.mark.parametrize("workload", [DigitsMLP, DiabetesMLP])
def test_healthy_workloads_pass(workload):
    found = examine(workload, *TRAINED)
    assert {document["status"] for document in found.values()} <= {"passed", "info"}
    scores = found["BASELINES"]["evidence"]
    assert scores["defaults"] > max(scores.get("majority", 0), scores.get("mean", 0)) + 0.2
    assert "linear model" in scores


class Blind(DigitsMLP):
    def build_model(self, params):
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 10), nn.Dropout(1.0), nn.Linear(10, 10))


class Mispaired(DigitsMLP):
    def data(self):
        order = torch.randperm(1078, generator=torch.Generator().manual_seed(1))
        splits = super().data()
        return Splits(changed(splits, targets=lambda y: y[order[: len(y)] % len(y)]).train, splits.validation)


@pytest.mark.parametrize("workload", [Blind, Mispaired])
def test_inputs_that_do_not_help_are_told(workload):
    found = examine(workload, "INPUT-FREE", "BASELINES")
    assert found["INPUT-FREE"]["status"] == "failed" and found["BASELINES"]["status"] == "warning"


class Lying(DigitsMLP):
    def metrics(self, output, target):
        return {"accuracy": torch.ones(())}


class Peeking(DigitsMLP):
    """Trains on the labels as they were, whatever it is given."""

    def train_step(self, model, inputs, targets, params):
        x, y = self.data().train.tensors
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


@pytest.mark.parametrize(("workload", "status"), [(Elsewhere, "failed"), (Noisy, "warning")])
def test_what_is_not_the_same_twice_is_told(workload, status):
    assert one(workload, "REPEATS")["status"] == status


def test_a_network_that_is_behind_a_linear_model_is_told():
    class Weak(DigitsMLP):
        def build_model(self, params):
            return nn.Sequential(nn.Flatten(), nn.Linear(64, 2), nn.Linear(2, 10))

    found = one(Weak, "BASELINES")
    assert found["status"] == "warning" and "A linear model does better" in found["means"]
