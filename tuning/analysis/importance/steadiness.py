"""How steadily a trial trains: its place among all trials, from 0, the steadiest, to 1, those that diverged.

A trial that has run to its end is as unsteady as its validation values lie away from a straight line through the later
half of its curve (their standard deviation, in the metric's unit): a slope that goes on, or an overfit that grows, is
no unsteadiness, a spike is. Only the order counts, so that one wild trial does not hide all others; diverged trials
share the last places. Where curves are too short for that, what can be told is whether a trial diverged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import scipy

SHORTEST = 8  # values of a curve: four in its later half, two more than a line needs


def late_spread(values: Sequence[float]) -> float | None:
    """The standard deviation around a line through the later half of a curve; None for one that is too short or not
    finite there."""
    late = np.asarray(values[len(values) // 2 :], dtype=np.float64)
    if len(values) < SHORTEST or not np.isfinite(late).all():
        return None
    steps = np.arange(len(late)) - (len(late) - 1) / 2
    residuals = late - late.mean() - steps * float(steps @ late) / float(steps @ steps)
    return float(np.sqrt((residuals**2).sum() / (len(late) - 2)))


def places(spreads: Mapping[int, float], diverged: Sequence[int]) -> dict[int, float]:
    """Each trial's place from 0 to 1, ties sharing theirs; `spreads` by trial, diverged trials behind all of them."""
    numbers = [*spreads, *diverged]
    ranks = scipy.stats.rankdata([*spreads.values(), *[np.inf] * len(diverged)])
    last = max(1, len(numbers) - 1)
    return {number: (rank - 1.0) / last for number, rank in zip(numbers, ranks.tolist(), strict=True)}
