"""LABELS: what is to be predicted, in each split: impossible and missing classes, rare ones, splits that differ."""

from __future__ import annotations

import torch
from scipy.stats import chi2_contingency, ks_2samp
from torch import Tensor

from tuning.training.preflight.check import Result, grouped_bars, number, percent, skipped
from tuning.training.preflight.sample import pair_of
from tuning.training.preflight.subject import Subject
from tuning.training.preflight.task import Task

RARE = 0.1  # of the share that a class would have if all were equally frequent
MAJORITY = 0.9
UNSEEN = 0.01  # of the validation labels
CHANCE = 1e-4  # that two splits of one source differ so much
MOST_BARS = 40


def labels(subject: Subject) -> Result:
    """The targets of both splits."""
    train, validation = all_targets(subject)
    if train is None or validation is None:
        return skipped("The targets cannot be stacked into one tensor.")
    task = subject.task if subject.works != "data" else _guessed(train)
    if task.kind == "regression":
        return _numbers(subject, train.double().flatten(), validation.double().flatten())
    if not task.classifies:
        return skipped(f"The targets are neither classes nor numbers to predict: {task.why}.")
    return _classes(subject, task, task.labels(train), task.labels(validation))


def all_targets(subject: Subject) -> tuple[Tensor | None, Tensor | None]:
    """All targets where they are at hand, else those of the sample."""
    pairs = pair_of(subject.splits.train), pair_of(subject.splits.validation)
    sample = subject.sample
    return (
        pairs[0][1] if pairs[0] else sample.train.targets,
        pairs[1][1] if pairs[1] else sample.validation.targets,
    )


def _guessed(targets: Tensor) -> Task:
    """The task where no model's output tells it."""
    if targets.is_floating_point():
        return Task("regression")
    return Task("classes", int(targets.max()) + 1)


def _classes(subject: Subject, task: Task, train: Tensor, validation: Tensor) -> Result:
    highest = int(torch.cat([train, validation]).max())
    if highest >= task.classes:
        return _out_of_range(task, highest)
    train, validation = train[train >= 0], validation[validation >= 0]
    counts = [torch.bincount(part, minlength=task.classes) for part in (train, validation)]
    if not all(int(count.sum()) for count in counts):
        return skipped("A split has no labels that count.")
    shares = [count / count.sum() for count in counts]
    evidence = {"training": counts[0].tolist()[:200], "validation": counts[1].tolist()[:200]}
    plot = _plot(task, shares) if task.classes <= MOST_BARS else None
    problem = _missing(counts) or _differing(counts, shares) or _unbalanced(task, counts[0], shares[0])
    if problem is not None:
        status, says, means, todo = problem
        return Result(status, says, means, todo, evidence, plot)
    most = float(shares[0].max())
    rarest = percent(float(shares[0].min()))
    says = f"{task.classes} classes: the most frequent has {percent(most)}, the rarest {rarest} of the training labels"
    return Result("passed", f"{says}; the validation split is alike.", "", "", evidence, plot)


def _out_of_range(task: Task, highest: int) -> Result:
    return Result(
        "failed",
        f"There is a label {highest}, but the model's output has {task.classes} classes, 0 to {task.classes - 1}.",
        "The loss cannot be computed for it.",
        "Number the classes from 0, or give the model's last layer as many outputs as there are classes.",
        {"highest label": highest, "classes": task.classes},
    )


Problem = tuple[str, str, str, str]


def _missing(counts: list[Tensor]) -> Problem | None:
    """Classes that only the validation split has cannot be learned; those that it lacks are not measured."""
    train, validation = counts
    unseen = validation[train == 0]
    share = float(unseen.sum() / validation.sum())
    if share > 0:
        return (
            "failed" if share >= UNSEEN else "warning",
            f"{percent(share)} of the validation labels belong to {int((unseen > 0).sum())} classes that the training "
            "split does not have.",
            "These cannot be learned; often the data are sorted by class and were split without mixing them.",
            "Split at random and stratified: tuning.training.stratified_split does it.",
        )
    lacking = int(((validation == 0) & (train > 0)).sum())
    if lacking and int((validation > 0).sum()) == 1:
        return (
            "failed",
            "All validation labels are the same, those of the training split are not.",
            "Always naming that class has an accuracy of 1: the scores of trials say nothing.",
            "Look how data() picks the validation split; tuning.training.stratified_split gives every class its share.",
        )
    if lacking:
        return (
            "warning",
            f"{lacking} of {int((train > 0).sum())} classes do not occur in the validation split.",
            "Nothing that the trials report says how well these are told.",
            "Split stratified (tuning.training.stratified_split), or take a larger validation split.",
        )
    return None


