"""Faults in the model: how it starts, what it can express, and what it knows in advance."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.training.faults.evidence import (
    first_batch,
    fresh,
    gradients,
    initial_loss,
    majority,
    memorised,
    trained,
    with_shuffled_targets,
)
from tests.training.faults.sound import Cancer, Diabetes, Digits, Wine, mlp
from tuning.training import Params

# How it starts -----------------------------------------------------------------------------------------------


class HugeHead(Digits):
    """The output layer starts with weights of standard deviation 10."""

    name = "huge_head"

    def build_model(self, params: Params) -> nn.Module:
        model = mlp([64, params["units"], 10])
        nn.init.normal_(model[-1].weight, std=10)
        return model

    @classmethod
    def planted(cls) -> None:
        assert initial_loss(cls()) > 20


class BiasOfAnotherTask(Wine):
    """The output's bias was set for the rare class of another task: nearly all belongs to the first."""

    name = "bias_of_another_task"

    def build_model(self, params: Params) -> nn.Module:
        model = mlp([13, params["units"], 3])
        model[-1].bias.data = torch.tensor([3.0, 0.0, 0.0])
        return model

    @classmethod
    def planted(cls) -> None:
        assert initial_loss(cls()) > np.log(3) + 0.5


class OutputStartsAtHundred(Diabetes):
    """The bias starts at the mean of the raw target, though the target is standardised by now."""

    name = "output_starts_at_hundred"

    def build_model(self, params: Params) -> nn.Module:
        model = mlp([10, params["units"], 1], flat=True)
        model[-2].bias.data.fill_(152.0)
        return model

    @classmethod
    def planted(cls) -> None:
        assert initial_loss(cls()) > 10_000


# What it can express -----------------------------------------------------------------------------------------


class SoftmaxBeforeCrossEntropy(Digits):
    """The network ends in a softmax, and the loss takes another one: it cannot fall below 1.46."""

    name = "softmax_before_cross_entropy"

    def build_model(self, params: Params) -> nn.Module:
        return nn.Sequential(mlp([64, params["units"], 10]), nn.Softmax(dim=1))

    @classmethod
    def planted(cls) -> None:
        assert memorised(cls()) > 1.4 and abs(initial_loss(cls()) - np.log(10)) < 0.1


