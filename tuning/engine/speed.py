"""How long a step takes, told from a few that were measured: an expectation with a range.

The preflight trains one configuration, the middle of the space. On four of the shipped workloads (16 random
configurations each, measured twice on one, CPU time) the mean epoch of a study took 1.24 to 1.90 times the middle's,
1.5 in the mean, since batch size, layers and units multiply: small batches and large models weigh more than large
batches and small models save. Where no parameter changes how much is computed, configurations take alike.

It trains on all examples. Where the space has `train_fraction`, an epoch on 5, 15 and 40 % of them took 12 to 32, 16 to
49 and 42 to 50 % of the whole one's time on four of the shipped workloads (CPU time): validation and checkpoints stay.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, stdev

from tuning.engine.space import SearchSpace

Z95 = 1.96
SIZED_FACTOR = 1.5  # the mean epoch of a study over the middle configuration's, where the space has sizes
SIZED_SPREAD, EQUAL_SPREAD = 0.25, 0.1  # how sure that is, on the scale of logarithms
FRACTION = "train_fraction"  # which the training loop knows by this name
STAYS = 0.15  # of an epoch's time, however few examples it learns from
GRID = 16  # values of a parameter without steps that its mean is taken over
SIZES = re.compile(
    r"batch|layer|unit|width|depth|hidden|filter|channel|head|block|dim|embed|neuron|kernel|size", re.IGNORECASE
)


@dataclass(frozen=True)
class Range:
    """What is expected, and the two numbers between which it will most likely lie."""

    expected: float
    low: float
    high: float

    def times(self, other: Range) -> Range:
        return Range(self.expected * other.expected, self.low * other.low, self.high * other.high)

    def below(self, limit: float | None) -> Range:
        """The same, where at `limit` it ends; None: nowhere."""
        if limit is None:
            return self
        return Range(min(self.expected, limit), min(self.low, limit), min(self.high, limit))


def _mean_fraction(space: SearchSpace) -> float:
    """The share of the examples that a mean configuration learns from."""
    for parameter in space.parameters:
        if parameter.name == FRACTION:
            n = min(parameter.size or GRID, GRID)
            return sum(float(parameter.from_unit((place + 0.5) / n)) for place in range(n)) / n
    return 1.0


@dataclass(frozen=True)
class Speed:
    """The seconds that a study's mean step takes on one device, and how sure that is: the standard deviation of its
    logarithm. Without a number of steps a trial is one step."""

    seconds: float
    spread: float = 0.0

    def __post_init__(self) -> None:
        if not (self.seconds > 0 and math.isfinite(self.seconds)):
            raise ValueError(f"a step takes {self.seconds} seconds: it must take some")
        if not 0 <= self.spread < 10:
            raise ValueError(f"the spread of a step's seconds is {self.spread}: give one from 0 to 10")

    @classmethod
    def of_middle(cls, seconds: Sequence[float], space: SearchSpace) -> Speed:
        """From some steps of the middle configuration: their median, since the first one warms up.

        Raises ValueError where none was measured, or one took no time.
        """
        if not seconds or not all(0 < value < math.inf for value in seconds):
            raise ValueError("measure at least one step, each longer than 0 seconds")
        sized = any(parameter.size != 1 and SIZES.search(parameter.name) for parameter in space.parameters)
        logs = [math.log(value) for value in seconds]
        error = stdev(logs) / math.sqrt(len(logs)) if len(logs) > 1 else 0.0
        spread = min(math.hypot(SIZED_SPREAD if sized else EQUAL_SPREAD, error), 5.0)
        share = STAYS + (1 - STAYS) * _mean_fraction(space)
        if share < 1:
            spread = math.hypot(spread, SIZED_SPREAD)
        return cls(median(seconds) * (SIZED_FACTOR if sized else 1.0) * share, spread)

    def range(self) -> Range:
        factor = math.exp(Z95 * self.spread)
        return Range(self.seconds, self.seconds / factor, self.seconds * factor)
