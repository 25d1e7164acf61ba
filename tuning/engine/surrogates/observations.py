"""What a history teaches a model: which trials count, with which loss, and which subset stands for too many.

    COMPLETE            its loss; without a finite one, the worst
    PRUNED, PAUSED      the loss so far, carried forward by what complete trials gained from that step on, and
                        never better than the best complete one: a trial that was cut promised less
    PRUNED, infeasible  the worst
    FAILED              the worst if the configuration is to blame, else nothing
    WAITING, RUNNING    no loss: imagined by the model (see `surrogate`)

The worst is the largest loss seen; failed trials so steer away, and nothing is dropped that says where not to
look.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuning.engine.history import History
from tuning.engine.trial import Trial, TrialState

Array = NDArray[np.float64]

LARGEST = 1e300  # losses beyond it count as it, so that sums and differences of a few stay within the doubles


@dataclass(frozen=True)
class Observations:
    """Rows of a history: `rows` (n,) with `losses` (n,), all finite, and the open rows without one."""

    rows: NDArray[np.int64]
    losses: Array
    pending: NDArray[np.int64]

    @property
    def best(self) -> int:
        """The place among `rows` of the smallest loss."""
        return int(np.argmin(self.losses))


def observe(history: History, limit: int, rng: np.random.Generator) -> Observations:
    """The observations of a history, at most `limit` of them (see `_representative`); none without a loss."""
    raw = np.clip(history.losses, -LARGEST, LARGEST)
    finite = np.isfinite(raw)
    complete = history.mask(TrialState.COMPLETE)
    pruned = history.mask(TrialState.PRUNED)
    bad = history.deters | history.infeasible | (complete & ~finite)
    partial = (pruned & finite & ~bad) | _reported(history)
    valued = (complete & finite) | partial
    pending = np.flatnonzero(history.mask(TrialState.WAITING, TrialState.RUNNING, TrialState.PAUSED) & ~partial)
    if not valued.any():
        return Observations(np.empty(0, dtype=np.int64), np.empty(0), pending)
    losses = np.array(raw)
    for row in np.flatnonzero(history.mask(TrialState.PAUSED) & partial).tolist():
        losses[row] = min(history.direction.sign * _bounded(v) for v in history.trial(row).intermediate.values())
    losses[bad] = losses[valued].max()
    rows = np.flatnonzero(valued | bad)
    rows = rows[_representative(history.unit[rows], losses[rows], limit, rng)]
    losses = _carried_forward(history, rows, losses[rows], partial[rows], complete & finite)
    return Observations(rows, losses, pending)


def _reported(history: History) -> NDArray[np.bool_]:
    """Which open rows are paused with a finite report."""
    paused = history.mask(TrialState.PAUSED)
    for row in np.flatnonzero(paused).tolist():
        values = history.trial(row).intermediate.values()
        paused[row] = len(values) > 0 and bool(np.isfinite(list(values)).all())
    return paused


def _carried_forward(
    history: History, rows: NDArray[np.int64], losses: Array, partial: NDArray[np.bool_], whole: NDArray[np.bool_]
) -> Array:
    """The losses (n,) of which the partial ones are what their trials would probably have ended with."""
    if not (partial.any() and whole.any()):
        return losses
    carried = np.array(losses)
    recent = np.flatnonzero(whole)[-100:]  # of the curves of many complete trials, the latest are enough
    sign = history.direction.sign
    gains: dict[int, float] = {}
    for place in np.flatnonzero(partial):
        step = _reached(history.trial(int(rows[place])))
        if step not in gains:
            curves = [history.trial(int(row)) for row in recent]
            gained = [
                sign * (_bounded(trial.value or 0.0) - _bounded(trial.intermediate[step]))
                for trial in curves
                if step in trial.intermediate and np.isfinite(trial.intermediate[step])
            ]
            gains[step] = float(np.median(gained)) if gained else 0.0
        carried[place] = _bounded(losses[place] + gains[step])
    floor = max(float(history.losses[whole].min()), -LARGEST)
    carried[partial] = np.maximum(carried[partial], floor)
    return carried


def _bounded(value: float) -> float:
    return min(max(value, -LARGEST), LARGEST)


def _reached(trial: Trial) -> int:
    return max(trial.intermediate, default=0)


def _representative(unit: Array, losses: Array, limit: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """At most `limit` places that stand for all: two fifths the best, one fifth the latest, the rest spread.

    Spread means drawn so that each lies far from those taken before (farthest of a random few), since near
    the best ones there are plenty already.
    """
    n = len(losses)
    if n <= limit:
        return np.arange(n)
    order = np.argsort(losses, kind="stable")
    taken = np.zeros(n, dtype=bool)
    taken[order[: 2 * limit // 5]] = True
    taken[n - limit // 5 :] = True
    left = limit - int(taken.sum())
    pool = rng.permutation(np.flatnonzero(~taken))[: 4 * left]
    points = np.where(np.isnan(unit), 0.5, unit)
    nearest = np.full(len(pool), np.inf)
    for row in np.flatnonzero(taken):
        np.minimum(nearest, ((points[pool] - points[row]) ** 2).sum(axis=1), out=nearest)
    for _ in range(left):
        place = int(np.argmax(nearest))
        taken[pool[place]] = True
        np.minimum(nearest, ((points[pool] - points[pool[place]]) ** 2).sum(axis=1), out=nearest)
        nearest[place] = -1.0
    return np.flatnonzero(taken)
