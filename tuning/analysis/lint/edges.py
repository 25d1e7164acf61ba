"""EDGE: the best trials lie at an end of a range, and the optimum may lie beyond it.

The Google tuning playbook has the idea (a best point close to the boundary is suspicious), the numbers are rules of
thumb. Within five percent of the end lies the best trial, or three and more of the best tenth, and more than chance
puts there. That is a warning where the loss falls towards the end while the other parameters are held, and else a
remark ("info"): with ten parameters some range has its best trial there in two studies of three, and samplers that
learn come to an end of parameters that do not matter, too.

Columns alone are read, so that 10,000 trials cost milliseconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from tuning.analysis.lint.entries import changed, role, written
from tuning.analysis.lint.extensions import extended
from tuning.engine import History, TrialState
from tuning.engine.parameters import Float, Int, Parameter, SteppedFloat
from tuning.findings import Finding

FEWEST = 10  # trials below which the rule does not speak
MARGIN = 0.05
TOP_SHARE, TOP_LEAST = 0.1, 5
NEAR_LEAST, NEAR_SHARE = 3, 0.15  # of the best trials; 3 of 5, and still 3 of 20
CHANCE = 0.005  # that so many of the best lie at one end of a parameter that does not matter
WIDEST_ZONE = 0.1  # of a range with few values the last is no edge that one trial could show
FALLING = 3.5  # standard errors by which the loss falls towards the end
TINY = 1e-300
NO_OPTIMUM = ("seed", "train_fraction", "train_size")  # chance, and data, of which more are better
SPARE = 5  # trials beyond the coefficients from which standard errors mean something

Numeric = Float | Int | SteppedFloat
Column = NDArray[np.float64]


@dataclass(frozen=True)
class Zone:
    """The part of a range at one of its ends, as coordinates: up to `low` or from `high` on; `share` of the range."""

    side: str
    end: float
    share: float

    def holds(self, unit: Column) -> NDArray[np.bool_]:
        return unit <= self.end if self.side == "low" else unit >= self.end


def _zone(parameter: Parameter, side: str) -> Zone:
    """The outer five percent; of a range with few values the last one."""
    if isinstance(parameter, Float):
        return Zone(side, MARGIN if side == "low" else 1 - MARGIN, MARGIN)
    last: Any = parameter.value_at(0 if side == "low" else (parameter.size or 1) - 1)
    centre = parameter.to_unit(last)
    end = max(MARGIN, centre) if side == "low" else min(1 - MARGIN, centre)
    start, stop = parameter.span(parameter.from_unit(end))  # type: ignore[attr-defined]
    return Zone(side, end, stop if side == "low" else 1 - start)


def edges(history: History) -> list[Finding]:
    """EDGE: for each parameter at most one finding, in the space's order."""
    counted = np.flatnonzero(history.mask(TrialState.COMPLETE) & np.isfinite(history.losses))
    if len(counted) < FEWEST:
        return []
    best = counted[np.argsort(history.losses[counted], kind="stable")]
    top = best[: max(TOP_LEAST, math.ceil(TOP_SHARE * len(counted)))]
    unit = history.unit[top]
    slopes = Slopes(history, counted)
    found = []
    for position, parameter in enumerate(history.space.parameters):
        if isinstance(parameter, Numeric) and parameter.prior is None and role(parameter) not in NO_OPTIMUM:
            sides = [_edge(parameter, side, unit[:, position], position, slopes) for side in ("low", "high")]
            spoken = sorted((edge for edge in sides if edge is not None), key=lambda edge: edge.severity == "info")
            found += spoken[:1]
    return found


