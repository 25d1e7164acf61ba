"""With a change and without it, on the same seeds: what the paired differences say.

A pair is one seed. Its difference is the objective value with the change less that without it, turned so that a
positive one is better. The interval is Student's t on the mean difference, 95 %, two-sided (Student, 1908); with a
handful of pairs it takes the differences to be about normal. A training that diverges has no value: a pair in which one
side alone did has an infinite difference, there is no mean then, and only a unanimous result decides.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

import scipy

CONFIDENCE = 0.95
FEWEST = 2  # pairs: of one there is no interval
OUTCOMES = ("helped", "worse", "undecided")


@dataclass(frozen=True)
class Comparison:
    """What the pairs so far say.

    Attributes:
        differences: of each pair by its seed, positive where the change made it better; infinite where one side alone
            diverged; None where a side is missing.
        mean, low, high: of the differences, with the 95 % interval; None where they cannot be told.
        outcome: "helped" or "worse" where the interval leaves out 0, else "undecided".
    """

    differences: tuple[float | None, ...]
    mean: float | None
    low: float | None
    high: float | None
    outcome: str

    @property
    def n(self) -> int:
        """The pairs that count."""
        return sum(difference is not None for difference in self.differences)

    @property
    def better(self) -> int:
        """Those of them that the change made better."""
        return sum(difference is not None and difference > 0 for difference in self.differences)


def compared(differences: Sequence[float | None]) -> Comparison:
    """The comparison of these pairs."""
    known = [difference for difference in differences if difference is not None]
    every = tuple(differences)
    if len(known) < FEWEST:
        return Comparison(every, known[0] if known and math.isfinite(known[0]) else None, None, None, "undecided")
    if not all(map(math.isfinite, known)):
        return Comparison(every, None, None, None, _unanimous(known))
    mean = fmean(known)
    half = float(scipy.stats.t.ppf((1 + CONFIDENCE) / 2, len(known) - 1)) * stdev(known) / math.sqrt(len(known))
    low, high = mean - half, mean + half
    return Comparison(every, mean, low, high, "helped" if low > 0 else "worse" if high < 0 else "undecided")


def difference(without: float | None, with_it: float | None, direction: str) -> float | None:
    """How much better the value with the change is; None stands for a training that diverged, on both sides for no
    difference."""
    if without is None or with_it is None:
        return 0.0 if without is with_it else math.inf if without is None else -math.inf
    return without - with_it if direction == "minimize" else with_it - without


def _unanimous(known: Sequence[float]) -> str:
    if all(one > 0 for one in known):
        return "helped"
    return "worse" if all(one < 0 for one in known) else "undecided"
