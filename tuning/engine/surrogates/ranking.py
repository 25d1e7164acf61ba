"""Which trials of a history are good and which bad, for a model that compares the two (`samplers.tpe`).

The rank: COMPLETE trials by value; PRUNED ones and those PAUSED at a rung after them, those that got further first, by
value at equal steps (so that a model on top of halving learns from the highest rungs that hold enough trials, as in
Falkner, Klein & Hutter, "BOHB", ICML 2018); trials that failed for their configuration; last those that broke a
constraint. Neither of the last two is ever good. Trials cancelled or lost, and those that were told no value, say
nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tuning.engine.history import History
from tuning.engine.trial import TrialState

RECENT = 25  # trials that count fully; of more, the older ones count the less the older they are

Rows = NDArray[np.intp]


class Known:
    """The rows of a history after those of earlier studies, which so count as the older ones.

    unit (n, d); first: the row at which the study's own begin; open: its open rows, but for those that have come to a
    rung and so are ranked.
    """

    def __init__(self, history: History, earlier: Sequence[History]) -> None:
        self._histories = (*earlier, history)
        self._starts = np.cumsum([0, *(part.n for part in earlier)])
        self.unit = history.unit
        if earlier:
            self.unit = np.concatenate([part.unit for part in self._histories])
        self.first = int(self._starts[-1])
        running = np.ones(history.n, dtype=bool)
        running[: history.n_finished] = False
        running[at_rungs(history)[0]] = False
        self.open: Rows = self.first + np.flatnonzero(running)

    def split(self, share: float, cap: int) -> tuple[Rows, Rows]:
        """Good and bad rows, oldest first. Each study's are ranked by themselves: another data set's losses lie on
        another level."""
        good, bad = [], []
        for start, part in zip(self._starts, self._histories, strict=True):
            ranked, n_comparable = rank(part)
            n_good = gamma(n_comparable, share, cap)
            good.append(start + np.sort(ranked[:n_good]))
            bad.append(start + np.sort(ranked[n_good:]))
        return np.concatenate(good), np.concatenate(bad)

    def name(self, row: int) -> str:
        """What to call the trial of a row."""
        part = int(np.searchsorted(self._starts, row, side="right")) - 1
        number = self._histories[part].numbers[row - self._starts[part]]
        return f"trial {number}" if part == len(self._histories) - 1 else f"trial {number} of an earlier study"


def rank(history: History) -> tuple[Rows, int]:
    """The rows that say something, best first, and how many of them have values to compare by."""
    paused, so_far = at_rungs(history)
    rows = np.concatenate([np.arange(history.n_finished), paused])
    losses = np.concatenate([history.losses[: history.n_finished], so_far])
    steps = history.steps[rows]
    cut = history.mask(TrialState.PRUNED, TrialState.PAUSED)[rows]
    complete = history.mask(TrialState.COMPLETE)[rows]
    infeasible = history.infeasible[rows]
    deters = history.deters[rows]
    comparable = (complete | cut) & np.isfinite(losses) & ~infeasible
    kind = np.select([infeasible, deters, comparable & complete, cut], [3, 2, 0, 1], default=4)
    reached = np.where(cut, np.nan_to_num(steps), 0.0)
    order = np.lexsort((np.where(comparable, losses, np.inf), -reached, ~comparable, kind))
    n = int(np.count_nonzero(kind < 4))
    return rows[order[:n]], int(np.count_nonzero(comparable))


def at_rungs(history: History) -> tuple[Rows, NDArray[np.float64]]:
    """The rows of trials that have paused with a report, and their last losses, (p,) each."""
    rows, losses = [], []
    for row in np.flatnonzero(history.mask(TrialState.PAUSED)).tolist():
        if reports := history.trial(row).intermediate:
            rows.append(row)
            losses.append(history.direction.sign * reports[max(reports)])
    return np.array(rows, dtype=np.intp), np.array(losses, dtype=np.float64)


def gamma(n: int, share: float = 0.1, cap: int = 25) -> int:
    """How many of n trials are good: the share, rounded up, and at most the cap."""
    return min(math.ceil(share * n), cap)


def recency(n: int) -> NDArray[np.float64]:
    """Weights (n,), oldest first: 1 for the last 25, before them rising evenly from 1/n to 1."""
    if n < RECENT:
        return np.ones(n)
    return np.concatenate([np.linspace(1.0 / n, 1.0, n - RECENT), np.ones(RECENT)])


def concordance(a: ArrayLike, b: ArrayLike) -> float:
    """Kendall's rank correlation of two sequences (n,), n at least 2; pairs that tie in either count as neither."""
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    rows, columns = np.triu_indices(len(a), 1)
    return float(np.mean(np.sign(a[rows] - a[columns]) * np.sign(b[rows] - b[columns])))
