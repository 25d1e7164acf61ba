"""OVERFIT: a model that cannot learn a handful of examples by heart will not learn the rest.

Karpathy, "A Recipe for Training Neural Networks", 2019. Adam at 1e-2, no regularisation: a loss under 0.01 and every
class right within 200 steps; numbers by the loss alone, under 0.01 of that of the mean target. Ours: where 1e-2 is too
much for a model, 1e-3 counts too; a loss that cannot reach 0 (label smoothing) is held against its own least; a squared
error under 0.01 of the variance does where the loss is another; examples with several targets (texts, images), which
need not follow from the inputs, are known at a tenth of the loss.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.optim import Adam

from tuning.training.preflight.check import Result, line, number, skipped
from tuning.training.preflight.errors import workload_code
from tuning.training.preflight.still import make_still
from tuning.training.preflight.subject import SEED, Subject
from tuning.training.preflight.suspects import suspect

EXAMPLES = 32
STEPS = 200
RATES = (1e-2, 1e-3)
LOSS, MANY = 0.01, 0.1


@dataclass
class Attempt:
    """One try: the loss after each step, whether it got there, how right the last outputs are, the loss's own least."""

    rate: float
    losses: list[float] = field(default_factory=list)
    accuracy: float = math.nan
    reached: bool = False
    least: float = 0.0
    cut: bool = False


def overfits(subject: Subject) -> Result:
    """Learn one tiny batch by heart."""
    inputs, targets = subject.examples(EXAMPLES)
    limit = _limit(subject, inputs, targets)
    attempts: list[Attempt] = []
    for rate in RATES:
        attempts.append(_attempt(subject, inputs, targets, rate, limit))
        _allow_for_least(subject, attempts[-1], inputs, targets)
        if attempts[-1].reached or attempts[-1].cut:
            break
    best = min(attempts, key=lambda attempt: (not attempt.reached, _last(attempt)))
    return _told(subject, best, inputs, targets, limit)


def _limit(subject: Subject, inputs: Tensor, targets: Tensor) -> float:
    """Under which loss the batch is known by heart."""
    share = MANY if _many(subject, targets) else LOSS
    if subject.task.kind != "regression":
        return LOSS if share == LOSS else MANY * math.log(max(2, subject.task.classes))
    mean = targets.mean(0, keepdim=True).expand_as(targets)
    with torch.no_grad():
        output = subject.still_output(subject.build(SEED), inputs)
        return share * float(subject.loss(mean.reshape(output.shape).to(output.dtype), targets))


def _many(subject: Subject, targets: Tensor) -> bool:
    """Whether an example has several targets."""
    return not subject.task.soft and targets.numel() > len(targets)


def _attempt(subject: Subject, inputs: Tensor, targets: Tensor, rate: float, limit: float) -> Attempt:
    attempt = Attempt(rate)
    model = subject.build(SEED)
    make_still(model)
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = Adam(weights, lr=rate) if weights else None
    while not attempt.reached and len(attempt.losses) <= STEPS and not attempt.cut:
        output = subject.output(model, inputs)
        loss = subject.loss(output, targets)
        attempt.losses.append(float(loss.detach()))
        if not math.isfinite(attempt.losses[-1]):
            break
        _look(subject, attempt, output.detach(), targets, limit)
        if optimizer is None or not loss.requires_grad:  # nothing can change
            break
        with workload_code("the gradient of loss()"):
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
        optimizer.step()
        attempt.cut = subject.clock.over()
    return attempt


def _look(subject: Subject, attempt: Attempt, output: Tensor, targets: Tensor, limit: float) -> None:
    """Whether the batch is known, asked after each step."""
    under = attempt.losses[-1] < limit
    if subject.task.classifies:
        attempt.accuracy = subject.task.accuracy(output, targets)
        attempt.reached = under and (attempt.accuracy == 1.0 or _many(subject, targets))
    else:
        attempt.reached = under or (subject.task.kind == "regression" and _misfit(output, targets) < LOSS)


def _allow_for_least(subject: Subject, attempt: Attempt, inputs: Tensor, targets: Tensor) -> None:
    """Every class is right, but the loss is not near 0: perhaps it cannot be, whatever the outputs."""
    if attempt.reached or attempt.accuracy < 1 or not subject.task.classifies:
        return
    with torch.no_grad():
        free = torch.zeros_like(subject.still_output(subject.build(SEED), inputs))
    free.requires_grad_(True)
    optimizer = Adam([free], lr=0.1)
    for _ in range(STEPS):
        loss = subject.loss(free, targets)
        if not loss.requires_grad:  # a loss that leaves the output out
            return
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    attempt.least = float(loss.detach())
    attempt.reached = attempt.least > LOSS and attempt.losses[-1] < attempt.least + LOSS


def _misfit(output: Tensor, targets: Tensor) -> float:
    """The squared error as a share of the targets' variance; infinite where the shapes differ."""
    if output.shape != targets.shape:
        return math.inf
    answers = targets.double()
    return float((output - answers).square().mean() / (answers - answers.mean(0)).square().mean().clamp_min(1e-12))


def _last(attempt: Attempt) -> float:
    return attempt.losses[-1] if math.isfinite(attempt.losses[-1]) else math.inf


def _told(subject: Subject, best: Attempt, inputs: Tensor, targets: Tensor, limit: float) -> Result:
    evidence = {"loss": best.losses[-1], "limit": limit, "steps": len(best.losses) - 1, "accuracy": best.accuracy}
    evidence |= {"examples": len(targets), "learning rate": best.rate}
    plot = line(range(len(best.losses)), best.losses, "step", "loss of the batch", log_y=True, target=limit)
    right = f" and an accuracy of {number(best.accuracy)}" if subject.task.classifies else ""
    says = (
        f"{len(targets)} examples are learned to a loss of {number(best.losses[-1])}{right} in {len(best.losses) - 1} "
        f"steps of Adam at {best.rate:g}, regularisation off; asked for is a loss under {number(limit)}"
    )
    if best.reached and best.least:
        says += f"; the least that this loss can be is {number(best.least)}, as with label smoothing"
    if best.reached:
        return Result("passed", f"{says}.", evidence=evidence, plot=plot)
    if best.cut:
        return Result("info", f"{says}; the time was over before {STEPS} steps.", evidence=evidence, plot=plot)
    if subject.task.kind == "unknown":
        return _unknown(says, best, evidence, plot)
    return Result(
        "failed",
        f"{says}{' and an accuracy of 1' if subject.task.classifies else ''}.",
        "Where a handful of examples cannot be learned by heart, something is wrong with the model, the loss or the "
        "data.",
        suspect(subject, inputs, targets),
        evidence,
        plot,
    )


def _unknown(says: str, best: Attempt, evidence: dict[str, float], plot: dict[str, object]) -> Result:
    """The least loss of other tasks is not known: a fall to a tenth passes."""
    if best.losses[0] > 0 and _last(best) < best.losses[0] / 10:
        return Result("passed", f"{says}; it fell to less than a tenth.", evidence=evidence, plot=plot)
    return skipped(f"{says}, but the least loss of a task that is neither classes nor numbers is not known.")
