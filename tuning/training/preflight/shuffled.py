"""SHUFFLED: a control in which nothing can be learned, because the training labels are mixed among the examples."""

from __future__ import annotations

import math
import statistics

import torch
from scipy.stats import t as student
from torch import Tensor
from torch.utils.data import TensorDataset

from tuning.training.preflight.check import Result, bars, percent, skipped
from tuning.training.preflight.sample import NO_TENSORS
from tuning.training.preflight.short import Short, epochs_for, short_training
from tuning.training.preflight.subject import Subject
from tuning.training.splits import Splits, quantile_bins

SHUFFLES, MOST_SHUFFLES = 5, 10  # trainings; more where the first ones are above chance
SHUFFLED_STEPS = 100
ABOVE = 0.05  # chance
LUCK = 0.001  # of a mean so far above chance, in the first place


def shuffled(subject: Subject) -> Result:
    """With shuffled training labels the validation score falls to chance: what stays above has leaked.

    A score of one training varies by more than the validation examples' number tells: alike examples get alike answers,
    right or wrong together. So it is the spread over the seeds that says what luck can do.
    """
    task = subject.task
    if not subject.sample.are_tensors:
        return skipped(NO_TENSORS)
    if task.kind == "unknown":
        return skipped(f"Chance is known for classes and numbers only; here {task.why}.")
    scores: list[float] = []
    for seed in range(MOST_SHUFFLES):
        short = short_training(
            subject, shuffled_splits(subject, seed), epochs_for(subject, SHUFFLED_STEPS), seed=seed, keep="last"
        )
        if short.output is not None and short.targets is not None:
            scores.append(_score(subject, short))
        enough = seed + 1 >= SHUFFLES and (not scores or statistics.fmean(scores) <= _chance(subject) + ABOVE)
        if enough or subject.clock.over():
            break
    if not scores:
        return skipped("The time was over, or every training diverged, before a validation score was there.")
    return _judged(subject, scores)


def shuffled_splits(subject: Subject, seed: int) -> Splits:
    """Labels mixed among the examples so that a label is as frequent among those that had any other one."""
    sample = subject.sample
    if sample.train.inputs is None or sample.train.targets is None:
        raise ValueError(NO_TENSORS)
    targets = sample.train.targets
    order = _even_order(_groups(subject, targets), torch.Generator().manual_seed(seed))
    return Splits(TensorDataset(sample.train.inputs, targets[order]), sample.validation.dataset)


def _groups(subject: Subject, targets: Tensor) -> Tensor:
    if subject.task.kind == "regression":
        return torch.as_tensor(quantile_bins(targets.double().reshape(len(targets), -1)[:, 0].numpy(), 10))
    if targets.ndim == 1 or subject.task.soft:
        return subject.task.labels(targets)
    return torch.zeros(len(targets), dtype=torch.long)


def _even_order(groups: Tensor, generator: torch.Generator) -> Tensor:
    """A permutation (n,) that deals each group's rows out evenly to the places of all groups.

    A plain one leaves a chance association between new and old labels, which a model finds in few and telling features.
    What cannot be dealt evenly goes to groups in random order, else it would favour the same ones with every seed.
    """
    sources = _by_group(groups, generator)
    places = _by_group(groups, generator)
    width = max(1, round(math.sqrt(len(groups))))
    dealt = torch.cat([sources[start::width] for start in range(width)])
    order = torch.empty_like(dealt)
    order[places] = dealt
    return order


def _by_group(groups: Tensor, generator: torch.Generator) -> Tensor:
    """All rows, group after group in random order, each group's in random order."""
    first = int(groups.min())
    renamed = torch.randperm(int(groups.max()) - first + 1, generator=generator)[groups - first]
    mixed = torch.randperm(len(groups), generator=generator)
    return mixed[renamed[mixed].argsort(stable=True)]


def _score(subject: Subject, short: Short) -> float:
    """The accuracy, or R² of numbers; the workload's own accuracy where it says more."""
    if short.output is None or short.targets is None:
        raise ValueError("the training has no outputs")
    if subject.task.kind == "regression":
        targets = short.targets.double()
        spread = (targets - targets.mean(0)).square().mean().clamp_min(1e-12)
        return float(1 - (short.output.double().reshape(targets.shape) - targets).square().mean() / spread)
    own = [value for name, value in short.epochs[-1].items() if name.startswith("validation/acc") and 0 <= value <= 1]
    return max([subject.task.accuracy(short.output, short.targets), *own])


def _judged(subject: Subject, scores: list[float]) -> Result:
    mean, chance, slack = sum(scores) / len(scores), _chance(subject), _slack(scores)
    name = "R²" if subject.task.kind == "regression" else "accuracy"
    evidence = {"mean": mean, "chance": chance, "tolerance": slack, "scores": scores}
    plot = bars({f"seed {seed}": score for seed, score in enumerate(scores)}, "", f"validation {name}", target=chance)
    says = (
        f"With shuffled training labels the validation {name} is {mean:.3f} on average over {len(scores)} seeds; "
        f"chance is {chance:.3f}{subject.sample.note and '.' + subject.sample.note.rstrip('.')}"
    )
    if mean <= chance + slack:
        return Result("passed", f"{says}.", evidence=evidence, plot=plot)
    return Result(
        "failed",
        f"{says}. That is {percent(mean - chance)} too good.",
        "Nothing true could be learned, so the answers come from elsewhere: the scores of trials would not be real.",
        "Look whether metrics() compares the output with the target, whether train_step(), train_loader() or the model "
        "take labels from anywhere but their arguments, and whether the model has been trained on these examples "
        "before.",
        evidence,
        plot,
    )


def _chance(subject: Subject) -> float:
    """What knowing nothing scores on the validation part."""
    targets = subject.sample.validation.targets
    if subject.task.kind == "regression" or targets is None:
        return 0.0
    labels = subject.task.labels(targets)
    labels = labels[labels >= 0]
    return float(torch.bincount(labels).max() / len(labels))


def _slack(scores: list[float]) -> float:
    """How far above chance luck may lift the mean over the seeds: Student's t of their spread."""
    if len(scores) < 2:
        return 2 * ABOVE
    quantile = float(student.ppf(1 - LUCK, len(scores) - 1))
    return max(ABOVE, quantile * statistics.stdev(scores) / math.sqrt(len(scores)))