def _differing(counts: list[Tensor], shares: list[Tensor]) -> Problem | None:
    present = (counts[0] + counts[1]) > 0
    if int(present.sum()) < 2:
        return None
    chance = float(chi2_contingency(torch.stack(counts)[:, present].double().numpy()).pvalue)
    largest = float((shares[0] - shares[1]).abs().max())
    if chance >= CHANCE or largest < 0.02:
        return None
    return (
        "warning",
        f"A class's share differs by up to {percent(largest)} between the training and the validation split "
        f"(chance of that in a random split: {chance:.0e}).",
        "A model that fits the one is measured on another mixture.",
        "Split stratified (tuning.training.stratified_split), unless the difference is meant.",
    )


def _unbalanced(task: Task, counts: Tensor, shares: Tensor) -> Problem | None:
    most, present = float(shares.max()), int((counts > 0).sum())
    if present < 2:
        return (
            "failed",
            "All training labels are the same.",
            "There is nothing to tell apart.",
            "Look at how data() reads the labels.",
        )
    if most < MAJORITY and float(shares[counts > 0].min()) >= RARE / task.classes:
        return None
    rarest = percent(float(shares[counts > 0].min()))
    return (
        "warning",
        f"The classes are unbalanced: the most frequent has {percent(most)}, the rarest {rarest} of the training "
        "labels.",
        f"Always naming the most frequent one is right in {percent(most)} of the cases, so accuracy says little.",
        "Tune by a loss, balanced accuracy or average precision; weight the classes in the loss, or draw rare ones "
        "more often.",
    )


def _numbers(subject: Subject, train: Tensor, validation: Tensor) -> Result:
    train, validation = train[train.isfinite()], validation[validation.isfinite()]
    if len(train) < 2 or len(validation) < 2:
        return skipped("A split has fewer than two finite targets.")
    found = {
        "training mean": float(train.mean()),
        "training std": float(train.std()),
        "validation mean": float(validation.mean()),
        "validation std": float(validation.std()),
    }
    mean, deviation = number(found["training mean"]), number(found["training std"])
    says = f"The training targets have mean {mean} and deviation {deviation}"
    if found["training std"] == 0:
        return Result(
            "failed", f"All training targets are {number(found['training mean'])}.", "There is nothing to predict.",
            "Look at how data() reads the targets.", found,
        )  # fmt: skip
    if float(ks_2samp(train.numpy(), validation.numpy()).pvalue) < CHANCE:
        return Result(
            "warning",
            f"{says}, the validation targets {number(found['validation mean'])} and {number(found['validation std'])}: "
            "they are distributed differently.",
            "A model that fits the one split is measured on another mixture.",
            "Split at random, stratified by quantile_bins of the target, unless the difference is meant.",
            found,
        )
    if abs(found["training mean"]) > 3 * found["training std"] or not 0.05 <= found["training std"] <= 20:
        return Result(
            "warning",
            f"{says}: far from mean 0 and deviation 1.",
            "The model's outputs begin near 0 and have a long way to go, at a learning rate that the scale dictates.",
            "Subtract the training split's mean from the targets and divide by its standard deviation in data().",
            found,
        )
    return Result("passed", f"{says}; the validation targets are distributed alike.", "", "", found)


def _plot(task: Task, shares: list[Tensor]) -> dict[str, object]:
    series = {"training": shares[0].tolist(), "validation": shares[1].tolist()}
    return grouped_bars([str(label) for label in range(task.classes)], series, "class", "share")


