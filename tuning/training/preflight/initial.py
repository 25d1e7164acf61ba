"""INIT-LOSS: what a fresh model's loss should be, because it knows nothing yet.

Classes: ln C, or the entropy H of the classes' shares where biases are set to them (Karpathy, "A Recipe for Training
Neural Networks", 2019); numbers: what the training mean alone would lose, the variance for the squared error.
Ours: logits up to the size of standard normal draws, which lose (1 - 1/C) / 2 more to the second order, are still those
of a usual initialisation: torch's layers behind batch normalisation and pooling come near it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tuning.training.preflight.check import Result, bars, number, skipped
from tuning.training.preflight.subject import Subject

SEEDS = 5
EXAMPLES = 512
ABSOLUTE, RELATIVE = 0.15, 0.10  # nearer than either is near
FAR = 3.0  # times what is expected
REGRESSION = (0.8, 1.5)  # times the loss of the mean: fresh outputs are small and random
SUM = 0.2


NO_NUMBER = (
    "Look for NaN in inputs and targets, and in loss() and the model for a logarithm, a square root or a division at 0."
)


def initial_loss(subject: Subject) -> Result:
    """The mean loss of fresh models over several seeds against what knowing nothing costs."""
    task = subject.task
    if task.kind == "unknown":
        return skipped(f"What a fresh model should lose is known for classes and numbers only; here {task.why}.")
    inputs, targets = subject.examples(EXAMPLES)
    losses: list[float] = []
    for seed in range(SEEDS):
        if losses and subject.clock.over():
            break
        with torch.no_grad():
            losses.append(float(subject.loss(subject.still_output(subject.build(seed), inputs), targets)))
    if not all(map(math.isfinite, losses)):
        says = f"The loss of a fresh model is {'NaN' if any(map(math.isnan, losses)) else 'infinite'}."
        return Result("failed", says, "No training can begin from there.", NO_NUMBER, {"seeds": losses})
    output = subject.still_output(subject.build(0), inputs).detach()
    if (problem := _not_a_mean(subject, output, targets)) is not None:
        return problem
    return (_of_classes if task.classifies else _of_numbers)(subject, losses, output, targets)


def _not_a_mean(subject: Subject, output: Tensor, targets: Tensor) -> Result | None:
    """The contract's loss is a mean: that of a batch lies between those of its halves."""
    half = len(targets) // 2
    if half < 2:
        return None
    with torch.no_grad():
        parts = [float(subject.loss(output[rows], targets[rows])) for rows in (slice(half), slice(half, 2 * half))]
        whole = float(subject.loss(output[: 2 * half], targets[: 2 * half]))
    between = sum(parts) / 2
    if not (math.isfinite(between) and between and math.isfinite(whole)) or abs(whole / between - 1) <= SUM:
        return None
    if min(parts) - abs(between) * SUM <= whole <= max(parts) + abs(between) * SUM:
        return None
    return Result(
        "failed",
        f"The loss of {2 * half} examples is {number(whole)}, those of its halves {number(parts[0])} and "
        f"{number(parts[1])}: it is no mean over the batch.",
        "Its size changes with the batch size, so that learning rates and reported losses cannot be compared.",
        'Return the mean in loss(): reduction="mean", and no further division or product with the batch size.',
        {"loss of the batch": whole, "losses of its halves": parts},
    )


def _of_classes(subject: Subject, losses: list[float], output: Tensor, targets: Tensor) -> Result:
    task, found = subject.task, sum(losses) / len(losses)
    shares = task.shares(targets.cpu())
    entropy = float(-(shares[shares > 0] * shares[shares > 0].log()).sum())
    with torch.no_grad():
        even = torch.full_like(shares, 1 / task.classes)
        indifferent = float(subject.loss(task.constant(output, even), targets))
    expected = math.log(task.classes)
    evidence = {"loss": found, "ln C": expected, "entropy": entropy, "indifferent": indifferent, "seeds": losses}
    plot = bars({f"seed {seed}": loss for seed, loss in enumerate(losses)}, "", "initial loss", target=expected)
    says = f"Fresh models lose {number(found)} on average over {len(losses)} seeds; ln {task.classes} is {expected:.3f}"
    if abs(entropy - expected) > 0.01:
        says += f", the entropy of the labels {entropy:.3f}"
    usual = expected + (0.0 if task.kind == "binary" else (1 - 1 / task.classes) / 2)
    if any(_near(found, wanted) for wanted in (expected, entropy)) or expected < found <= usual:
        return Result("passed", f"{says}.", evidence=evidence, plot=plot)
    if _near(found, indifferent):
        return Result(
            "warning",
            f"{says}. This loss gives {number(indifferent)} where all classes are equally likely.",
            "The model knows nothing yet, as it should; the loss is no plain cross-entropy.",
            "Nothing where it weights classes or hard examples on purpose; else look for a factor or a sum in loss().",
            evidence,
            plot,
        )
    return _far(says, found, max(expected, entropy), evidence, plot)


def _of_numbers(subject: Subject, losses: list[float], output: Tensor, targets: Tensor) -> Result:
    found = sum(losses) / len(losses)
    expected, most = _of_means(subject, output, targets)
    variance = float(targets.double().var())
    evidence = {"loss": found, "loss of the mean": expected, "variance": variance, "seeds": losses}
    plot = bars({f"seed {seed}": loss for seed, loss in enumerate(losses)}, "", "initial loss", target=expected)
    says = (
        f"Fresh models lose {number(found)} on average over {len(losses)} seeds; always answering the mean target "
        "loses "
        f"{number(expected)} (the targets' variance is {number(variance)})"
    )
    if not math.isfinite(expected) or expected <= 0:
        return skipped(f"{says}; this loss is not above 0 at the mean, so that there is nothing to hold it against.")
    low, high = REGRESSION
    if low * expected <= found <= high * most:
        return Result("passed", f"{says}.", evidence=evidence, plot=plot)
    return _far(says, found, expected, evidence, plot)


def _of_means(subject: Subject, output: Tensor, targets: Tensor) -> tuple[float, float]:
    """The loss of answering each target's own mean, and that of one mean for all targets of an example."""
    values = targets.to(output.dtype)
    own = values.mean(0, keepdim=True).expand_as(targets)
    with torch.no_grad():
        losses = [float(subject.loss(mean.reshape(output.shape), targets)) for mean in (own, own.mean().expand_as(own))]
    return losses[0], max(losses)


def _near(found: float, expected: float) -> bool:
    return abs(found - expected) <= max(ABSOLUTE, RELATIVE * abs(expected))


def _far(says: str, found: float, expected: float, evidence: dict[str, object], plot: dict[str, object]) -> Result:
    if found < expected:
        return Result(
            "warning",
            f"{says}: the fresh model is better than one that knows nothing.",
            "Either it is not fresh (pretrained weights), or the loss is not the one that is meant.",
            "Nothing where the model is pretrained on purpose; else look whether the inputs hold the targets, and at "
            "loss().",
            evidence,
            plot,
        )
    return Result(
        "failed" if found > FAR * expected else "warning",
        f"{says}: the fresh model is surer of its answers than it can be.",
        "The first part of every training goes into unlearning that, and learning rates that suit the rest may "
        "diverge in it.",
        "Make the last layer's initial weights smaller and its bias 0 (or the classes' log shares, or the mean "
        "target), "
        "normalise inputs and targets, and look for a factor in loss().",
        evidence,
        plot,
    )
