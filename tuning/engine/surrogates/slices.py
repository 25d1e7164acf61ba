"""Cuts through a model: what it expects along one or two parameters while all others stay where a trial has them.

Glossary: u (q, m) latent points as in `axes`; side, one parameter of a cut with the values at which it is asked; the
function is the objective without its noise, a trial is the function with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuning.engine.surrogates.axes import Axis
from tuning.engine.surrogates.surrogate import Surrogate
from tuning.engine.surrogates.validation import BAND

Array = NDArray[np.float64]

LINE = 129  # values along the only side of a cut
PLANE = 33  # values along each of two sides, on average; more where the other has few
EACH = 64  # a finite parameter with at most this many values has them all in a line
TAIL = 0.001  # where a side of a prior without a bound ends
EFFECT_TRIALS, EFFECT_PLACES = 24, 9


@dataclass(frozen=True)
class Side:
    """One parameter of a cut: its axis among the model's, the values asked (g,) and their coordinates (g,)."""

    axis: int
    name: str
    kind: str  # "float", "int", "categorical"
    log: bool
    stepped: bool  # all values of a finite parameter are here
    values: tuple[Any, ...]
    places: Array


@dataclass(frozen=True)
class Expectation:
    """What the model expects at q points, in the objective's own scale.

    `low` to `high` holds the function, `trial_low` to `trial_high` the value of a trial with 95 %; `sd` is half of the
    function's central 68 %. The acquisition is as `Surrogate.acquisition` gives it.
    """

    median: Array
    sd: Array
    low: Array
    high: Array
    trial_low: Array
    trial_high: Array
    acquisition: Array


@dataclass(frozen=True)
class Cut:
    """One or two sides, and the expectation at all their combinations: point (i, j) is at j * len(x) + i.

    `present` (q,) says where every side's parameter takes part; elsewhere the numbers mean nothing.
    """

    sides: tuple[Side, ...]
    points: Array
    present: NDArray[np.bool_]
    expected: Expectation

    @property
    def x(self) -> Side:
        return self.sides[0]

    @property
    def y(self) -> Side | None:
        return self.sides[1] if len(self.sides) > 1 else None

    def columns(self) -> tuple[list[Any], ...]:
        """The sides' values at every point: one list (q,) for each side."""
        if self.y is None:
            return (list(self.x.values),)
        wide, high = len(self.x.values), len(self.y.values)
        return list(self.x.values) * high, [value for value in self.y.values for _ in range(wide)]


def expectation(surrogate: Surrogate, sign: float, u: Array) -> Expectation:
    """What the model expects at latent points (q, m); `sign` is the direction's."""
    mean, sd = surrogate.moments(u)
    noisy = np.sqrt(sd**2 + surrogate.hyper.noise)

    def value(targets: Array) -> Array:
        outcome: Array = sign * surrogate.outputs.backward(targets)
        return outcome

    def band(width: Array, reach: float) -> tuple[Array, Array]:
        ends = np.stack([value(mean - reach * width), value(mean + reach * width)])
        return ends.min(axis=0), ends.max(axis=0)

    inner, outer = band(sd, 1.0), band(noisy, BAND)
    low, high = band(sd, BAND)
    return Expectation(value(mean), (inner[1] - inner[0]) / 2, low, high, *outer, surrogate.value(u))


def anchor(surrogate: Surrogate, unit: Array) -> Array:
    """The latent point (m,) of one row of the unit cube (d,).

    A parameter that is absent there has the value of the best trial that has it: a cut along its parent needs one.
    """
    axes = surrogate.axes
    u = axes.latent(unit[None])[0]
    absent = np.flatnonzero(np.isnan(unit[axes.columns]))
    if len(absent):
        ranked = surrogate.points[np.argsort(surrogate.observations.losses, kind="stable")]
        active = axes.active(ranked)
        for j in absent:
            having = np.flatnonzero(active[:, j])
            if len(having):
                u[j] = ranked[having[0], j]
    return u


def best_with(surrogate: Surrogate, names: Sequence[str]) -> int | None:
    """The row in the history of the best observation in which all these parameters take part."""
    axes = surrogate.axes
    columns = [axes.names.index(name) for name in names]
    order = np.argsort(surrogate.observations.losses, kind="stable")
    having = axes.active(surrogate.points[order])[:, columns].all(axis=1)
    return int(surrogate.observations.rows[order[np.argmax(having)]]) if having.any() else None


