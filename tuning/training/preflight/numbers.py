"""FINITE, CONSTANT and NORMALISED: what the inputs look like as numbers, without any model.

Thresholds are ours: a standard deviation between 1/2 and 2 around a mean within 0.5, or a range within [-1, 1] of at
least 0.5, is normalised; ranges of single features may differ by a factor of 100, splits by half a standard deviation.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from tuning.training.preflight.check import Result, bars, named, number, skipped
from tuning.training.preflight.sample import NO_TENSORS, Part, pair_of
from tuning.training.preflight.subject import Subject

CHUNK = 1 << 16  # examples looked at together
SPREAD = 100.0
SHIFT = 0.5


def finite(subject: Subject) -> Result:
    """NaN and infinity, in inputs and targets of both splits: of tensors that are at hand in all examples."""
    found = {}
    for split, dataset, part in _parts(subject):
        pair = pair_of(dataset) or (part.inputs, part.targets)
        for what, tensor in zip(("inputs", "targets"), pair, strict=True):
            if tensor is None:
                return skipped(NO_TENSORS)
            found[f"{split} {what}"] = _broken_rows(tensor)
    broken = {name: count for name, count in found.items() if count}
    if not broken:
        return Result("passed", f"No NaN and no infinity in inputs and targets.{subject.sample.note}", evidence=found)
    listed = ", ".join(f"{count:,} in the {name}" for name, count in broken.items())
    return Result(
        "failed",
        f"Examples with NaN or infinity: {listed}.",
        "One such number makes the loss NaN, and with it every weight.",
        "Leave these examples out in data(), or fill the gaps, for example with the training split's median.",
        found,
        bars(found, "split", "examples with NaN or infinity"),
    )


def _broken_rows(tensor: Tensor) -> int:
    if not (tensor.is_floating_point() or tensor.is_complex()):
        return 0
    rows = tensor.reshape(len(tensor), -1)
    return sum(int((~chunk.isfinite()).any(1).sum()) for chunk in rows.split(CHUNK))


def constant(subject: Subject) -> Result:
    """Features that are the same in every training example."""
    inputs = _numbers(subject.sample.train)
    if inputs is None:
        return skipped("The inputs are no tensors of floating-point numbers, so that features cannot be told apart.")
    flat = inputs.flatten(1)
    same = (flat == flat[:1]).all(0)
    count, of = int(same.sum()), flat.shape[1]
    first: list[int] = torch.nonzero(same).flatten()[:20].tolist()
    evidence = {"constant": count, "features": of, "first": first}
    if count == 0:
        return Result("passed", f"Every one of {of:,} features varies.{subject.sample.note}", evidence=evidence)
    if count == of:
        return Result(
            "failed",
            f"All {of:,} features have the same value in every training example.",
            "There is nothing in the inputs to learn from.",
            "Look at how data() reads and scales the inputs: a division by a very large number, or an empty column?",
            evidence,
        )
    which = named([str(place) for place in first], 8)
    return Result(
        "warning",
        f"{count:,} of {of:,} features have the same value in all {len(flat):,} training examples (numbers {which}).",
        "They carry nothing, and weights on them stay at chance until a validation example differs. "
        "At the borders of images that is usual.",
        "Leave them out, or make sure that they are meant; after standardising, beware of their division by 0.",
        evidence,
    )


def normalised(subject: Subject) -> Result:
    """Whether inputs are about standardised or within the unit range, in every feature, and alike in both splits."""
    train, validation = _numbers(subject.sample.train), _numbers(subject.sample.validation)
    if train is None or validation is None:
        return skipped("The inputs are whole numbers (codes, or pixels that the model converts) or no tensors.")
    train, validation = train[_whole(train)].double(), validation[_whole(validation)].double()
    if len(train) < 2 or len(validation) < 1:
        return skipped("Too few examples without NaN and infinity.")
    evidence = _statistics(train, validation)
    problems = [_scale(evidence), _features(train, evidence), _shift(evidence)]
    todo = " ".join(problem[1] for problem in problems if problem)
    says = (
        f"The training inputs have mean {number(evidence['mean'])} and standard deviation {number(evidence['std'])}, "
        f"from {number(evidence['low'])} to {number(evidence['high'])}."
    )
    plot = _plot(train)
    if not todo:
        return Result("passed", says + subject.sample.note, evidence=evidence, plot=plot)
    says = " ".join([says, *(problem[0] for problem in problems if problem)]) + subject.sample.note
    means = "Weights begin at a size that suits inputs of about 1; others make the good learning rates tiny or huge."
    return Result("warning", says, means, todo, evidence, plot)


def _statistics(train: Tensor, validation: Tensor) -> dict[str, float]:
    low, high = float(train.min()), float(train.max())
    found = {"mean": float(train.mean()), "std": float(train.std()), "low": low, "high": high}
    return {**found, "validation mean": float(validation.mean()), "validation std": float(validation.std(correction=0))}


def _scale(found: dict[str, float]) -> tuple[str, str] | None:
    standard = abs(found["mean"]) <= 0.5 and 0.5 <= found["std"] <= 2
    unit = found["low"] >= -1.001 and found["high"] <= 1.001 and found["high"] - found["low"] >= 0.5
    if standard or unit:
        return None
    todo = "Subtract the training split's mean in data() and divide by its standard deviation, or scale to [0, 1]."
    return "That is neither about mean 0 and deviation 1, nor within [0, 1].", todo


def _features(train: Tensor, evidence: dict[str, float]) -> tuple[str, str] | None:
    """One table's columns of very different size; of images the columns are pixels, of one scale by their nature."""
    if train.ndim != 2 or train.shape[1] < 2:
        return None
    ranges = train.amax(0) - train.amin(0)
    ranges = ranges[ranges > 0]
    if len(ranges) < 2:
        return None
    middle = ranges.median()
    ratio = float(torch.maximum(ranges.max() / middle, middle / ranges.min()))
    evidence["largest ratio of ranges"] = ratio
    if ratio < SPREAD:
        return None
    todo = "Scale each feature by itself: with its mean and deviation, or its logarithm where it spans decades."
    return f"The range of one feature differs from the middle one's by a factor of {number(ratio)}.", todo


