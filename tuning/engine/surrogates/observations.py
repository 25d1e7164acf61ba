"""What a history teaches a model: which trials count, with which loss, and which subset stands for too many.

    COMPLETE            its loss; without a finite one, the worst
    PRUNED, PAUSED      the loss so far, carried to the end's scale, as an observation of less fidelity; the losses at
                        lower rungs too (see `rungs`). Where no rung is known: as it is, but never better than the best
                        complete one, since a trial that was cut promised less
    PRUNED, infeasible  the worst
    FAILED              the worst if the configuration is to blame, else nothing
    WAITING, RUNNING    no loss: imagined by the model (see `surrogate`); what they came to at rungs below counts

The worst is the largest loss seen; failed trials so steer away, and nothing is dropped that says where not to
look.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tuning.engine.history import History
from tuning.engine.surrogates.rungs import LARGEST, NONE_LOWER, Lower, carry, ladder
from tuning.engine.trial import TrialState

Array = NDArray[np.float64]

OWN = 2 / 3  # of the observations are trials where there are rungs; the others are their losses at lower ones


@dataclass(frozen=True)
class Observations:
    """Rows of a history: `rows` (n,) with `losses` (n,), all finite, and the open rows without one.

    Where there are rungs, fidelity (n,) is 1 for losses of the end and less for others, and `lower` has further ones;
    else fidelity is None.
    """

    rows: NDArray[np.int64]
    losses: Array
    pending: NDArray[np.int64]
    fidelity: Array | None = None
    lower: Lower = field(default=NONE_LOWER)

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
    partial = (pruned & finite & ~bad) | at_a_rung(history)
    valued = (complete & finite) | partial
    pending = np.flatnonzero(history.mask(TrialState.WAITING, TrialState.RUNNING, TrialState.PAUSED) & ~partial)
    if not valued.any():
        return Observations(np.empty(0, dtype=np.int64), np.empty(0), pending)
    losses = np.array(raw)
    waiting = np.flatnonzero(history.mask(TrialState.PAUSED) & partial)
    losses[waiting] = [history.direction.sign * _last(history, row) for row in waiting.tolist()]
    losses = np.clip(losses, -LARGEST, LARGEST)
    losses[bad] = losses[valued].max()
    rows, whole = np.flatnonzero(valued | bad), complete & finite
    rungs = ladder(history, partial, whole)
    if not partial.any() or len(rungs) < 2:
        if partial.any() and whole.any():
            losses[partial] = np.maximum(losses[partial], raw[whole].min())
        rows = rows[_representative(history.unit[rows], losses[rows], limit, rng)]
        return Observations(rows, losses[rows], pending)
    further = np.select([bad, partial], [np.inf, -np.nan_to_num(history.steps)], default=-np.inf)[rows]
    places = np.empty(len(rows))
    # By fidelity first: losses of different rungs do not compare.
    places[np.lexsort((losses[rows], further))] = np.arange(len(rows))
    rows = rows[_representative(history.unit[rows], places, max(1, int(OWN * limit)), rng)]
    kept = ~bad[rows]
    found = carry(history, rows[kept], losses[rows[kept]], whole[rows[kept]], rungs, limit - len(rows))
    carried, fidelity = losses[rows], np.ones(len(rows))
    carried[kept], fidelity[kept] = found.losses, found.fidelity
    carried[~kept] = carried[kept if kept.any() else ~kept].max(initial=-LARGEST)
    return Observations(rows, carried, pending, fidelity, found.lower)


def at_a_rung(history: History) -> NDArray[np.bool_]:
    """Which rows (n,) are paused with finite reports."""
    paused = history.mask(TrialState.PAUSED)
    for row in np.flatnonzero(paused).tolist():
        values = history.trial(row).intermediate.values()
        paused[row] = len(values) > 0 and bool(np.isfinite(list(values)).all())
    return paused


def _last(history: History, row: int) -> float:
    """What a trial reported last."""
    reports = history.trial(row).intermediate
    return reports[max(reports)]


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
