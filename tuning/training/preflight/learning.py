"""GRADIENTS and LOSS-FALLS: the first steps of a real training reach every parameter, and lower the loss."""

from __future__ import annotations

import math

from tuning.training.preflight.check import Result, bars, line, named, number, percent, skipped
from tuning.training.preflight.steps import FirstSteps, first_steps
from tuning.training.preflight.subject import Subject

FALL = 0.01  # of the loss: less is no fall
FACTORS = (0.1, 10.0, 0.01, 100.0, 0.001)  # of the learning rate, where it does not fall at the defaults
FEW = 20  # steps
DECAY, ALL = 0.1, 0.5  # of the weights in one step: a training remembers its last ten steps, or hardly any
MOST_BARS = 40


def gradients(subject: Subject) -> Result:
    """Every parameter receives a gradient within the first steps, and the optimizer has it."""
    found = first_steps(subject)
    without = [name for name, size in found.gradients.items() if size == 0.0]
    broken = [name for name, size in found.gradients.items() if not math.isfinite(size)]
    total = len(found.gradients) + len(found.frozen)
    evidence = {"parameters": total, "without": without, "frozen": found.frozen, "not in the optimizer": found.unheld}
    plot = _plot(found)
    if broken or without:
        return _unreached(without, broken, evidence, plot)
    if found.unregistered:
        return _unregistered(found.unregistered, evidence, plot)
    if found.unheld:
        return Result(
            "warning",
            f"{len(found.unheld)} of {total} parameters are in no group of the optimizer: {named(found.unheld)}.",
            "They keep their initial values for ever, though their gradients are computed.",
            "Give build_optimizer() all of model.parameters(), or set requires_grad = False where that is meant.",
            evidence,
            plot,
        )
    if found.frozen:
        return Result(
            "warning",
            f"{len(found.frozen)} of {total} parameters are frozen (requires_grad is False): {named(found.frozen)}.",
            "They keep their initial values for ever.",
            "Nothing where a pretrained part is kept on purpose; else leave requires_grad as it is.",
            evidence,
            plot,
        )
    says = f"All {total} parameters (weights and biases) receive a gradient within the first steps."
    return Result("passed", says, evidence=evidence, plot=plot)


def _unreached(without: list[str], broken: list[str], evidence: dict[str, object], plot: dict[str, object]) -> Result:
    if broken:
        return Result(
            "failed",
            f"The gradient of {named(broken)} is NaN or infinite.",
            "The first step destroys the weights.",
            "Look for a square root, a logarithm or a division at 0, and normalise the inputs.",
            evidence,
        )
    return Result(
        "failed",
        f"{len(without)} of {evidence['parameters']} parameters receive no gradient: {named(without)}.",
        "They never learn anything: forward() leaves them out, or something between them and the loss cuts the way "
        "back.",
        "Look in forward() for layers that are not called, detach(), no_grad(), .item(), argmax or rounding, and "
        "units that "
        "are all off.",
        evidence,
        plot,
    )


def _unregistered(sizes: list[tuple[int, ...]], evidence: dict[str, object], plot: dict[str, object]) -> Result:
    return Result(
        "failed",
        f"The loss depends on {len(sizes)} tensors with a gradient that the model does not know as its parameters: of "
        f"sizes {named([str(size) for size in sizes])}.",
        "They keep their initial values, no checkpoint holds them, and a model that is read back has others.",
        "Keep layers in an nn.ModuleList or nn.ModuleDict, not in a list or dict, and tensors as nn.Parameter.",
        {**evidence, "unregistered": [list(size) for size in sizes]},
        plot,
    )


def _plot(found: FirstSteps) -> dict[str, object]:
    shown = dict(list(found.gradients.items())[:MOST_BARS])
    return bars(shown, "parameter", "largest gradient", log_y=True)


def loss_falls(subject: Subject) -> Result:
    """The first steps lower the loss of fixed examples; where not, other learning rates are tried."""
    found = first_steps(subject)
    if not math.isfinite(found.before):
        return skipped("The loss is no number before the first step: see the initial loss.")
    evidence = {"before": found.before, "after": found.after, "steps": len(found.losses), "learning rate": found.rate}
    plot = line(range(1, len(found.losses) + 1), found.losses, "step", "training loss")
    rate = "" if math.isnan(found.rate) else f" at a learning rate of {number(found.rate)}"
    says = (
        f"{len(found.losses)} training steps{rate} change the loss of fixed training examples from "
        f"{number(found.before)} to {number(found.after)}"
    )
    if found.decay >= DECAY:
        return _forgets(found, evidence, plot)
    if _falls(found):
        return Result("passed", f"{says}.", evidence=evidence, plot=plot)
    if found.cut and len(found.losses) < FEW and not found.diverged:
        says += ": too few to tell, for the time was over."
        return Result("info", says, evidence=evidence, plot=plot)
    for factor in FACTORS if found.rate else ():
        if subject.clock.over():
            break
        other = first_steps(subject, factor)
        evidence[f"after, at {factor:g} times the learning rate"] = other.after
        if _falls(other):
            return _other_rate(says, other, evidence, plot)
    return Result(
        "failed",
        f"{says}{', and rates from a thousandth to a hundred times that do no better' if found.rate else ''}.",
        "Nothing is learned, whatever the configuration.",
        "Look whether the optimizer has the model's parameters and a learning rate above 0, whether the loss depends "
        "on "
        "the output, and whether inputs and targets belong together.",
        evidence,
        plot,
    )


def _forgets(found: FirstSteps, evidence: dict[str, float], plot: dict[str, object]) -> Result:
    return Result(
        "failed" if found.decay >= ALL else "warning",
        f"The optimizer's weight decay takes {percent(found.decay)} of a weight away in every step.",
        f"What was learned is forgotten after about {max(1, round(1 / found.decay))} steps.",
        "Lower the weight decay: a decoupled one takes its product with the learning rate, which is well under 1 %.",
        {**evidence, "decay in a step": found.decay},
        plot,
    )


def _other_rate(says: str, other: FirstSteps, evidence: dict[str, float], plot: dict[str, object]) -> Result:
    return Result(
        "warning",
        f"{says}; at {number(other.rate)} it falls to {number(other.after)}.",
        "The middle of the space does not learn: much of its range would be wasted.",
        f"Move the range of the learning rate towards {number(other.rate)}; the learning-rate finder shows where.",
        evidence,
        plot,
    )


def _falls(found: FirstSteps) -> bool:
    return math.isfinite(found.after) and found.before - found.after > FALL * abs(found.before)


