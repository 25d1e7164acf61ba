"""INPUT-FREE and SHUFFLED: two controls in which nothing can be learned, so that what is learned is to be explained."""

from __future__ import annotations

import math
import statistics

import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from tuning.training.preflight.baselines import constant_loss, trained_defaults
from tuning.training.preflight.check import Result, bars, line, number, percent, skipped
from tuning.training.preflight.errors import WorkloadRaised
from tuning.training.preflight.sample import Part
from tuning.training.preflight.short import Short, epochs_for, short_training
from tuning.training.preflight.subject import Subject
from tuning.training.splits import Splits, quantile_bins

GAIN = 0.02  # of the loss without inputs: less is no gain
BLIND_STEPS = 300
OWN_RATE = 1e-3
SHUFFLES = 5
SHUFFLED_STEPS = 100
ABOVE = 0.05  # chance
NO_TENSORS = "The examples cannot be stacked into tensors, so that none can be put in their place."


def input_free(subject: Subject) -> Result:
    """The same training with zeros in place of the inputs must do worse on the validation split."""
    if not subject.sample.are_tensors:
        return skipped(NO_TENSORS)
    real = trained_defaults(subject)
    if real.diverged or not real.epochs:
        return skipped("The defaults did not finish one epoch, so that there is nothing to compare with.")
    blind = _blind(subject)
    if isinstance(blind, str):
        return skipped(blind)
    floor = min(blind.best, constant_loss(subject, real))
    evidence = {"with inputs": real.best, "without": blind.best, "best constant answer": constant_loss(subject, real)}
    plot = _curves(real, blind)
    says = f"The least validation loss is {number(real.best)} with the inputs and {number(floor)} without them"
    if _gains(real.best, floor):
        return Result("passed", f"{says}.{subject.sample.note}", evidence=evidence, plot=plot)
    if real.cut:
        return Result("info", f"{says}; the time was over before the training could show it.", "", "", evidence, plot)
    return _no_gain(subject, says, floor, evidence, plot)


def _blind(subject: Subject) -> Short | str:
    """A training on constant inputs, or why there is none."""
    splits = Splits(*(_constant(part) for part in (subject.sample.train, subject.sample.validation)))
    try:
        blind = short_training(subject, splits, epochs_for(subject, BLIND_STEPS))
    except WorkloadRaised as raised:
        return f"The model does not take constant inputs: {raised}."
    if blind.diverged or not blind.epochs:
        return f"A training on constant inputs gives nothing to compare with: {blind.diverged or 'the time was over'}."
    return blind


def _constant(part: Part) -> TensorDataset:
    """The examples with zeros for inputs; where these are codes, with the first example's for all."""
    inputs, targets = part.inputs, part.targets
    if inputs is None or targets is None:
        raise ValueError(NO_TENSORS)
    one = torch.zeros_like(inputs[:1]) if inputs.is_floating_point() else inputs[:1]
    return TensorDataset(one.expand_as(inputs), targets)


def _gains(real: float, floor: float) -> bool:
    return floor - real >= GAIN * abs(floor)


def _no_gain(subject: Subject, says: str, floor: float, evidence: dict[str, float], plot: dict[str, object]) -> Result:
    """The defaults may be to blame, so another optimizer has a try."""
    other = short_training(subject, subject.sample.splits, epochs_for(subject, BLIND_STEPS), own_adam=OWN_RATE)
    evidence["with inputs and Adam at 1e-3"] = other.best
    if _gains(other.best, floor):
        return Result(
            "warning",
            f"{says}; with Adam at {OWN_RATE:g} in place of the workload's optimizer it is {number(other.best)}.",
            "The data can be learned, but not by the middle of the space in this time.",
            "Move the range of the learning rate (the learning-rate finder shows where), or let trials train longer.",
            evidence,
            plot,
        )
    return Result(
        "failed",
        f"{says}: the inputs do not help at all.",
        "The model does not use them, or they have nothing to do with the targets.",
        "Look whether inputs and targets keep their pairing in data() and train_loader(), and whether forward() uses "
        "its input.",
        evidence,
        plot,
    )


def _curves(real: Short, blind: Short) -> dict[str, object]:
    count = min(len(real.losses), len(blind.losses))
    curves = {"with inputs": real.losses[:count], "without": blind.losses[:count]}
    return line(range(1, count + 1), curves, "epoch", "validation loss")


def shuffled(subject: Subject) -> Result:
    """With shuffled training labels the validation score falls to chance: what stays above has leaked."""
    task = subject.task
    if not subject.sample.are_tensors:
        return skipped(NO_TENSORS)
    if task.kind == "unknown":
        return skipped(f"Chance is known for classes and numbers only; here {task.why}.")
    scores = []
    for seed in range(SHUFFLES):
        short = short_training(
            subject, _shuffled(subject, seed), epochs_for(subject, SHUFFLED_STEPS), seed=seed, keep="last"
        )
        if short.output is not None and short.targets is not None:
            scores.append(_score(subject, short))
        if subject.clock.over():
            break
    if not scores:
        return skipped("The time was over, or every training diverged, before a validation score was there.")
    return _judged(subject, scores)


def _shuffled(subject: Subject, seed: int) -> Splits:
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
    """
    sources = _by_group(groups, generator)
    places = _by_group(groups, generator)
    width = max(1, round(math.sqrt(len(groups))))
    dealt = torch.cat([sources[start::width] for start in range(width)])
    order = torch.empty_like(dealt)
    order[places] = dealt
    return order


def _by_group(groups: Tensor, generator: torch.Generator) -> Tensor:
    """All rows, group after group, each group's in random order."""
    mixed = torch.randperm(len(groups), generator=generator)
    return mixed[groups[mixed].argsort(stable=True)]


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
    mean, chance, slack = sum(scores) / len(scores), *_chance(subject, scores)
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


def _chance(subject: Subject, scores: list[float]) -> tuple[float, float]:
    """What knowing nothing scores on the validation part, and how far above luck may lift the mean over the seeds."""
    targets = subject.sample.validation.targets
    spread = statistics.stdev(scores) if len(scores) > 1 else 0.0
    if subject.task.kind == "regression" or targets is None:
        return 0.0, max(ABOVE, 3 * spread / math.sqrt(len(scores)))
    labels = subject.task.labels(targets)
    labels = labels[labels >= 0]
    rate = float(torch.bincount(labels).max() / len(labels))
    luck = max(spread, math.sqrt(rate * (1 - rate) / len(labels)))
    return rate, max(ABOVE, 3 * luck / math.sqrt(len(scores)))


