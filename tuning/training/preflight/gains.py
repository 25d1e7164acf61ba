"""Whether a training knows clearly more than an answer that costs nothing: how much it gains, and how sure that is.

A gain is a share: of accuracy (a - g) / (1 - g) over a guess's g; R² over the mean's; of a loss what it falls below
that of the best constant answer. Its error has two parts: that of the validation examples, by the paired differences
of each from the constant answer, and that of the seeds. Where one training does not settle it, several are held against
trainings of the same seeds with shuffled labels: first weights that happen to suit the data make those better, too.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tuning.training.preflight.short import Short, short_training
from tuning.training.preflight.shuffled import shuffled_splits
from tuning.training.preflight.subject import Subject

LEAST = 0.02  # less is no gain
MUCH = 0.1  # more is a gain, if the validation split is large enough to be sure of it
SURE = 2.5  # errors: those of a few seeds are small by chance more often than a normal distribution says
PLAIN, LARGE = 5.0, 0.25  # errors, and a gain, that are beyond the luck of a single training's first weights
SEEDS = 4
CHUNKS = 20


@dataclass(frozen=True)
class Gain:
    """A gain over the constant answer, averaged over some trainings."""

    mean: float
    error: float

    @property
    def clear(self) -> bool:
        return self.mean >= LEAST and self.mean >= SURE * self.error

    @property
    def plain(self) -> bool:
        """Whether one training is enough to tell: clearly better, or worse."""
        better = self.mean >= LARGE and self.mean >= PLAIN * self.error
        return better or self.mean <= -PLAIN * self.error


Rows = Callable[[Short], Tensor]  # by how much each validation example, or chunk of them, is answered better


def settled(subject: Subject, train: Callable[[int], Short], rows: Rows) -> Gain:
    """The gain of the training with seed 0 where that is plain, else of several; those that diverged left out."""
    first = train(0)
    if first.output is None:
        return Gain(0.0, 0.0)
    found = gain_of([rows(first)])
    return found if found.plain else confirmed(subject, train, rows)


def confirmed(subject: Subject, train: Callable[[int], Short], rows: Rows) -> Gain:
    """The gain over SEEDS trainings; where it is clear, but no large one, that over twice as many."""
    found = _over(subject, train, rows, SEEDS)
    return _over(subject, train, rows, 2 * SEEDS) if found.clear and found.mean < LARGE else found


def _over(subject: Subject, train: Callable[[int], Short], rows: Rows, seeds: int) -> Gain:
    """The gain over some trainings and, where it is clear, that over the same ones with shuffled labels."""
    shorts = {seed: train(seed) for seed in range(seeds)}
    shorts = {seed: short for seed, short in shorts.items() if short.output is not None}
    if not shorts:
        return Gain(0.0, 0.0)
    found = gain_of([rows(short) for short in shorts.values()])
    if not found.clear or not subject.sample.are_tensors:
        return found
    pairs = [(short, _control(subject, seed, short.planned)) for seed, short in shorts.items()]
    above = [rows(short) - rows(control) for short, control in pairs if control.output is not None]
    return gain_of(above) if above else found


def _control(subject: Subject, seed: int, epochs: int) -> Short:
    name = f"control, seed {seed}"
    if name not in subject.trained:
        subject.trained[name] = short_training(subject, shuffled_splits(subject, seed), epochs, seed=seed)
    return subject.trained[name]


def score_rows(subject: Subject) -> Rows:
    """Gains of accuracy over the most frequent training class, or of R²."""
    return lambda short: _score_differences(subject, short)


def loss_rows(subject: Subject, floor: float) -> Rows:
    """Gains of the least validation loss below `floor`, the loss of knowing nothing."""
    return lambda short: _loss_differences(subject, short, floor)


def _score_differences(subject: Subject, short: Short) -> Tensor:
    """By how much each validation example is answered better than by the constant."""
    output, targets = _of(short)
    task, known = subject.task, subject.sample.train.targets
    if task.classifies and known is not None:
        guess = int(task.shares(known).argmax())
        labels = task.labels(targets)
        counted = labels >= 0
        right, guessed = (task.predicted(output) == labels)[counted].double(), (labels == guess)[counted].double()
        return (right - guessed) / max(1 - float(guessed.mean()), 1 / max(1, len(labels)))
    mean = (targets if known is None else known).double().mean(0).expand_as(targets)
    targets = targets.double()
    errors = (mean - targets).square() - (output.double().reshape(targets.shape) - targets).square()
    spread = (mean - targets).square().mean().clamp_min(1e-12)
    return errors.reshape(len(targets), -1).mean(1) / spread


def _loss_differences(subject: Subject, short: Short, floor: float) -> Tensor:
    """By how much each of some chunks of the validation part loses less than with the best constant answer."""
    if not math.isfinite(floor) or floor == 0:
        return torch.zeros(1)
    output, targets = _of(short)
    constant = constant_answer(subject, output, targets)
    if constant is None:
        return torch.tensor([(floor - short.best) / abs(floor)])
    order = torch.randperm(len(targets), generator=torch.Generator().manual_seed(0))
    chunks = order.tensor_split(min(CHUNKS, max(1, len(targets) // 2)))
    known, found = (
        torch.tensor([_loss(subject, answers[chunk], targets[chunk]) for chunk in chunks])
        for answers in (constant, output)
    )
    below = _loss(subject, constant, targets) - floor
    return (known - found - below) / abs(floor)


def _loss(subject: Subject, output: Tensor, targets: Tensor) -> float:
    with torch.no_grad():
        return float(subject.loss(output.to(subject.device), targets.to(subject.device)))


def constant_answer(subject: Subject, output: Tensor, targets: Tensor) -> Tensor | None:
    """Outputs that say the training classes' shares, or the training mean, to every example."""
    known, task = subject.sample.train.targets, subject.task
    if known is None or task.kind == "unknown":
        return None
    if task.classifies:
        return task.constant(output, task.shares(known))
    return known.mean(0, keepdim=True).expand_as(targets).reshape(output.shape).to(output.dtype)


def _of(short: Short) -> tuple[Tensor, Tensor]:
    """The outputs and targets of a training that has some."""
    if short.output is None or short.targets is None:
        raise ValueError("the training has no outputs")
    return short.output, short.targets


def gain_of(rows: Sequence[Tensor]) -> Gain:
    """The mean of several trainings' differences (n,), and its error by the examples and by the seeds."""
    each = torch.stack([row.double() for row in rows])
    count = each.shape[1]
    of_examples = float(each.mean(0).std()) / math.sqrt(count) if count > 1 else 0.0
    means = each.mean(1).tolist()
    of_seeds = statistics.stdev(means) / math.sqrt(len(means)) if len(means) > 1 else 0.0
    return Gain(statistics.fmean(means), math.hypot(of_examples, of_seeds))
