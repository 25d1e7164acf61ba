"""TOO-WIDE, by results: half of the finished trials diverged or broke a constraint, and where a range had better end.

The half is a rule of thumb (the Google tuning playbook: a very large fraction of infeasible points means a bad space).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuning.analysis.lint.entries import changed, rounded, rounded_down, rounded_up, written
from tuning.engine import History, TrialState
from tuning.engine.parameters import Float, Int, Parameter, SteppedFloat
from tuning.findings import Finding

FEWEST = 10  # trials below which the rule does not speak
MOST_BAD = 0.5
LEAST_SCORE = 0.3  # of a cut: the share of the bad trials that it removes less the share of the good ones, and
KOLMOGOROV = 1.95  # times sqrt(1/n + 1/m): what chance alone gives the best cut once in a thousand

Numeric = Float | Int | SteppedFloat
Column = NDArray[np.float64]


@dataclass(frozen=True)
class Cut:
    """A range narrowed at one end: what it keeps (n,), and how well that tells good from bad."""

    parameter: Parameter
    side: str
    bound: float | int
    score: float


def diverging(history: History) -> list[Finding]:
    """One finding, or none; its fix ends the range of one parameter, where one tells good trials from bad.

    What was infeasible before its first step has cost nothing, and does not count.
    """
    finished = history.n_finished
    diverged = np.zeros(finished, dtype=bool)
    for row in np.flatnonzero(history.deters[:finished]):
        diverged[row] = history.trial(int(row)).reason_code == "diverged"
    free = history.infeasible[:finished] & (history.steps[:finished] == 0)
    infeasible = history.infeasible[:finished] & ~free
    bad = diverged | infeasible
    counted = finished - int(free.sum())
    if counted < FEWEST or bad.sum() < MOST_BAD * counted:
        return []
    good = history.mask(TrialState.COMPLETE, TrialState.PRUNED)[:finished] & ~bad & ~free
    cut = _best_cut(history, bad, good)
    what = (
        "diverged" if not infeasible.any() else "diverged or broke a constraint" if diverged.any() else "are infeasible"
    )
    words = f"{int(bad.sum()):,} of {counted:,} trials {what}"
    evidence = {"bad": int(bad.sum()), "trials": counted, "share": rounded(float(bad.sum() / counted), 3)}
    if cut is None:
        message = f"{words}, and no single range tells where: narrow the space around the trials that went well."
        return [Finding("TOO-WIDE", "error", message, evidence)]
    where, do = ("above", "end") if cut.side == "high" else ("below", "begin")
    message = f"{words}, most of them with {cut.parameter.name} {where} {written(cut.bound)}: {do} the range there."
    fix = changed(cut.parameter, **{cut.side: cut.bound})
    return [Finding("TOO-WIDE", "error", message, {**evidence, "side": cut.side}, fix, cut.parameter.name)]


def _best_cut(history: History, bad: NDArray[np.bool_], good: NDArray[np.bool_]) -> Cut | None:
    """The one end of one range whose removal leaves mostly good trials, the best one among them."""
    if not good.any():
        return None
    unit = history.unit[: len(bad)]
    losses = np.where(good, history.losses[: len(bad)], np.inf)
    best = int(np.nanargmin(losses)) if np.isfinite(losses).any() else int(np.flatnonzero(good)[0])
    cuts = []
    for position, parameter in enumerate(history.space.parameters):
        if isinstance(parameter, Numeric) and parameter.prior is None and np.isfinite(unit[best, position]):
            for side in ("low", "high"):
                cuts.append(_cut(parameter, side, unit[:, position], bad, good, best))
    least = max(LEAST_SCORE, KOLMOGOROV * math.sqrt(1 / bad.sum() + 1 / good.sum()))
    found = [cut for cut in cuts if cut is not None and cut.score >= least]
    return max(found, key=lambda cut: cut.score, default=None)


def _cut(
    parameter: Parameter, side: str, unit: Column, bad: NDArray[np.bool_], good: NDArray[np.bool_], best: int
) -> Cut | None:
    """The best cut of this end: at the coordinate of a good trial, no tighter than the best trial's."""
    inward = unit if side == "high" else -unit
    active = np.isfinite(unit)
    places = np.unique(inward[good & active & (inward >= inward[best])])
    kept_bad, kept_good = (_kept(inward, rows, active, places) for rows in (bad, good))
    scores = kept_good / good.sum() - kept_bad / bad.sum()
    scores = np.where(kept_bad < MOST_BAD * (kept_bad + kept_good), scores, -np.inf)
    if not len(scores) or not np.isfinite(scores.max()):
        return None
    place = float(places[int(scores.argmax())])
    bound = _bound(parameter, side, place if side == "high" else -place)
    return None if bound is None else Cut(parameter, side, bound, float(scores.max()))


def _kept(inward: Column, rows: NDArray[np.bool_], active: NDArray[np.bool_], places: Column) -> NDArray[np.int64]:
    """How many of these rows stay where the range ends at each place; without the parameter a trial stays."""
    within = np.searchsorted(np.sort(inward[rows & active]), places, side="right")
    return within + int((rows & ~active).sum())


def _bound(parameter: Parameter, side: str, place: float) -> float | int | None:
    """The parameter's value at a coordinate, a continuous one rounded outwards; None where that leaves no range."""
    value: Any = parameter.from_unit(place)
    low, high = parameter.low, parameter.high
    if isinstance(parameter, Float) and value > 0:
        value = rounded_up(value) if side == "high" else rounded_down(value)
    if low is None or high is None or not (low < value < high):
        return None
    return value