def _shift(found: dict[str, float]) -> tuple[str, str] | None:
    std = found["std"]
    if std == 0 or found["validation std"] == 0:
        return None
    ratio = found["validation std"] / std
    if abs(found["validation mean"] - found["mean"]) <= SHIFT * std and 0.5 <= ratio <= 2:
        return None
    numbers = f"mean {number(found['validation mean'])} and deviation {number(found['validation std'])}"
    return (
        f"The validation inputs differ from them: {numbers}.",
        "Scale both splits by the training split's numbers, and split at random.",
    )


def _plot(train: Tensor) -> dict[str, object] | None:
    """The deviation of each feature of a table, where they are few enough to be told apart."""
    if train.ndim != 2 or train.shape[1] > 64:
        return None
    deviations = {str(place): float(value) for place, value in enumerate(train.std(0))}
    return bars(deviations, "feature", "standard deviation", target=1.0)


def _parts(subject: Subject) -> list[tuple[str, Dataset[Any], Part]]:
    sample, splits = subject.sample, subject.splits
    return [("training", splits.train, sample.train), ("validation", splits.validation, sample.validation)]


def _numbers(part: Part) -> Tensor | None:
    """The inputs (n, ...), where they are floating-point numbers."""
    if part.inputs is None or not part.inputs.is_floating_point():
        return None
    return part.inputs[:, None] if part.inputs.ndim == 1 else part.inputs


def _whole(inputs: Tensor) -> Tensor:
    return inputs.flatten(1).isfinite().all(1)
