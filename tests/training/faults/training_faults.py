"""Faults in the optimizer and its schedule, the loader, and augmentation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler
from torch.utils.data import ConcatDataset, DataLoader

from tests.training.faults.evidence import (
    first_batch,
    majority,
    moved,
    trained,
    with_shuffled_targets,
)
from tests.training.faults.sound import Cancer, Diabetes, Digits, Iris, Wine
from tuning.training import Dataset, DivergedError, Params, TensorDataset
from tuning.training.batches import Batches

Loader = Iterable[tuple[Tensor, Tensor]]

# The optimizer and its schedule ------------------------------------------------------------------------------


class RateOfZero(Iris):
    """The learning rate is a constant of the space, and 0."""

    name = "rate_of_zero"
    space = Iris.space | {"lr": {"type": "constant", "value": 0.0}}

    @classmethod
    def planted(cls) -> None:
        assert moved(cls()) == set()


class RateOfNothing(Digits):
    """The exponent of the learning rate was meant as -1 to -4, and is read as -6 to -14."""

    name = "rate_of_nothing"
    space = {"exponent": {"type": "int", "low": 6, "high": 14}, "units": Digits.space["units"]}

    def build_optimizer(self, model: nn.Module, params: Params) -> Optimizer:
        return AdamW(model.parameters(), lr=10.0 ** -params["exponent"])

    @classmethod
    def planted(cls) -> None:
        first, last = trained(cls(), 1), trained(cls(), 8)
        assert abs(first["train/loss"] - last["train/loss"]) < 1e-4


class RateOfTen(Diabetes):
    """SGD with the learning rate of another library's scale: the loss is infinite within an epoch or two."""

    name = "rate_of_ten"

    def build_optimizer(self, model: nn.Module, params: Params) -> Optimizer:
        return SGD(model.parameters(), lr=1000 * params["lr"])

    @classmethod
    def planted(cls) -> None:
        with pytest.raises(DivergedError):
            trained(cls(), 8)


