"""OVERFIT: a model that cannot learn a handful of examples by heart will not learn the rest.

Karpathy, "A Recipe for Training Neural Networks", 2019. Adam at 1e-2, no regularisation: a loss under 0.01 and every
class right within 200 steps; numbers by the loss alone, under 0.01 of that of the mean target. Ours: where 1e-2 is too
much for a model, 1e-3 counts too, and 1e-1 where it is too little; a loss that cannot reach 0 (label smoothing) is held
against its own least; a squared error under 0.01 of the variance does where the loss is another; examples with several
targets (texts, images), which need not follow from the inputs, are known at a tenth of the loss. A model of few
features may be slow and have 1000 steps; one with fewer weights than examples, as a linear one, is healthy if it learns
8 of them, or 2 ("as little as two"), that differ as much as they can in their targets. Examples that contradict each
other have no such second chance.
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
from tuning.training.preflight.suspects import contradictions, suspect

EXAMPLES, FEWER = 32, (8, 2)
STEPS, LONG = 200, 1000
RATES = (1e-2, 1e-3, 1e-1)
LOSS, MANY = 0.01, 0.1
RUNNING = 0.2  # of a fall, in its last quarter: a loss that has a least is near it by then


@dataclass
class Attempt:
    """One try: the loss after each step, whether it got there, how right the last outputs are, the loss's own least."""

    rate: float
    losses: list[float] = field(default_factory=list)
    accuracy: float = math.nan
    misfit: float = math.nan
    reached: bool = False
    least: float = 0.0
    cut: bool = False


def overfits(subject: Subject) -> Result:
    """Learn one tiny batch by heart, or a tinier one."""
    inputs, targets = subject.examples(EXAMPLES)
    limit = _limit(subject, inputs, targets)
    best = _best(subject, inputs, targets, limit)
    if best.reached and _runs_away(subject, best, inputs, targets):
        return _rewarded(best, targets, limit)
    if not math.isfinite(best.losses[0]):
        return skipped("The loss is no number before the first step: see the initial loss.")
    if best.reached or best.cut or contradictions(inputs, targets):
        return _told(subject, best, inputs, targets, limit)
    slow = _attempt(subject, inputs, targets, best.rate, limit, LONG)
    if slow.reached:
        return _slowly(slow, targets, limit)
    for size in FEWER if len(targets) > FEWER[0] else ():
        rows = _apart(subject, targets, size)
        fewer = _best(subject, inputs[rows], targets[rows], _limit(subject, inputs[rows], targets[rows]))
        if fewer.reached:
            return _known_in_part(subject, best, fewer, targets, size)
        if fewer.cut:
            break
    return _told(subject, best, inputs, targets, limit)


def _best(subject: Subject, inputs: Tensor, targets: Tensor, limit: float) -> Attempt:
    attempts: list[Attempt] = []
    for rate in RATES:
        attempts.append(_attempt(subject, inputs, targets, rate, limit))
        _allow_for_least(subject, attempts[-1], inputs, targets)
        if attempts[-1].reached or attempts[-1].cut:
            break
    return min(attempts, key=lambda attempt: (not attempt.reached, _last(attempt)))


def _apart(subject: Subject, targets: Tensor, size: int) -> Tensor:
    """Rows whose targets differ as much as they can: classes in turn, or numbers from the least to the largest."""
    if subject.task.classifies and (targets.ndim == 1 or subject.task.soft):
        labels = subject.task.labels(targets)
        turn = (labels[:, None] == labels[None]).tril(-1).sum(1)  # how many of its class come before
        return turn.argsort(stable=True)[:size]
    order = targets.double().reshape(len(targets), -1)[:, 0].argsort()
    return order[torch.linspace(0, len(order) - 1, size).round().long()]


def _slowly(slow: Attempt, targets: Tensor, limit: float) -> Result:
    return Result(
        "info",
        f"{len(targets)} examples are learned to a loss of {number(slow.losses[-1])}, but it takes "
        f"{len(slow.losses) - 1} steps of Adam at {slow.rate:g} and not {STEPS}.",
        "Nothing is broken on the way from the inputs to the loss; learning is slow, as of classes that overlap in few "
        "features, or of targets far from 0.",
        "",
        {"loss": slow.losses[-1], "limit": limit, "steps": len(slow.losses) - 1, "accuracy": slow.accuracy},
        line(range(len(slow.losses)), slow.losses, "step", "loss of the batch", log_y=True, target=limit),
    )


def _known_in_part(subject: Subject, best: Attempt, fewer: Attempt, targets: Tensor, size: int) -> Result:
    of, weights = len(targets), sum(weight.numel() for weight in subject.build(SEED).parameters())
    evidence = {"loss": best.losses[-1], "examples": of, "learned": size, "loss of these": fewer.losses[-1]}
    return Result(
        "info" if weights <= targets.numel() else "warning",
        f"Of {of} examples the model learns {size} by heart (a loss of {number(fewer.losses[-1])}), all together only "
        f"to a loss of {number(best.losses[-1])} in {len(best.losses) - 1} steps of Adam.",
        f"The model has little room (it has {weights:,} weights), or something narrows it.",
        "Nothing where it is meant to be as small as a linear one; else look whether forward() uses every layer, "
        "whether layers are wide enough, and at the size of inputs and targets.",
        {**evidence, "weights": weights},
        line(range(len(best.losses)), best.losses, "step", "loss of the batch", log_y=True),
    )


def _runs_away(subject: Subject, best: Attempt, inputs: Tensor, targets: Tensor) -> bool:
    """Whether a low loss goes with answers that are worse than the mean, and has no least: it falls on and on.

    A loss that wants the logarithm of a number, say, has its least elsewhere, but it has one.
    """
    if subject.task.kind != "regression" or not best.misfit > 1:
        return False
    spread = max(float(targets.double().std()), 1e-6)
    mean = targets.mean(0, keepdim=True).expand_as(targets)
    with torch.no_grad():
        output = subject.still_output(subject.build(SEED), inputs)
    free = mean.reshape(output.shape).to(output.dtype).clone().requires_grad_(True)
    optimizer, losses = Adam([free], lr=0.1 * spread), []
    for _ in range(STEPS):
        loss = subject.loss(free, targets)
        losses.append(float(loss.detach()))
        if not loss.requires_grad:
            return False
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    late, whole = losses[3 * STEPS // 4] - losses[-1], losses[0] - losses[-1]
    return whole > 0 and late > RUNNING * whole


def _rewarded(best: Attempt, targets: Tensor, limit: float) -> Result:
    return Result(
        "failed",
        f"{len(targets)} examples are learned to a loss of {number(best.losses[-1])}, but with answers that are "
        f"{number(best.misfit)} times as far from the targets as their mean; this loss has no least.",
        "It rewards wrong answers: the lower it is, the worse the model.",
        "Look at the sign in loss(): it is minimised, so return an error, not a score such as R².",
        {"loss": best.losses[-1], "limit": limit, "squared error by the variance": best.misfit},
        line(range(len(best.losses)), best.losses, "step", "loss of the batch", target=limit),
    )


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


def _attempt(
    subject: Subject, inputs: Tensor, targets: Tensor, rate: float, limit: float, steps: int = STEPS
) -> Attempt:
    attempt = Attempt(rate)
    model = subject.build(SEED)
    make_still(model)
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = Adam(weights, lr=rate) if weights else None
    while not attempt.reached and len(attempt.losses) <= steps and not attempt.cut:
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
        attempt.misfit = _misfit(output, targets)
        attempt.reached = under or (subject.task.kind == "regression" and attempt.misfit < LOSS)


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
