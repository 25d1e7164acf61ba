"""Faults in the loss, in the score and in a step of the training."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor, nn
from torch.nn import functional as F

from tests.training.faults.evidence import (
    first_batch,
    fresh,
    gradients,
    initial_loss,
    majority,
    memorised,
    moved,
    trained,
    with_shuffled_targets,
)
from tests.training.faults.sound import Cancer, Diabetes, Digits, Wine, mlp
from tuning.training import Params


class LossWithoutMinus(Digits):
    """A negative log-likelihood without its minus: training makes the right class less likely."""

    name = "loss_without_minus"

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return F.log_softmax(output, dim=1).gather(1, target[:, None]).mean()

    @classmethod
    def planted(cls) -> None:
        assert initial_loss(cls()) < -2 and trained(cls())["validation/accuracy"] < majority(cls()) + 0.1


class GainInsteadOfLoss(Diabetes):
    """The loss of a regression is R², which is to be maximised, and is minimised."""

    name = "gain_instead_of_loss"

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return 1 - (output - target).square().mean() / target.var(correction=0)

    @classmethod
    def planted(cls) -> None:
        assert trained(cls())["validation/r2"] < -1


class SoftmaxOverTheBatch(Digits):
    """The softmax runs over the examples of the batch instead of over the classes."""

    name = "softmax_over_the_batch"

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return F.nll_loss(F.log_softmax(output, dim=0), target)

    @classmethod
    def planted(cls) -> None:
        assert initial_loss(cls()) > np.log(500)


class SummedLoss(Wine):
    """The loss is the sum over a batch, not its mean."""

    name = "summed_loss"

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(output, target, reduction="sum")

    @classmethod
    def planted(cls) -> None:
        model, _ = fresh(cls())
        inputs, targets = first_batch(cls())
        loss = float(cls().loss(model(inputs), targets).detach())
        assert loss == pytest.approx(16 * float(F.cross_entropy(model(inputs), targets).detach()), rel=1e-4)


class BroadcastLoss(Diabetes):
    """Outputs of shape (n, 1) minus targets of shape (n,): every output against every target."""

    name = "broadcast_loss"

    def build_model(self, params: Params) -> nn.Module:
        return mlp([10, params["units"], 1])

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return (output - target).square().mean()

    def metrics(self, output: Tensor, target: Tensor) -> dict[str, Any]:
        return super().metrics(output.squeeze(1), target)

    @classmethod
    def planted(cls) -> None:
        assert memorised(cls()) > 0.5 and trained(cls())["validation/r2"] < 0.1


class WeightedToNothing(Cancer):
    """The weight of the benign class comes from an integer division and is 0: only the other class counts."""

    name = "weighted_to_nothing"

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(output, target, pos_weight=torch.tensor(212 // 357))

    @classmethod
    def planted(cls) -> None:
        assert trained(cls())["validation/accuracy"] < majority(cls())


class AccuracyOfTheTarget(Cancer):
    """The accuracy compares the target with itself: it is 1 whatever the model says."""

    name = "accuracy_of_the_target"

    def metrics(self, output: Tensor, target: Tensor) -> dict[str, Any]:
        predicted = (target > 0.5).float()  # meant output > 0
        return {"accuracy": (predicted == target).double().mean()}

    @classmethod
    def planted(cls) -> None:
        assert trained(cls(), 1, load=with_shuffled_targets)["validation/accuracy"] == 1


class DetachedLoss(Cancer):
    """Torch complained of a tensor without a gradient, and requires_grad_() silenced it."""

    name = "detached_loss"

    def train_step(self, model: nn.Module, inputs: Tensor, targets: Tensor, params: Params) -> Tensor:
        loss = self.loss(model(inputs), targets)
        return torch.tensor(loss.item()).requires_grad_()

    @classmethod
    def planted(cls) -> None:
        assert set(gradients(cls()).values()) == {None} and moved(cls()) == set()


class LabelsOfATeacher(Wine):
    """Labels are "cleaned" by their nearest neighbours in the whole table, the validation split included."""

    name = "labels_of_a_teacher"

    @functools.cached_property
    def teacher(self) -> KNeighborsClassifier:
        parts = self.parts().values()
        inputs = torch.cat([dataset.tensors[0] for dataset in parts])
        return KNeighborsClassifier(1).fit(inputs, torch.cat([dataset.tensors[1] for dataset in parts]))

    def train_step(self, model: nn.Module, inputs: Tensor, targets: Tensor, params: Params) -> Tensor:
        cleaned = torch.tensor(self.teacher.predict(inputs.numpy()))
        return self.loss(model(inputs), cleaned)

    @classmethod
    def planted(cls) -> None:
        assert trained(cls(), load=with_shuffled_targets)["validation/accuracy"] > 0.9
