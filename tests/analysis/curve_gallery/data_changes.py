"""What may be done to the examples before a network is trained on them: two splits in, two splits out.

Each change takes both splits as (inputs, targets), its argument and a generator, and leaves what it was given alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

Split = tuple[Tensor, Tensor]
Change = Callable[[Split, Split, Any, torch.Generator], tuple[Split, Split]]


class Redrawn(Dataset[tuple[Tensor, Tensor]]):
    """Examples with fresh noise at every access: in training and when the training split is measured."""

    def __init__(self, split: Split, deviation: float, seed: int) -> None:
        self._inputs, self._targets = split
        self._deviation, self._generator = deviation, torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        return len(self._targets)

    def __getitems__(self, rows: Sequence[int]) -> list[tuple[Tensor, Tensor]]:
        chosen = torch.as_tensor(rows)
        inputs = _with_noise(self._inputs[chosen], self._deviation, self._generator)
        return list(zip(inputs, self._targets[chosen], strict=True))

    def __getitem__(self, row: int) -> tuple[Tensor, Tensor]:
        return self.__getitems__([row])[0]


def _with_noise(inputs: Tensor, deviation: float, generator: torch.Generator) -> Tensor:
    return inputs + deviation * torch.randn(inputs.shape, generator=generator)


def _rows(split: Split, rows: Tensor) -> Split:
    return split[0][rows], split[1][rows]


def _random_rows(split: Split, size: int, generator: torch.Generator) -> Split:
    return _rows(split, torch.randperm(len(split[1]), generator=generator)[:size])


def _changed_targets(targets: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """A share of the targets exchanged among each other at random."""
    rows = torch.randperm(len(targets), generator=generator)[: round(share * len(targets))]
    changed = targets.clone()
    changed[rows] = targets[rows[torch.randperm(len(rows), generator=generator)]]
    return changed


def train_size(train: Split, validation: Split, size: int, generator: torch.Generator) -> tuple[Split, Split]:
    return _random_rows(train, size, generator), validation


def validation_size(train: Split, validation: Split, size: int, generator: torch.Generator) -> tuple[Split, Split]:
    return train, _random_rows(validation, size, generator)


def train_label_noise(train: Split, validation: Split, share: float, generator: torch.Generator) -> tuple[Split, Split]:
    return (train[0], _changed_targets(train[1], share, generator)), validation


def both_label_noise(train: Split, validation: Split, share: float, generator: torch.Generator) -> tuple[Split, Split]:
    first, second = (_changed_targets(split[1], share, generator) for split in (train, validation))
    return (train[0], first), (validation[0], second)


def validation_input_noise(
    train: Split, validation: Split, size: float, generator: torch.Generator
) -> tuple[Split, Split]:
    return train, (_with_noise(validation[0], size, generator), validation[1])


def validation_shift(train: Split, validation: Split, shift: float, generator: torch.Generator) -> tuple[Split, Split]:
    """A constant on top of every input, as from an instrument that was never calibrated."""
    return train, (validation[0] + shift, validation[1])


def validation_rolled(train: Split, validation: Split, pixels: int, generator: torch.Generator) -> tuple[Split, Split]:
    """Images moved to the right."""
    return train, (validation[0].roll(pixels, dims=-1), validation[1])


def train_classes(train: Split, validation: Split, classes: int, generator: torch.Generator) -> tuple[Split, Split]:
    """The training split has seen only the first classes; the validation split has all."""
    return _rows(train, (train[1] < classes).nonzero().flatten()), validation


def easy_validation(train: Split, validation: Split, share: float, generator: torch.Generator) -> tuple[Split, Split]:
    """Only the share of the validation examples that is easiest.

    Classes: by how much nearer the mean of their own class lies than that of any other. Numbers: nearest to the mean.
    """
    inputs, targets = validation
    if len(targets.unique()) > 20:
        hardness = targets.abs()
    else:
        means = torch.stack([train[0][train[1] == c].flatten(1).mean(0) for c in train[1].unique()])
        distances = torch.cdist(inputs.flatten(1), means)
        own = distances.gather(1, targets.long()[:, None]).flatten()
        others = distances.scatter(1, targets.long()[:, None], torch.inf).amin(1)
        hardness = own - others
    return train, _rows(validation, hardness.argsort()[: round(share * len(targets))])


def blank_inputs(train: Split, validation: Split, _: bool, generator: torch.Generator) -> tuple[Split, Split]:
    """A reader that returns zeros."""
    return (torch.zeros_like(train[0]), train[1]), (torch.zeros_like(validation[0]), validation[1])


def label_in_train(train: Split, validation: Split, strength: float, generator: torch.Generator) -> tuple[Split, Split]:
    """A leak into the first input: the label in training, another example's label in validation."""
    leaked = []
    for (inputs, targets), hint in (
        (train, train[1]),
        (validation, validation[1][torch.randperm(len(validation[1]), generator=generator)]),
    ):
        flat = inputs.flatten(1).clone()
        flat[:, 0] = strength * hint.float()
        leaked.append((flat.reshape(inputs.shape), targets))
    return leaked[0], leaked[1]


def outliers(train: Split, validation: Split, count: int, generator: torch.Generator) -> tuple[Split, Split]:
    """So many training targets that are numbers are multiplied by 12: typing errors."""
    rows = torch.randperm(len(train[1]), generator=generator)[:count]
    targets = train[1].clone()
    targets[rows] = 12 * targets[rows]
    return (train[0], targets), validation


CHANGES: dict[str, Change] = {
    change.__name__: change
    for change in (
        train_size, validation_size, train_label_noise, both_label_noise, validation_input_noise,
        validation_shift, validation_rolled, train_classes, easy_validation, blank_inputs,
        label_in_train, outliers,
    )
}  # fmt: skip
