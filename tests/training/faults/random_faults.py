"""Faults by which two trainings with one seed differ."""

from __future__ import annotations

import functools
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tests.training.faults.evidence import (
    trained,
)
from tests.training.faults.sound import Alcohol, Cancer, Diabetes, Digits, Iris, Wine, mlp
from tuning.training import Dataset, Params, Splits, TensorDataset
from tuning.training.batches import Batches
from tuning.training.examples import load_data

Loader = Iterable[tuple[Tensor, Tensor]]


class NoiseInForward(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: Tensor) -> Tensor:
        if self.training:
            noise = np.random.default_rng().normal(scale=0.1, size=tuple(inputs.shape))
            inputs = inputs + torch.tensor(noise, dtype=inputs.dtype)
        return self.model(inputs)


class NoiseOfItsOwn(Wine):
    """The model adds noise from a numpy generator that no seed reaches."""

    name = "noise_of_its_own"

    def build_model(self, params: Params) -> nn.Module:
        return NoiseInForward(super().build_model(params))

    @classmethod
    def planted(cls) -> None:
        differs_between_runs(cls)


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
