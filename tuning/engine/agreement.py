"""Whether trials rank early as they do at their end, told from a handful of them.

Spearman's rank correlation rho of n pairs, ties at their mean ranks; its interval on Fisher's scale, artanh(rho) +-
1.96 sqrt((1 + rho^2 / 2) / (n - 3)) (Bonett & Wright, Psychometrika 65, 2000). It is wide for a handful: that is what
a handful says.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import scipy

FEWEST = 4  # pairs that have an interval
USABLE = 0.5  # of rho, from which on an early cut is believed
Z95 = 1.96
ALMOST = 1 - 1e-9


@dataclass(frozen=True)
class Agreement:
    """Spearman's rho of n trials between `step` (None: not said) and their end, and its 95 % interval."""

    rho: float
    low: float
    high: float
    n: int
    step: int | None = None

    @property
    def usable(self) -> bool:
        """Whether it is rather believed that the early order is the last one."""
        return self.rho >= USABLE

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def rank_agreement(low: Sequence[float], high: Sequence[float], step: int | None = None) -> Agreement | None:
    """How much the order of the same trials at a low and at the full fidelity agrees; None for fewer than 4 of them,
    or where all are equal at either.

    A value that is not finite is worse than all others, whatever the direction, and such values are equal: for a metric
    to maximise give its negative. Raises ValueError where the two differ in length.
    """
    if len(low) != len(high):
        raise ValueError(
            f"{len(low)} values at the low and {len(high)} at the full fidelity: give a pair of each trial"
        )
    n = len(low)
    if n < FEWEST:
        return None
    first, last = (scipy.stats.rankdata(np.where(np.isfinite(values), values, np.inf)) for values in (low, high))
    if np.ptp(first) == 0 or np.ptp(last) == 0:
        return None
    rho = float(np.corrcoef(first, last)[0, 1])
    inner = min(max(rho, -ALMOST), ALMOST)
    reach = Z95 * math.sqrt((1 + inner**2 / 2) / (n - 3))
    at = math.atanh(inner)
    return Agreement(rho, math.tanh(at - reach), math.tanh(at + reach), n, step)


def agreements(curves: Sequence[Mapping[int, float]], steps: Sequence[int]) -> list[Agreement]:
    """The agreement of each of these steps with the last one that any curve has, over the curves that have both.

    curves: the loss (smaller is better) by step, a curve for each trial.
    """
    last = max((step for curve in curves for step in curve), default=0)
    found = []
    for step in steps:
        both = [curve for curve in curves if step in curve and last in curve]
        agreement = rank_agreement([curve[step] for curve in both], [curve[last] for curve in both], step)
        if agreement is not None and step < last:
            found.append(agreement)
    return found