def _edge(parameter: Parameter, side: str, unit: Column, position: int, slopes: Slopes) -> Finding | None:
    """`unit`: the coordinates of the best trials, the best first, NaN where the parameter took no part."""
    zone = _zone(parameter, side)
    near, active = int(zone.holds(unit).sum()), int(np.isfinite(unit).sum())
    chance = float(scipy.stats.binom.sf(near - 1, active, zone.share))
    many = near >= max(NEAR_LEAST, NEAR_SHARE * active) and chance < CHANCE
    best = bool(zone.holds(unit[:1])[0]) and zone.share <= WIDEST_ZONE
    falls = (many or best) and slopes.falling(position, side) >= FALLING
    if not falls and not best:
        return None
    wider = extended(parameter, side)
    if wider is None:
        return None
    bound: Any = parameter.low if side == "low" else parameter.effective_high  # type: ignore[attr-defined]
    end = f"its {'lower' if side == 'low' else 'upper'} end, {written(bound)}"
    who = f"{near} of the {active} best trials have" if near > 1 else "The best trial has"
    message = f"{who} {parameter.name} near {end}: the optimum may lie beyond it. Extend the range to {written(wider)}."
    evidence = {"side": side, "bound": bound, "near": near, "of": active, "trials": slopes.n}
    fix = changed(parameter, **{side: wider})
    return Finding("EDGE", "warning" if falls else "info", message, evidence, fix, parameter.name)


class Slopes:
    """How the loss of the counted trials falls towards the ends of each range, the other parameters held.

    Ordinary least squares on each coordinate and its square, and on a column for each choice of a list; where a
    parameter takes no part, a column of its own says so. The response is once the loss, its highest tenth cut down, and
    once its rank: where trials have converged to one place ranks are noise, over many decades losses are.
    """

    def __init__(self, history: History, counted: NDArray[np.intp]) -> None:
        self.n = len(counted)
        self._history, self._counted = history, counted

    def falling(self, position: int, side: str) -> float:
        """By how many standard errors the loss falls from the middle to this end; 0 where that cannot be told."""
        place, coefficients, covariances = self._fit
        first = place[position]
        if first is None:
            return 0.0
        both = slice(first, first + 2)
        weights = np.array([-0.5 if side == "low" else 0.5, 0.25])  # b1 (end - 1/2) + b2 (end - 1/2)^2
        falls = -weights @ coefficients[both]
        variances = np.array([weights @ covariance[both, both] @ weights for covariance in covariances])
        return float(np.max(falls / np.sqrt(variances), initial=0.0, where=variances > 0))

    @cached_property
    def _fit(self) -> tuple[list[int | None], Column, list[Column]]:
        """Where each parameter's two columns begin (None: it has none), and for both responses the coefficients (k, 2)
        and their covariance."""
        place, design = self._design()
        k = design.shape[1]
        if self.n < k + SPARE:
            return [None] * len(place), np.zeros((k, 2)), []
        losses = self._history.losses[self._counted]
        capped = np.minimum(losses, np.quantile(losses, 1 - TOP_SHARE))
        responses = np.column_stack([capped, scipy.stats.rankdata(losses)])
        responses = (responses - responses.mean(0)) / np.maximum(responses.std(0), TINY)
        inverse = np.linalg.pinv(design.T @ design)
        coefficients = inverse @ (design.T @ responses)
        residuals = ((responses - design @ coefficients) ** 2).sum(0) / (self.n - k)
        return place, coefficients, [inverse * residual for residual in residuals]

    def _design(self) -> tuple[list[int | None], Column]:
        columns: list[Column] = [np.ones(self.n)]
        place: list[int | None] = []
        for position, parameter in enumerate(self._history.space.parameters):
            unit = self._history.unit[self._counted, position]
            absent = np.isnan(unit)
            place.append(len(columns) if isinstance(parameter, Numeric) else None)
            if isinstance(parameter, Numeric):
                centred = np.where(absent, 0.0, unit - 0.5)
                columns += [centred, centred**2]
            else:
                columns += [(unit == value).astype(float) for value in np.unique(unit[~absent])[1:]]
            if absent.any() and not absent.all():
                columns.append(absent.astype(float))
        return place, np.column_stack(columns)
