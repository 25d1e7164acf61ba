"""Faults in the training: the loss, the optimizer and its schedule, the loader, augmentation, and randomness."""

from __future__ import annotations

import functools
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler
from torch.utils.data import ConcatDataset, DataLoader

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
from tests.training.faults.sound import Alcohol, Cancer, Diabetes, Digits, Iris, Wine, mlp
from tuning.training import Dataset, DivergedError, Params, Splits, TensorDataset
from tuning.training.batches import Batches
from tuning.training.examples import load_data

Loader = Iterable[tuple[Tensor, Tensor]]

# The loss and the score -------------------------------------------------------------------------------------


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


# The optimizer and its schedule -----------------------------------------------------------------------------


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


# The loader -------------------------------------------------------------------------------------------------


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


# Augmentation -----------------------------------------------------------------------------------------------


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


# Randomness -------------------------------------------------------------------------------------------------


class NoiseByTheClock(Digits):
    """The generator of the augmentation is seeded by the time of day."""

    name = "noise_by_the_clock"

    def augment(self, inputs: Tensor, params: Params, generator: torch.Generator) -> Tensor:
        clock = torch.Generator().manual_seed(time.time_ns())
        return inputs + 0.1 * torch.randn(inputs.shape, generator=clock)

    @classmethod
    def planted(cls) -> None:
        differs_between_runs(cls)


class OrderOfTheSystem(Wine):
    """The order of the batches comes from the operating system's randomness, not from the generator."""

    name = "order_of_the_system"

    def train_loader(self, dataset: Dataset[Any], params: Params, generator: torch.Generator) -> Loader:
        seed = int.from_bytes(os.urandom(4), "little")
        return Batches(dataset, self.batch_size, torch.Generator().manual_seed(seed))

    @classmethod
    def planted(cls) -> None:
        differs_between_runs(cls)


class NumpySeededAnew(Cancer):
    """np.random.seed() without a number: it draws a seed from the system, and undoes the one that was set."""

    name = "numpy_seeded_anew"

    def train_loader(self, dataset: Dataset[Any], params: Params, generator: torch.Generator) -> Loader:
        np.random.seed()
        order = torch.tensor(np.random.permutation(len(dataset)))  # type: ignore[arg-type]
        inputs, targets = dataset.tensors  # type: ignore[attr-defined]
        return Batches(TensorDataset(inputs[order], targets[order]), self.batch_size, generator)

    @classmethod
    def planted(cls) -> None:
        differs_between_runs(cls)


class SeededAnew(Cancer):
    """torch.seed() instead of torch.manual_seed(seed): it draws a new seed for the weights."""

    name = "seeded_anew"

    def build_model(self, params: Params) -> nn.Module:
        torch.seed()
        return super().build_model(params)

    @classmethod
    def planted(cls) -> None:
        differs_between_runs(cls)


class WeightsFromRandom(Iris):
    """The head's weights come from a random.Random() of the module, which goes on from run to run."""

    name = "weights_from_random"
    stream = random.Random(1)  # seeded, and yet another one at every call

    def build_model(self, params: Params) -> nn.Module:
        model = mlp([4, params["units"], 3])
        nn.init.constant_(model[-1].bias, self.stream.gauss(0, 0.1))
        model[-1].weight.data = torch.tensor(
            [[self.stream.gauss(0, 0.2) for _ in row] for row in model[-1].weight.tolist()]
        )
        return model

    @classmethod
    def planted(cls) -> None:
        differs_between_runs(cls)


class SplitAtEveryCall(Diabetes):
    """The split is drawn without a seed: every call of data() has other examples."""

    name = "split_at_every_call"

    def divide(self, inputs: np.ndarray, targets: np.ndarray) -> dict[str, np.ndarray]:
        order = np.random.default_rng().permutation(len(inputs))
        return {"train": order[:265], "validation": order[265:353], "test": order[353:]}

    @classmethod
    def planted(cls) -> None:
        one, other = (load_data(cls()).train.tensors[0] for _ in range(2))  # type: ignore[attr-defined]
        assert not torch.equal(one, other)


class SplitByHash(Wine):
    """Rows are divided by python's hash of their text, which is another one in every process."""

    name = "split_by_hash"

    def divide(self, inputs: np.ndarray, targets: np.ndarray) -> dict[str, np.ndarray]:
        draw = np.array([hash(str(row)) % 10 for row in inputs.tolist()])
        return {
            "train": np.flatnonzero(draw < 6),
            "validation": np.flatnonzero((draw >= 6) & (draw < 8)),
            "test": np.flatnonzero(draw >= 8),
        }

    @classmethod
    def planted(cls) -> None:
        code = f"from {__name__} import {cls.__name__} as c; print(c().data().train.tensors[0].sum(0).tolist())"
        seen = {
            subprocess.run(
                [sys.executable, "-c", code],
                env=os.environ | {"PYTHONHASHSEED": seed},
                cwd=Path(__file__).parents[3],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            for seed in ("1", "2")
        }
        assert len(seen) == 2


@functools.cache
def wines_in_memory() -> Splits:
    return Wine().data()


class NoiseInPlace(Wine):
    """The loader adds its noise in place to data that are kept in memory: each run starts from noisier ones."""

    name = "noise_in_place"

    def data(self) -> Splits:
        return wines_in_memory()

    def train_loader(self, dataset: Dataset[Any], params: Params, generator: torch.Generator) -> Loader:
        inputs = dataset.tensors[0]  # type: ignore[attr-defined]
        inputs += 0.05 * torch.randn(inputs.shape, generator=generator)
        return super().train_loader(dataset, params, generator)

    @classmethod
    def planted(cls) -> None:
        differs_between_runs(cls)
        wines_in_memory.cache_clear()


class CurriculumOfTheClass(Alcohol):
    """A counter on the class decides how much noise there is, and is never set back."""

    name = "curriculum_of_the_class"
    calls = 0

    def augment(self, inputs: Tensor, params: Params, generator: torch.Generator) -> Tensor:
        type(self).calls += 1
        return inputs + torch.randn(inputs.shape, generator=generator) / type(self).calls

    @classmethod
    def planted(cls) -> None:
        differs_between_runs(cls)
        cls.calls = 0


def differs_between_runs(cls: type) -> None:
    """Two trainings with one seed disagree, where those of the sound workload agree."""
    sound = cls.__mro__[1]
    assert trained(cls(), 2)["train/loss"] != trained(cls(), 2)["train/loss"]
    assert trained(sound(), 2)["train/loss"] == trained(sound(), 2)["train/loss"]
