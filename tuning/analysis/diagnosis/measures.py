"""The numbers that the rules compare.

Glossary: L_t, V_t training and validation loss after epoch t, smoothed by the median of three where it says so; V* the
lowest smoothed validation loss, at t*; T the last epoch; base the loss of one who knows only the shares of the classes,
or the mean. Slopes are least squares, by epoch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean, median, pstdev

LAST_PART = 0.3  # of the epochs: what the curves do at their end
# A single example's loss scatters about as widely as it is large, rather more for a sure classifier that errs seldom.
SCATTER = 1.5


@dataclass(frozen=True)
class Measures:
    """Two finite, positive curves of one length at rising epochs, and what is known about them.

    base: None where nobody has measured it. n_validation: None where unknown. score_gap: by how much the training score
    (accuracy, 0 to 1) is above validation's at the end; None where there is none.
    """

    train: Sequence[float]
    validation: Sequence[float]
    epochs: Sequence[int]
    base: float | None = None
    n_validation: int | None = None
    validation_se: float | None = None
    score_gap: float | None = None
    score_se: float | None = None

    @cached_property
    def L(self) -> list[float]:
        return smoothed(self.train)

    @cached_property
    def V(self) -> list[float]:
        return smoothed(self.validation)

    @property
    def train_end(self) -> float:
        return self.L[-1]

    @property
    def validation_end(self) -> float:
        return self.V[-1]

    @cached_property
    def at_best(self) -> int:
        """The index of t*: where the raw loss is lowest, among the lowest smoothed ones and their neighbours."""
        lowest = [i for i, value in enumerate(self.V) if value == self.validation_best]
        near = {j for i in lowest for j in (i - 1, i, i + 1) if 0 <= j < len(self.V)}
        return min(sorted(near), key=lambda i: self.validation[i])

    @property
    def validation_best(self) -> float:
        return min(self.V)

    @cached_property
    def scale(self) -> float:
        """What there was to learn: the base, or else the larger loss of the first epoch."""
        return self.base if self.base else max(self.train[0], self.validation[0])

    @property
    def gap(self) -> float:
        return self.validation_end - self.train_end

    @property
    def relative_gap(self) -> float:
        return self.gap / self.validation_end

    @property
    def generalisation_loss(self) -> float:
        """Prechelt's GL_T in percent (1998): by how much the last validation loss is above the lowest."""
        return 100 * (self.validation_end / self.validation_best - 1)

    @cached_property
    def se(self) -> float:
        """The standard error of V_T: as given, else by the number of examples, else by how much it jitters."""
        if self.validation_se is not None:
            return self.validation_se
        if self.n_validation:
            return SCATTER * max(self.validation_end, self.train_end) / math.sqrt(self.n_validation)
        return self.jitter

    @cached_property
    def jitter(self) -> float:
        """The standard deviation of the last five changes of the raw validation loss."""
        changes = [after - before for before, after in zip(self.validation, self.validation[1:], strict=False)][-5:]
        return pstdev(changes) if len(changes) > 1 else 0.0

    def wobble(self, start: int) -> float:
        """The standard deviation of the noise of one raw validation loss from there on, by its second differences
        (a variance of six times the noise's): a steady rise has none, however steep. 0 for fewer than three."""
        raw = self.validation[start:]
        bends = [a - 2 * b + c for a, b, c in zip(raw, raw[1:], raw[2:], strict=False)]
        return math.sqrt(fmean(bend * bend for bend in bends) / 6) if bends else 0.0

    @property
    def tail(self) -> int:
        """Where the last part begins: at least three epochs."""
        return max(0, len(self.L) - max(3, math.ceil(LAST_PART * len(self.L))))

    def train_slope(self, start: int) -> float:
        return slope(self.epochs[start:], self.L[start:])

    def validation_slope(self, start: int) -> float:
        return slope(self.epochs[start:], self.V[start:])

    def evidence(self) -> dict[str, float]:
        """The numbers that stand beside every verdict."""
        found = {
            "epochs": self.epochs[-1],
            "train": self.train_end,
            "validation": self.validation_end,
            "best_validation": self.validation_best,
            "lowest_validation": self.validation[self.at_best],
            "best_epoch": self.epochs[self.at_best],
            "gap": self.gap,
            "relative_gap": self.relative_gap,
            "generalisation_loss": self.generalisation_loss,
            "validation_se": self.se,
            "jitter": self.jitter,
        }
        if self.base is not None:
            found["base"] = self.base
        if self.n_validation is not None:
            found["n_validation"] = self.n_validation
        if self.score_gap is not None:
            found["score_gap"] = self.score_gap
        return found


def smoothed(values: Sequence[float]) -> list[float]:
    """The median of each value and its two neighbours; the ends take the median of the three there."""
    if len(values) < 3:
        return list(values)
    inner = [median(values[i - 1 : i + 2]) for i in range(1, len(values) - 1)]
    return [median(values[:3]) if len(values) > 5 else values[0], *inner, median(values[-3:])]


def slope(xs: Sequence[float], ys: Sequence[float]) -> float:
    """The least-squares slope; 0 for fewer than two points."""
    if len(xs) < 2:
        return 0.0
    x_mean, y_mean = fmean(xs), fmean(ys)
    spread = sum((x - x_mean) ** 2 for x in xs)
    return sum((x - x_mean) * (y - y_mean) for x, y in zip(xs, ys, strict=True)) / spread if spread else 0.0
