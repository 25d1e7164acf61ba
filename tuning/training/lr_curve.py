"""What a learning-rate range test says: the schedule, the smoothed losses, and the bracket read from them.

L. N. Smith, "Cyclical Learning Rates for Training Neural Networks" (WACV 2017, section 3.3), in the exponential
version that fastai made popular: lr_i = low (high / low)^(i / (N - 1)), i = 0..N - 1, so that the last step has
`high`. Losses are smoothed as s_i = a_i / (1 - beta^(i + 1)), a_i = beta a_(i - 1) + (1 - beta) L_i, so that the first
loss does not weigh on the rest for ever. beta is 1 - WINDOWS / N: the average reaches back a tenth of the test.
(fastai's and Lightning's 0.98 reaches back half of their 100 steps; the stop rule then rarely fires, because the
average lags behind.)

The bracket reaches from the entry of the valley, where 15 % of the whole fall is done, to the steepest descent between
there and its floor, where 80 % are. Nothing right of the minimum counts: what a loss does after it has blown up is
noise. Nor does the floor: with dropout or small batches a lucky batch there falls more steeply than the wall did, most
of all at the minimum, which is one such batch and has its slope from one side only. The descent is taken against log
lr: against lr itself the first steps, which change lr least, win by orders of magnitude. fastai's `valley`, the middle
of the longest decreasing subsequence, moves with the noise of the flat part: over eight seeds of a perceptron on the
digits it spread over a factor of 2.7 with SGD and 3.2 with Adam, the entry over 1.2 in both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WINDOWS = 10  # of the smoothing, in a test
STOP_AT = 4.0  # times the least smoothed loss
SKIP_START, SKIP_END = 10, 5  # points that are not looked at: the smoothing has not settled, the loss may have blown up
FEWEST = SKIP_START + SKIP_END + 2
SETTLED = 5  # points whose median is the loss before it falls
ENTRY, FLOOR = 0.15, 0.8  # of the whole fall
LEAST_FALL = 0.05  # of the loss before it falls
NOISES = 2.5  # a fall is none within so many standard errors of what is smoothed

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Reading:
    """A bracket (valley, steepest) with the lower learning rate first, or None and the reason.

    Attributes:
        bracket, reason: of them one; the reason says what to change.
        note: what else the curve shows, such as a loss that still falls at the highest learning rate; mostly "".
        lowest: the learning rate at the least smoothed loss; None where too few points were measured.
    """

    bracket: tuple[float, float] | None
    reason: str
    note: str = ""
    lowest: float | None = None


def learning_rates(low: float, high: float, steps: int) -> Floats:
    """The schedule, (steps,): from `low` to `high`, both included, in equal factors.

    Raises:
        ValueError: no test can be made of these, and what would be right.
    """
    if not (math.isfinite(low) and math.isfinite(high) and 0 < low < high):
        raise ValueError(
            f"the learning rates of a range test are above 0, the lower one first, not {low:g} to {high:g}"
        )
    if steps < FEWEST:
        raise ValueError(f"a range test takes at least {FEWEST} steps, not {steps}")
    rates: Floats = low * (high / low) ** (np.arange(steps) / (steps - 1))
    rates[-1] = high  # not a rounding beside it
    return rates


def beta_of(steps: int) -> float:
    """How much of the average a test of so many steps keeps from one step to the next."""
    return 1.0 - WINDOWS / max(steps, 2 * WINDOWS)


class Smoother:
    """Bias-corrected exponential smoothing of one loss after another, and when the test has seen enough."""

    def __init__(self, beta: float) -> None:
        self._beta, self._average = beta, 0.0
        self.values: list[float] = []
        self._least: float | None = None

    def take(self, loss: float) -> float:
        """The smoothed loss with this one in it."""
        self._average = self._beta * self._average + (1 - self._beta) * loss
        value = self._average / (1 - self._beta ** (len(self.values) + 1))
        self.values.append(value)
        if len(self.values) > SKIP_START:  # the first ones are so noisy that a lucky batch would end the test
            self._least = value if self._least is None else min(self._least, value)
        return value

    def has_diverged(self) -> bool:
        """Whether the newest smoothed loss is above STOP_AT times the least one.

        A loss that may be negative has no multiple: it has diverged once it has risen STOP_AT - 1 times its whole fall.
        """
        if self._least is None:
            return False
        risen = self.values[-1] - self._least
        scale = self._least if self._least > 0 else max(self.values[SKIP_START] - self._least, -self._least)
        return risen > (STOP_AT - 1) * scale


def read_curve(
    lrs: Sequence[float], losses: Sequence[float], smoothed: Sequence[float], *, beta: float, stopped: bool
) -> Reading:
    """The bracket of one curve, whose losses are all finite; `stopped` where the test ended before its last step."""
    if len(smoothed) < FEWEST:
        return Reading(None, _too_few(lrs))
    rates, values = (np.asarray(row, dtype=np.float64)[SKIP_START:-SKIP_END] for row in (lrs, smoothed))
    before, end = float(np.median(values[:SETTLED])), int(values.argmin())
    lowest = float(rates[end])
    fall = before - float(values[end]) if end >= 2 else 0.0  # a minimum at the very start is no valley
    noise = _noise(np.asarray(losses, dtype=np.float64)[: SKIP_START + end + 1], beta)
    if fall <= (least := max(LEAST_FALL * abs(before), noise)):
        return Reading(None, _flat(before, fall, least, noise, float(rates[-1])), lowest=lowest)
    valley, floor = (_last_above(before - share * fall, values[: end + 1]) for share in (ENTRY, FLOOR))
    slopes = np.gradient(values[: end + 1], np.log(rates[: end + 1]))
    wall = slopes[valley + 1 : max(floor, valley + 1) + 1]
    steepest = valley + 1 + int(wall.argmin())
    bracket = (float(rates[valley]), float(rates[steepest]))
    return Reading(bracket, "", _note(valley, end, rates, stopped), lowest)


def _last_above(level: float, values: Floats) -> int:
    """The last point above a level; the first one where none is."""
    higher = np.flatnonzero(values > level)
    return int(higher[-1]) if len(higher) else 0


def _noise(losses: Floats, beta: float) -> float:
    """NOISES standard errors of the difference between an early and a late smoothed loss, from neighbouring losses."""
    sigma = float(np.diff(losses).std() / math.sqrt(2)) if len(losses) > 2 else 0.0
    late = (1 - beta) / (1 + beta)
    power = beta ** (SKIP_START + 1)
    return NOISES * sigma * math.sqrt(late * (1 + power) / (1 - power) + late)


def _too_few(lrs: Sequence[float]) -> str:
    points, where = len(lrs), f", at a learning rate of {lrs[-1]:.3g}" if lrs else ""
    return (
        f"The test ended after {points} {'loss' if points == 1 else 'losses'}{where}, because the loss blew up; a "
        f"bracket takes {FEWEST}. Test lower learning rates, or take more steps."
    )


def _flat(before: float, fall: float, least: float, noise: float, last: float) -> str:
    why = "as the losses differ that much from batch to batch" if least == noise else f"{LEAST_FALL:.0%} of it"
    return (
        f"The curve is flat: the smoothed loss fell by {max(fall, 0.0):.3g} from {before:.4g}, and a fall takes "
        f"{least:.3g} ({why}). Take more steps or larger batches, test beyond {last:.2g}, or look whether the model "
        "learns."
    )


def _note(valley: int, end: int, rates: Floats, stopped: bool) -> str:
    if not stopped and end == len(rates) - 1:
        return f"The loss still falls at {rates[-1]:.2g}: test higher learning rates to see where it turns."
    if valley <= 2 * SETTLED:
        return f"The loss falls from the first points on, at {rates[0]:.2g}: test lower learning rates."
    return ""