def cut(
    surrogate: Surrogate, sign: float, held: Array, names: Sequence[str], marks: Sequence[Array] = (), line: int = LINE
) -> Cut:
    """The cut along one or two parameters through the latent point `held` (m,).

    marks: further latent points whose coordinates a cut along one parameter asks for, too, so that what is drawn there
    fits exactly. line: how many values of a continuous parameter such a cut has.
    """
    axes = surrogate.axes
    chosen = [axes.names.index(name) for name in names]
    if len(chosen) == 1:
        coordinates = [float(point[chosen[0]]) for point in (held, *marks)]
        sides: tuple[Side, ...] = (_side(axes.axes[chosen[0]], chosen[0], line, coordinates),)
    else:
        few = [min(axes.axes[j].size or PLANE, PLANE) for j in chosen]
        sides = tuple(
            _side(axes.axes[j], j, min(PLANE * PLANE // other, 3 * PLANE), ())
            for j, other in zip(chosen, reversed(few), strict=True)
        )
    mesh = np.meshgrid(*(side.places for side in sides))
    points = np.repeat(held[None], mesh[0].size, axis=0)
    for side, places in zip(sides, mesh, strict=True):
        points[:, side.axis] = places.ravel()
    present = np.all(axes.active(points)[:, [side.axis for side in sides]], axis=1)
    return Cut(sides, points, np.asarray(present), expectation(surrogate, sign, points))


def _side(axis: Axis, index: int, most: int, marks: Sequence[float]) -> Side:
    parameter = axis.parameter
    log = parameter.log or (parameter.prior is not None and parameter.prior.name == "log_normal")
    every = axis.centres is not None and len(axis.centres) <= EACH
    if every and axis.centres is not None:
        places = axis.centres
    else:
        low = TAIL if parameter.low is None or (log and parameter.from_unit(0.0) <= 0) else 0.0
        high = 1.0 - TAIL if parameter.high is None else 1.0
        if axis.categorical:
            low, high = 0.0, 1.0
        grid = np.concatenate([np.linspace(low, high, most), [u for u in marks if low <= u <= high]])
        places = np.unique(axis.snapped(grid))
    values = tuple(parameter.from_unit(float(u)) for u in places)
    return Side(index, axis.name, parameter.kind, log, every, values, places)


def effects(surrogate: Surrogate) -> Array:
    """How much the model's expectation moves along each axis, (m,), in standard deviations of the targets.

    The standard deviation over an even grid of the parameter's values, averaged over trials that are spread evenly from
    the best to the worst; a trial without the parameter counts as no movement.
    """
    axes = surrogate.axes
    ranked = surrogate.points[np.argsort(surrogate.observations.losses, kind="stable")]
    trials = ranked[np.unique(np.linspace(0, len(ranked) - 1, EFFECT_TRIALS).astype(np.int64))]
    blocks, widths = [], []
    for j, axis in enumerate(axes.axes):
        if axis.centres is not None and len(axis.centres) <= EFFECT_PLACES:
            places = axis.centres
        else:
            places = axis.snapped((np.arange(EFFECT_PLACES) + 0.5) / EFFECT_PLACES)
        block = np.repeat(trials, len(places), axis=0)
        block[:, j] = np.tile(places, len(trials))
        blocks.append(block)
        widths.append(len(places))
    mean, _ = surrogate.moments(np.concatenate(blocks))
    present = axes.active(np.concatenate(blocks))
    found, start = np.zeros(axes.m), 0
    for j, width in enumerate(widths):
        end = start + width * len(trials)
        moves = np.where(present[start:end, j], mean[start:end], 0.0).reshape(len(trials), width)
        found[j] = moves.std(axis=1).mean()
        start = end
    return found


def nearness(surrogate: Surrogate, held: Array, columns: Sequence[int], points: Array) -> Array:
    """How near latent points (n, m) lie to a cut along these axes, (n,): 1 on it, falling with the distance in length
    scales over all other axes."""
    distances = surrogate.axis_distances(held, points)
    distances[:, list(columns)] = 0.0
    near: Array = np.exp(-0.5 * distances.sum(axis=1))
    return near
