"""The examples that checks train on: all of them where they are few, else a part drawn by a fixed seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset, Subset, TensorDataset, default_collate

from tuning.training.batches import size_of
from tuning.training.determinism import seed_everything
from tuning.training.preflight.clock import Clock
from tuning.training.splits import Splits

MOST_TRAIN = 4000
MOST_VALIDATION = 2000
MOST_BYTES = 256 << 20
SEED = 0
NO_TENSORS = "The examples cannot be stacked into one tensor of inputs and one of targets."
FEWEST = 32  # examples, however long they take to be read


@dataclass(frozen=True)
class Part:
    """Some examples of a split: `dataset`, and `inputs` and `targets` where they are tensors, None where not."""

    dataset: Dataset[Any]
    size: int
    of: int
    inputs: Tensor | None = None
    targets: Tensor | None = None

    @property
    def whole(self) -> bool:
        return self.size == self.of


@dataclass(frozen=True)
class Sample:
    """Parts of both splits."""

    train: Part
    validation: Part

    @property
    def splits(self) -> Splits:
        return Splits(self.train.dataset, self.validation.dataset)

    @property
    def are_tensors(self) -> bool:
        return self.train.inputs is not None and self.validation.inputs is not None

    @property
    def note(self) -> str:
        """A sentence on what was left out; "" for nothing."""
        if self.train.whole and self.validation.whole:
            return ""
        return (
            f" Measured on {self.train.size:,} of {self.train.of:,} training and {self.validation.size:,} of "
            f"{self.validation.of:,} validation examples."
        )


def draw(splits: Splits, clock: Clock) -> Sample:
    """Draw a sample of both splits, the same at every call as long as there is time to read it."""
    seed_everything(SEED)  # an augmentation inside dataset[i] draws
    train = _part(splits.train, MOST_TRAIN, clock)
    return Sample(train, _part(splits.validation, MOST_VALIDATION, clock))


def draw_part(dataset: Dataset[Any], clock: Clock) -> Part:
    """Draw a sample of one dataset, as large as that of a validation split."""
    return _part(dataset, MOST_VALIDATION, clock)


def pair_of(dataset: Dataset[Any]) -> tuple[Tensor, Tensor] | None:
    """Inputs and targets of a dataset that holds them as two tensors."""
    if isinstance(dataset, TensorDataset) and len(dataset.tensors) == 2:
        return dataset.tensors[0], dataset.tensors[1]
    return None


def _part(dataset: Dataset[Any], most: int, clock: Clock) -> Part:
    size, pair = size_of(dataset), pair_of(dataset)
    if pair is not None:
        bytes_each = max(1, pair[0].nbytes // size)
        rows = _rows(size, min(most, max(FEWEST, MOST_BYTES // bytes_each)))
        if len(rows) == size:
            return Part(dataset, size, size, *pair)
        return _of_tensors(pair[0][rows], pair[1][rows], size)
    return _read(dataset, size, _rows(size, most).tolist(), clock)


def _rows(size: int, most: int) -> Tensor:
    order = torch.randperm(size, generator=torch.Generator().manual_seed(SEED))
    return order[: min(size, most)].sort().values


def _read(dataset: Dataset[Any], size: int, rows: list[int], clock: Clock) -> Part:
    """Read examples one by one until the time or the room is over; what cannot be stacked stays a subset."""
    mixed = [rows[i] for i in torch.randperm(len(rows), generator=torch.Generator().manual_seed(SEED)).tolist()]
    examples: list[Any] = []
    room = MOST_BYTES
    for row in mixed:
        examples.append(dataset[row])
        room -= _bytes(examples[-1])
        if len(examples) >= FEWEST and (room < 0 or clock.over()):
            break
    used = sorted(range(len(examples)), key=lambda i: mixed[i])
    stacked = _stacked([examples[i] for i in used])
    if stacked is None:
        return Part(Subset(dataset, [mixed[i] for i in used]), len(used), size)
    return _of_tensors(*stacked, size)


def _stacked(examples: list[Any]) -> tuple[Tensor, Tensor] | None:
    try:
        inputs, targets = default_collate(examples)
    except (TypeError, ValueError, RuntimeError):  # of several shapes, or of kinds that make no tensor
        return None
    return (inputs, targets) if isinstance(inputs, Tensor) and isinstance(targets, Tensor) else None


def _of_tensors(inputs: Tensor, targets: Tensor, size: int) -> Part:
    return Part(TensorDataset(inputs, targets), len(inputs), size, inputs, targets)


def _bytes(example: Any) -> int:
    inputs = example[0] if isinstance(example, tuple | list) and example else example
    return int(getattr(inputs, "nbytes", 0))