class WarmupThatNeverComes(Digits):
    """A warm-up with an integer division: the factor is 0 until the last step."""

    name = "warmup_that_never_comes"

    def build_schedule(
        self, optimizer: Optimizer, params: Params, epochs: int, steps_per_epoch: int
    ) -> LRScheduler | None:
        return LambdaLR(optimizer, lambda step: step // (epochs * steps_per_epoch))

    @classmethod
    def planted(cls) -> None:
        assert moved(cls()) == set() and trained(cls(), 1)["train/loss"] == trained(cls(), 4)["train/loss"]


class DecayToNothing(Wine):
    """A decay of 0.1 an epoch, stepped after every batch: after a dozen batches nothing is left of the rate."""

    name = "decay_to_nothing"

    def build_schedule(
        self, optimizer: Optimizer, params: Params, epochs: int, steps_per_epoch: int
    ) -> LRScheduler | None:
        return LambdaLR(optimizer, lambda step: 0.1**step)

    @classmethod
    def planted(cls) -> None:
        first, last = trained(cls(), 1), trained(cls(), 8)
        assert abs(first["train/loss"] - last["train/loss"]) < 1e-4 and last["train/loss"] > 0.8


class DecayOfAHundred(Iris):
    """A decoupled weight decay of 100: each step multiplies the weights by 0."""

    name = "decay_of_a_hundred"

    def build_optimizer(self, model: nn.Module, params: Params) -> Optimizer:
        return AdamW(model.parameters(), lr=params["lr"], weight_decay=1 / params["lr"])

    @classmethod
    def planted(cls) -> None:
        assert trained(cls())["train/loss"] > 1


class PenaltyAboveAll(Diabetes):
    """An L1 penalty a thousand times as heavy as the loss."""

    name = "penalty_above_all"

    def penalty(self, model: nn.Module, params: Params) -> Tensor:
        return 1000 * torch.stack([weight.abs().sum() for weight in model.parameters()]).sum()

    @classmethod
    def planted(cls) -> None:
        assert trained(cls())["validation/r2"] < 0.05


# The loader --------------------------------------------------------------------------------------------------


class InputsShuffledAlone(Cancer):
    """The loader draws an order for the inputs and another one for the targets."""

    name = "inputs_shuffled_alone"

    def train_loader(self, dataset: Dataset[Any], params: Params, generator: torch.Generator) -> Loader:
        inputs, targets = dataset.tensors  # type: ignore[attr-defined]
        order = torch.randperm(len(inputs), generator=generator)
        return Batches(TensorDataset(inputs[order], targets), self.batch_size, generator)

    @classmethod
    def planted(cls) -> None:
        assert trained(cls())["validation/accuracy"] < majority(cls()) + 0.05


class SameBatch:
    def __init__(self, batches: Batches) -> None:
        self.batch, self.count = next(iter(batches)), len(batches)

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return iter([self.batch] * self.count)


class SameBatchAgain(Digits):
    """The loader takes one batch and yields it again and again: the model learns 16 images by heart."""

    name = "same_batch_again"
    batch_size = 16

    def train_loader(self, dataset: Dataset[Any], params: Params, generator: torch.Generator) -> Loader:
        return SameBatch(Batches(dataset, self.batch_size, generator))

    @classmethod
    def planted(cls) -> None:
        assert trained(cls())["train/accuracy"] < 0.8 < 0.95 < trained(Digits())["train/accuracy"]


class LoaderOfItsOwn(Cancer):
    """The loader does not take the dataset that it is given, but reads train and validation anew."""

    name = "loader_of_its_own"

    def train_loader(self, dataset: Dataset[Any], params: Params, generator: torch.Generator) -> Loader:
        splits = self.data()
        everything = ConcatDataset([splits.train, splits.validation])
        return DataLoader(everything, batch_size=32, shuffle=True, generator=generator)

    @classmethod
    def planted(cls) -> None:
        assert trained(cls(), load=with_shuffled_targets)["validation/accuracy"] > 0.95


# Augmentation ------------------------------------------------------------------------------------------------


class AugmentShufflesBatch(Digits):
    """Augmentation takes the inputs in a new order, and knows nothing of the targets."""

    name = "augment_shuffles_batch"

    def augment(self, inputs: Tensor, params: Params, generator: torch.Generator) -> Tensor:
        return inputs[torch.randperm(len(inputs), generator=generator)]

    @classmethod
    def planted(cls) -> None:
        assert trained(cls())["validation/accuracy"] < 0.45


class ErasedAltogether(Digits):
    """Random erasing with the share to keep mistaken for the share to erase: nothing is left."""

    name = "erased_altogether"

    def augment(self, inputs: Tensor, params: Params, generator: torch.Generator) -> Tensor:
        erase = torch.rand(inputs.shape, generator=generator) < 1.0
        return inputs.masked_fill(erase, 0.0)

    @classmethod
    def planted(cls) -> None:
        inputs, _ = first_batch(cls())
        assert not cls().augment(inputs, {}, torch.Generator()).any()
        assert trained(cls())["validation/accuracy"] < 0.3


class NoiseInBytes(Digits):
    """Noise of 50 grey levels, added to images that are standardised by now."""

    name = "noise_in_bytes"

    def augment(self, inputs: Tensor, params: Params, generator: torch.Generator) -> Tensor:
        return inputs + 50 * torch.randn(inputs.shape, generator=generator)

    @classmethod
    def planted(cls) -> None:
        assert trained(cls())["validation/accuracy"] < 0.5


class FeaturesPermuted(Wine):
    """Augmentation permutes the thirteen measures of each wine, in the belief that their order says nothing."""

    name = "features_permuted"

    def augment(self, inputs: Tensor, params: Params, generator: torch.Generator) -> Tensor:
        return inputs.gather(1, torch.rand(inputs.shape, generator=generator).argsort(dim=1))

    @classmethod
    def planted(cls) -> None:
        assert trained(cls())["validation/accuracy"] < trained(Wine())["validation/accuracy"] - 0.15
