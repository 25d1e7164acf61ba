"""BASELINES: the defaults, trained for a short time, against the most frequent class or the mean, and a linear model.

Scores are the accuracy of classes, and of numbers R², 1 - squared error / variance of the validation targets. What
gains nothing clear in the middle of the space, over several seeds, fails where no configuration of the space does.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tuning.training.preflight.check import Result, bars, skipped
from tuning.training.preflight.elsewhere import elsewhere
from tuning.training.preflight.gains import MUCH, Gain, constant_answer, loss_rows, score_rows, settled
from tuning.training.preflight.linear import linear_predictions
from tuning.training.preflight.short import Short, epochs_for, short_training
from tuning.training.preflight.steps import first_steps
from tuning.training.preflight.subject import SEED, Subject

STEPS = 600


def trained_defaults(subject: Subject, seed: int = SEED) -> Short:
    """The defaults, trained for a short time on the sample; done once a seed."""
    name = f"defaults, seed {seed}"
    if name not in subject.trained:
        splits = subject.sample.splits
        subject.trained[name] = short_training(subject, splits, epochs_for(subject, STEPS), seed=seed)
    return subject.trained[name]


def baselines(subject: Subject) -> Result:
    """What the defaults reach in a short training, beside what costs nothing."""
    short, task = trained_defaults(subject), subject.task
    if short.diverged and not math.isfinite(first_steps(subject).before):
        return skipped("The loss is no number before the first step: see the initial loss.")
    if short.diverged:
        return _diverged(short)
    if short.output is None or short.targets is None:
        return skipped("The time was over before the defaults had trained for one epoch.")
    if task.kind == "unknown":
        return skipped(f"There are baselines for classes and numbers only; here {task.why}.")
    train, validation = subject.sample.train, subject.sample.validation
    guess = _guess_score(subject, short.targets)
    if guess is None:
        return skipped("The training targets cannot be stacked into one tensor.")
    scores = {"mean" if task.kind == "regression" else "majority": guess}
    linear = linear_predictions(task, train, validation)
    if not isinstance(linear, str):
        scores["linear model"] = _score(subject, torch.as_tensor(linear), short.targets)
    scores["defaults"] = _own_score(subject, short.output, short.targets)
    return _compared(subject, short, short.targets, scores, linear if isinstance(linear, str) else "")


def _diverged(short: Short) -> Result:
    return Result(
        "failed",
        f"In a short training of the defaults {short.diverged}.",
        "The middle of the space cannot be trained.",
        "Lower the range of the learning rate (the learning-rate finder shows where), and look for a division by "
        "zero or "
        "a logarithm of zero in the loss.",
        {"epochs": len(short.epochs)},
    )


def _guess_score(subject: Subject, targets: Tensor) -> float | None:
    """What always answering the most frequent training class, or the training mean, scores on the validation part."""
    known = subject.sample.train.targets
    if known is None:
        return None
    if subject.task.classifies:
        most = int(subject.task.shares(known).argmax())
        labels = subject.task.labels(targets)
        return float((labels[labels >= 0] == most).double().mean())
    return _r2(known.double().mean(0).expand_as(targets), targets)


def _own_score(subject: Subject, output: Tensor, targets: Tensor) -> float:
    if subject.task.classifies:
        return subject.task.accuracy(output, targets)
    return _r2(output.reshape(targets.shape), targets)


def _score(subject: Subject, predicted: Tensor, targets: Tensor) -> float:
    """The score of a linear model's answers."""
    if subject.task.classifies:
        labels = subject.task.labels(targets)
        return float((predicted.flatten() == labels)[labels >= 0].double().mean())
    return _r2(predicted.reshape(targets.shape), targets)


def _r2(predicted: Tensor, targets: Tensor) -> float:
    targets = targets.double()
    spread = (targets - targets.mean(0)).square().mean()
    return float(1 - (predicted.double() - targets).square().mean() / spread.clamp_min(1e-12))