class SigmoidTwice(Cancer):
    """The network ends in a sigmoid, and the loss takes another one."""

    name = "sigmoid_twice"

    def build_model(self, params: Params) -> nn.Module:
        return nn.Sequential(mlp([30, params["units"], 1], flat=True), nn.Sigmoid())

    def metrics(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        return {"accuracy": ((output > 0.5) == (target > 0.5)).double().mean()}

    @classmethod
    def planted(cls) -> None:
        assert memorised(cls()) > 0.3 and abs(initial_loss(cls()) - np.log(2)) < 0.1


class ReluAtTheEnd(Diabetes):
    """A ReLU after the output of a regression on a standardised target, half of which is negative."""

    name = "relu_at_the_end"

    def build_model(self, params: Params) -> nn.Module:
        return nn.Sequential(mlp([10, params["units"], 1], flat=True), nn.ReLU())

    @classmethod
    def planted(cls) -> None:
        assert memorised(cls()) > 0.1


class SigmoidForTarget(Diabetes):
    """A sigmoid after the output of a regression whose target goes from -2 to 3."""

    name = "sigmoid_for_target"

    def build_model(self, params: Params) -> nn.Module:
        return nn.Sequential(mlp([10, params["units"], 1], flat=True), nn.Sigmoid())

    @classmethod
    def planted(cls) -> None:
        assert memorised(cls()) > 0.1


class MeanOverTheBatch(nn.Module):
    def __init__(self, units: int) -> None:
        super().__init__()
        self.columns = nn.Linear(8, units)
        self.head = nn.Linear(units, 10)

    def forward(self, rows: Tensor) -> Tensor:
        features = F.relu(self.columns(rows.reshape(-1, 8, 8)))
        pooled = features.mean(dim=0)  # meant dim=1, the rows of an image
        return self.head(pooled.mean(dim=0)).expand(len(rows), -1)


class PooledOverTheBatch(Digits):
    """The features are averaged over the examples of the batch instead of over the rows of an image."""

    name = "pooled_over_the_batch"

    def build_model(self, params: Params) -> nn.Module:
        return MeanOverTheBatch(params["units"])

    @classmethod
    def planted(cls) -> None:
        model, _ = fresh(cls())
        output = model(first_batch(cls())[0])
        assert torch.equal(output[0], output[-1]) and memorised(cls()) > 1
        assert trained(cls())["validation/accuracy"] < majority(cls()) + 0.1


class DeadRectifiers(Cancer):
    """The hidden units start so far below zero that none of them ever answers."""

    name = "dead_rectifiers"

    def build_model(self, params: Params) -> nn.Module:
        model = mlp([30, params["units"], 1], flat=True)
        model[1].bias.data.fill_(-100.0)
        return model

    @classmethod
    def planted(cls) -> None:
        found = gradients(cls())
        assert found["1.weight"] == 0 and found["3.weight"] == 0 and found["3.bias"]
        assert trained(cls())["validation/accuracy"] <= majority(cls())


class BatchOfOne(Wine):
    """Batch normalisation with one example in a batch, which has no variance: torch refuses the first step."""

    name = "batch_of_one"
    batch_size = 1

    def build_model(self, params: Params) -> nn.Module:
        units = params["units"]
        return nn.Sequential(nn.Linear(13, units), nn.BatchNorm1d(units), nn.ReLU(), nn.Linear(units, 3))

    @classmethod
    def planted(cls) -> None:
        with pytest.raises(ValueError, match="more than 1 value per channel"):
            trained(cls(), 1)


class NormalisedAway(Digits):
    """A batch normalisation whose statistics nearly stand still: eval mode sees another network than training."""

    name = "normalised_away"

    def build_model(self, params: Params) -> nn.Module:
        units = params["units"]
        layers = [nn.Linear(64, units), nn.BatchNorm1d(units, momentum=1e-6), nn.ReLU(), nn.Linear(units, 10)]
        layers[0].weight.data *= 50
        return nn.Sequential(nn.Flatten(), *layers)

    @classmethod
    def planted(cls) -> None:
        model, _ = fresh(cls())
        inputs, targets = first_batch(cls(), 32)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        for _ in range(200):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(inputs), targets)
            loss.backward()
            optimizer.step()
        assert float(loss.detach()) < 0.01
        model.eval()
        assert float(F.cross_entropy(model(inputs), targets).detach()) > 1


class DropoutOfNearlyAll(Digits):
    """Dropout takes the share to keep in one library and the share to drop in this: 99 % are dropped."""

    name = "dropout_of_nearly_all"

    def build_model(self, params: Params) -> nn.Module:
        units = params["units"]
        return nn.Sequential(nn.Flatten(), nn.Linear(64, units), nn.ReLU(), nn.Dropout(0.99), nn.Linear(units, 10))

    @classmethod
    def planted(cls) -> None:
        assert trained(cls(), 3)["validation/accuracy"] < trained(Digits(), 3)["validation/accuracy"] - 0.1


class AlwaysDropping(nn.Module):
    def __init__(self, units: int) -> None:
        super().__init__()
        self.hidden, self.head = nn.Linear(64, units), nn.Linear(units, 10)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(F.dropout(F.relu(self.hidden(inputs)), 0.9))  # F.dropout trains unless it is told not to


class DropoutThatNeverEnds(Digits):
    """The functional dropout without `training=self.training`: it drops in eval mode, too."""

    name = "dropout_that_never_ends"

    def build_model(self, params: Params) -> nn.Module:
        return AlwaysDropping(params["units"])

    @classmethod
    def planted(cls) -> None:
        model, _ = fresh(cls())
        inputs, _ = first_batch(cls())
        model.eval()
        assert not torch.equal(model(inputs), model(inputs)) and memorised(cls()) > 0.05


# What it knows in advance ------------------------------------------------------------------------------------


class WarmStart(Digits):
    """The weights start from a least-squares fit on all examples, the validation split among them."""

    name = "warm_start"

    def build_model(self, params: Params) -> nn.Module:
        parts = self.parts()
        inputs = torch.cat([dataset.tensors[0] for dataset in parts.values()])
        labels = F.one_hot(torch.cat([dataset.tensors[1] for dataset in parts.values()]), 10).float()
        model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
        ridge = inputs.T @ inputs + torch.eye(64)
        model[1].weight.data = 10 * torch.linalg.solve(ridge, inputs.T @ labels).T.contiguous()
        return model

    @classmethod
    def planted(cls) -> None:
        assert trained(cls(), 1, load=with_shuffled_targets)["validation/accuracy"] > 0.5
