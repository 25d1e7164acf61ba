"""INIT-LOSS, GRADIENTS, LOSS-FALLS, OVERFIT: what the model does, healthy and with one fault."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.training.preflight.examined import changed, examine, one
from tuning.training.workloads.breast_cancer_mlp import BreastCancerMLP
from tuning.training.workloads.diabetes_mlp import DiabetesMLP
from tuning.training.workloads.digits_mlp import DigitsMLP

MODEL = ("INIT-LOSS", "GRADIENTS", "LOSS-FALLS", "OVERFIT")


def changed_model(base, change):
    return type("Changed", (base,), {"build_model": lambda self, params: change(base.build_model(self, params))})


def changed_loss(base, loss):
    return type("Changed", (base,), {"loss": lambda self, output, target: loss(output, target)})


class Cut(nn.Module):
    """Two layers with something between them."""

    def __init__(self, between):
        super().__init__()
        self.first, self.last, self.between = nn.Linear(64, 32), nn.Linear(32, 10), between

    def forward(self, x):
        return self.last(self.between(torch.relu(self.first(x.flatten(1)))))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.rows, self.out = nn.LSTM(8, 32, 2, batch_first=True, dropout=0.5), nn.Linear(32, 10)

    def forward(self, x):
        return self.out(self.rows(x[:, 0])[0][:, -1])


class Residual(nn.Module):
    """A block whose last layer begins at zero: the one before has no gradient in the first step."""

    def __init__(self):
        super().__init__()
        self.stem, self.inner, self.last = nn.Linear(64, 32), nn.Linear(32, 32), nn.Linear(32, 32)
        self.out = nn.Linear(32, 10)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, x):
        x = self.stem(x.flatten(1))
        return self.out(x + self.last(torch.relu(self.inner(x))))


HEALTHY = [Recurrent, Residual, lambda: Cut(nn.Dropout(0.9)), lambda: Cut(nn.BatchNorm1d(32))]


@pytest.mark.parametrize("model", [None, *HEALTHY])
def test_healthy_models_pass(model):
    workload = DigitsMLP if model is None else changed_model(DigitsMLP, lambda _: model())
    found = examine(workload, *MODEL)
    assert {rule: document["says"] for rule, document in found.items() if document["status"] != "passed"} == {}


def test_the_initial_loss_of_classes_is_ln_c_and_of_numbers_the_variance():
    found = one(DigitsMLP, "INIT-LOSS")
    assert found["evidence"]["ln C"] == pytest.approx(math.log(10), abs=1e-4)
    assert found["plot"]["target"] == pytest.approx(2.3026, abs=1e-4) and len(found["plot"]["y"]) == 5
    numbers = one(DiabetesMLP, "INIT-LOSS")["evidence"]
    assert numbers["loss of the mean"] == pytest.approx(numbers["variance"], rel=0.01)
    assert one(BreastCancerMLP, "INIT-LOSS")["evidence"]["ln C"] == pytest.approx(math.log(2), abs=1e-4)


def test_a_bias_at_the_classes_shares_loses_their_entropy():
    def biased(model):
        shares = torch.tensor([0.372, 0.628])
        model[-2].bias.data.fill_(float((shares[1] / shares[0]).log()))
        return model

    assert one(changed_model(BreastCancerMLP, biased), "INIT-LOSS")["status"] == "passed"


@pytest.mark.parametrize(("factor", "status"), [(20.0, "warning"), (200.0, "failed")])
def test_a_last_layer_that_is_too_large_is_too_sure(factor, status):
    def larger(model):
        model[-1].weight.data *= factor
        return model

    assert one(changed_model(DigitsMLP, larger), "INIT-LOSS")["status"] == status


def test_a_sum_in_place_of_a_mean_is_told():
    found = one(changed_loss(DigitsMLP, lambda o, t: F.cross_entropy(o, t, reduction="sum")), "INIT-LOSS")
    assert found["status"] == "failed" and "no mean over the batch" in found["says"]
    smaller = one(changed_loss(DigitsMLP, lambda o, t: F.cross_entropy(o, t) / len(t)), "INIT-LOSS")
    assert smaller["status"] == "failed"


def test_a_factor_in_the_loss_is_told():
    found = one(changed_loss(DigitsMLP, lambda o, t: 10 * F.cross_entropy(o, t)), "INIT-LOSS")
    assert found["status"] == "warning" and "gives 23" in found["says"]


def test_log_probabilities_and_smoothed_labels_are_as_good():
    logs = changed_loss(changed_model(DigitsMLP, lambda m: nn.Sequential(m, nn.LogSoftmax(1))), F.nll_loss)
    smooth = changed_loss(DigitsMLP, lambda o, t: F.cross_entropy(o, t, label_smoothing=0.1))
    for workload in (logs, smooth):
        assert {found["status"] for found in examine(workload, "INIT-LOSS", "OVERFIT").values()} == {"passed"}


def test_a_layer_behind_detach_has_no_gradient():
    found = one(changed_model(DigitsMLP, lambda _: Cut(torch.Tensor.detach)), "GRADIENTS")
    assert found["status"] == "failed" and found["evidence"]["without"] == ["first.weight", "first.bias"]


def test_a_layer_that_is_never_called_has_none_although_a_penalty_reaches_it():
    class Penalised(changed_model(DigitsMLP, lambda _: Cut(nn.Linear(32, 32)))):
        def build_model(self, params):
            model = super().build_model(params)
            model.unused = nn.Linear(3, 3)
            return model

        def penalty(self, model, params):
            return 1e-4 * torch.stack([weight.abs().sum() for weight in model.parameters()]).sum()

    assert one(Penalised, "GRADIENTS")["evidence"]["without"] == ["unused.weight", "unused.bias"]


def test_parameters_that_the_optimizer_lacks_and_frozen_ones_are_told():
    class Forgetful(DigitsMLP):
        def build_optimizer(self, model, params):
            return torch.optim.SGD(model[-1].parameters(), lr=0.1)

    found = one(Forgetful, "GRADIENTS")
    assert found["status"] == "warning" and len(found["evidence"]["not in the optimizer"]) == 4
    frozen = one(changed_model(DigitsMLP, lambda m: (m[1].requires_grad_(False), m)[1]), "GRADIENTS")
    assert frozen["status"] == "warning" and frozen["evidence"]["frozen"] == ["1.weight", "1.bias"]


def test_a_loss_without_any_parameter_fails_by_its_gradients():
    class Detached(DigitsMLP):
        def train_step(self, model, inputs, targets, params):
            return self.loss(model(inputs).detach(), targets)

    found = examine(Detached, "GRADIENTS", "LOSS-FALLS")
    assert {document["status"] for document in found.values()} == {"failed"}
    assert "no parameter has a part in the loss" in found["RUNS"]["says"]


def rated(lr):
    optimizer = lambda self, model, params: torch.optim.SGD(model.parameters(), lr=lr)  # noqa: E731
    return type("Rated", (DigitsMLP,), {"build_optimizer": optimizer})


@pytest.mark.parametrize(("lr", "status"), [(0.0, "failed"), (0.3, "passed"), (50.0, "warning"), (1e-4, "warning")])
def test_the_loss_falls_or_another_learning_rate_is_named(lr, status):
    found = one(rated(lr), "LOSS-FALLS")
    assert found["status"] == status
    assert ("Move the range" in found["todo"]) == (status == "warning")


def test_batch_statistics_alone_are_no_learning():
    class Still(DigitsMLP):
        def build_model(self, params):
            return Cut(nn.BatchNorm1d(32))

        def build_optimizer(self, model, params):
            return torch.optim.SGD(model.parameters(), lr=0.0)

    found = one(Still, "LOSS-FALLS")
    assert found["status"] == "failed" and found["evidence"]["before"] == found["evidence"]["after"]


@pytest.mark.parametrize(
    ("workload", "suspect"),
    [
        (changed_model(DigitsMLP, lambda m: nn.Sequential(m, nn.Softmax(1))), "ends with a softmax"),
        (changed_model(DiabetesMLP, lambda m: m[:-1]), "compares each with each"),
        (changed_model(DigitsMLP, lambda m: nn.Sequential(m, nn.ReLU())), "ends without an activation"),
    ],
)
def test_what_cannot_be_learned_by_heart_has_a_suspect(workload, suspect):
    found = one(workload, "OVERFIT")
    assert found["status"] == "failed" and suspect in found["todo"]


def test_examples_that_contradict_each_other_cannot_be_learned():
    class Contradicting(DigitsMLP):
        def data(self):
            splits = super().data()
            x = splits.train.tensors[0]
            splits.train.tensors = (x[:8].repeat(100, 1, 1, 1), torch.arange(800) % 10)
            return splits

    found = one(Contradicting, "OVERFIT")
    assert found["status"] == "failed" and "have the inputs of another one but other targets" in found["todo"]


def test_an_absolute_error_is_learned_by_heart_too():
    assert one(changed_loss(DiabetesMLP, F.l1_loss), "OVERFIT")["status"] == "passed"


class Listed(nn.Module):
    """Its hidden layer stands in a plain list."""

    def __init__(self):
        super().__init__()
        self.hidden, self.last = [nn.Linear(64, 32)], nn.Linear(32, 10)

    def forward(self, x):
        return self.last(torch.relu(self.hidden[0](x.flatten(1))))


def test_layers_that_the_model_does_not_know_are_told():
    found = one(changed_model(DigitsMLP, lambda _: Listed()), "GRADIENTS")
    assert found["status"] == "failed" and found["evidence"]["unregistered"] == [[32, 64], [32]]


def test_a_gradient_of_the_inputs_that_a_loss_asks_for_is_no_unknown_layer():
    class Smooth(DigitsMLP):
        def train_step(self, model, inputs, targets, params):
            inputs = inputs.detach().clone().requires_grad_(True)
            return self.loss(model(inputs), targets)

    assert one(Smooth, "GRADIENTS")["status"] == "passed"


@pytest.mark.parametrize(("decay", "status"), [(100.0, "failed"), (20.0, "warning"), (0.1, "passed")])
def test_a_weight_decay_that_forgets_is_told(decay, status):
    class Decaying(DigitsMLP):
        def build_optimizer(self, model, params):
            return torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=decay)

    assert one(Decaying, "LOSS-FALLS")["status"] == status


def test_logits_like_standard_normal_draws_are_a_usual_start():
    def wider(model):
        model[-1].weight.data *= 7
        return model

    found = one(changed_model(DigitsMLP, wider), "INIT-LOSS")
    assert found["status"] == "passed" and found["evidence"]["loss"] > math.log(10) + 0.15


def test_a_linear_model_that_has_no_room_for_all_is_healthy():
    linear = lambda _: nn.Sequential(nn.Linear(10, 1), nn.Flatten(0))  # noqa: E731
    found = one(changed_model(DiabetesMLP, linear), "OVERFIT")
    assert found["status"] == "info" and found["evidence"]["learned"] in (2, 8)


def test_a_score_that_is_minimised_is_told():
    def gain(output, target):
        return 1 - (output - target).square().mean() / target.var(correction=0)

    found = one(changed_loss(DiabetesMLP, gain), "OVERFIT")
    assert found["status"] == "failed" and "rewards wrong answers" in found["means"]


def test_a_loss_whose_least_lies_at_the_logarithm_rewards_nothing_wrong():
    class Counts(DiabetesMLP):
        def data(self):
            return changed(super().data(), targets=lambda y: (3 * y.exp()).round())

        def loss(self, output, target):
            return F.poisson_nll_loss(output, target)

    assert "rewards" not in one(Counts, "OVERFIT")["means"]
