"""TARGET-LEAK: a single feature that gives the target away, as a column that holds it in other units or codes."""

from __future__ import annotations

import torch
from torch import Tensor

from tuning.training.preflight.check import Result, named, skipped
from tuning.training.preflight.sample import Part
from tuning.training.preflight.subject import Subject

FEWEST = 20  # examples of a split
MOST = 20_000_000  # numbers to be sorted
RANKS = 0.9999  # correlation of the ranks


def target_leak(subject: Subject) -> Result:
    """Look for one feature from which the target follows without error in both splits.

    A class by thresholds on it alone, each class in one stretch; whether it is one of two classes, where it has two
    values; a number by its rank. It may be true of honest data, so it is a warning.
    """
    train, validation, task = subject.sample.train, subject.sample.validation, subject.task
    table, held = _columns(train), _columns(validation)
    if table is None or held is None or train.targets is None or validation.targets is None:
        return skipped("The inputs are no tensors of floating-point numbers, so that features cannot be told apart.")
    if task.kind == "unknown" or (train.targets.numel() != len(train.targets) and not task.soft):
        return skipped("An example has more than one target.")
    if min(len(table), len(held)) < FEWEST or table.numel() > MOST:
        return skipped("There are too few examples, or too many features, to look at each feature by itself.")
    if task.classifies:
        telling = _names_class(table, held, task.labels(train.targets), task.labels(validation.targets))
    else:
        telling = _ranked(table, train.targets) & _ranked(held, validation.targets)
    return _told(subject, telling)


def _columns(part: Part) -> Tensor | None:
    """The inputs as a table (n, d), where they are floating-point numbers."""
    if part.inputs is None or not part.inputs.is_floating_point():
        return None
    return torch.nan_to_num(part.inputs.reshape(len(part.inputs), -1).double())


def _names_class(table: Tensor, held: Tensor, known: Tensor, answers: Tensor) -> Tensor:
    """Which features alone name the class: (d,)."""
    if len(known.unique()) < 2 or len(answers.unique()) < 2:
        return torch.zeros(table.shape[1], dtype=torch.bool)
    joined, labels = torch.cat([table, held]), torch.cat([known, answers])
    return _in_stretches(joined, labels) | _of_one_class(joined, labels)


def _in_stretches(table: Tensor, labels: Tensor) -> Tensor:
    """Whether, along a feature, each class lies in one stretch that shares no value with another."""
    values, order = table.sort(dim=0)
    along = labels[order]
    changes = along[1:] != along[:-1]
    shared = changes & (values[1:] == values[:-1])
    return (changes.sum(0) == len(labels.unique()) - 1) & ~shared.any(0)


def _of_one_class(table: Tensor, labels: Tensor) -> Tensor:
    """Whether a feature of two values has one of them in all examples of a class and nowhere else."""
    low, high = table.amin(0), table.amax(0)
    two = ((table == low) | (table == high)).all(0) & (low < high)
    one_class = torch.zeros_like(two)
    for label in labels.unique():
        of_class = (labels == label)[:, None]
        one_class |= ((table == high) == of_class).all(0) | ((table == low) == of_class).all(0)
    return two & one_class


def _ranked(table: Tensor, targets: Tensor) -> Tensor:
    """Whether a feature has the order of the targets, or its reverse."""
    wanted = _ranks(targets.double().reshape(-1, 1))
    found = _ranks(table)
    scale = found.square().sum(0).sqrt() * wanted.square().sum().sqrt()
    return ((found * wanted).sum(0) / scale.clamp_min(1e-12)).abs() >= RANKS


def _ranks(table: Tensor) -> Tensor:
    """The mean rank of each value in its column, around 0."""
    ranks = torch.empty_like(table)
    for place in range(table.shape[1]):
        _, codes, counts = table[:, place].unique(return_inverse=True, return_counts=True)
        ranks[:, place] = (counts.cumsum(0) - (counts - 1) / 2)[codes]
    return ranks - ranks.mean(0)


def _told(subject: Subject, telling: Tensor) -> Result:
    places = torch.nonzero(telling).flatten().tolist()
    evidence = {"features": len(telling), "telling": places[:20]}
    if not places:
        return Result("passed", f"None of {len(telling):,} features alone gives the target away.", evidence=evidence)
    which = named([str(place) for place in places], 8)
    return Result(
        "warning",
        f"The target follows without error from one feature alone, in both splits: number {which}.",
        "That is rarely true of what is known before the answer: most often the target, or what was made from it, "
        "stayed among the features.",
        "Leave the feature out, unless it will be known wherever the model is to be used.",
        evidence,
    )