def standard_error(subject: Subject, score: float, targets: Tensor) -> float:
    """Of an accuracy, binomial; of R² about that of its mean squared error, for errors that are normal."""
    count = max(2, int((subject.task.labels(targets) >= 0).sum()) if subject.task.classifies else targets.numel())
    if subject.task.classifies:
        return math.sqrt(max(score * (1 - score), 1 / count) / count)
    return max(0.0, 1 - score) * math.sqrt(2 / count)


def _compared(
    subject: Subject, short: Short, targets: Tensor, scores: dict[str, float], no_linear: str
) -> Result:
    own = scores["defaults"]
    name = "accuracy" if subject.task.classifies else "R²"
    error = standard_error(subject, own, targets)
    says = f"Validation {name}: " + ", ".join(f"{what} {value:.3f}" for what, value in scores.items())
    says += f" (± {error:.3f}) after {len(short.epochs)} of {short.planned} short epochs."
    says += (f" No linear model: {no_linear}." if no_linear else "") + subject.sample.note
    evidence = {**scores, "standard error": error, "epochs": len(short.epochs)}
    plot = bars(scores, "", name)
    linear = scores.get("linear model")
    gain = _gain(subject)
    evidence |= {"gain": gain.mean, "error of the gain": gain.error}
    if not gain.clear:
        status, means, todo = _no_better(subject, short, gain, evidence)
    elif linear is not None and own < linear - error:
        status = "info" if short.cut else "warning"
        means = "A linear model does better: the network is not worth its trouble yet."
        todo = "Tune it with that score as the mark to beat; where it stays below, prefer the linear model."
    elif linear is not None and own <= linear + error:
        status, todo = "info", "Tune it with the linear model's score as the mark to beat."
        means = "A linear model does as well, within the noise of the validation split."
    else:
        status, means, todo = "passed", "", ""
    return Result(status, says, means, todo, evidence, plot)


def _gain(subject: Subject) -> Gain:
    """Of the score; where that is not clear, for example because one class is nearly all, of the classes' loss."""

    def train(seed: int) -> Short:
        return trained_defaults(subject, seed)

    found = settled(subject, train, score_rows(subject))
    if found.clear or not subject.task.classifies:
        return found
    other = settled(subject, train, loss_rows(subject, constant_loss(subject, train(SEED))))
    return other if other.clear else found


def constant_loss(subject: Subject, short: Short) -> float:
    """The validation loss of always answering the training classes' shares, or the training mean."""
    if short.output is None or short.targets is None:
        return math.inf
    answer = constant_answer(subject, short.output, short.targets)
    if answer is None:
        return math.inf
    with torch.no_grad():
        return float(subject.loss(answer.to(subject.device), short.targets.to(subject.device)))


def _no_better(subject: Subject, short: Short, gain: Gain, evidence: dict[str, float]) -> tuple[str, str, str]:
    if short.cut:
        return "info", "The time was over before the training could show what it learns.", ""
    if gain.mean >= MUCH:
        return "warning", "The gain is no larger than luck with so few validation examples.", MORE
    other = elsewhere(subject, score_rows(subject))
    evidence["other configurations"] = other.tried
    if other.params is not None:
        return "warning", f"The middle of the space learns nothing that helps; {other.found}.", ELSEWHERE
    if other.cut:
        return "warning", "In this time the defaults learn nothing that helps on the validation split.", LOOK
    means = f"Neither the defaults nor {other.tried} other configurations of the space learn anything that helps."
    return "failed", means, LOOK


MORE = "Take a larger validation split, or judge by the mean of several seeds."
ELSEWHERE = "Move the space towards what learns; the learning-rate finder shows where its range should lie."
LOOK = (
    "Look at the other checks first; where they pass, look whether inputs and targets belong together, whether loss() "
    "is to be minimised and the penalty is small beside it, and where the range of the learning rate lies."
)
