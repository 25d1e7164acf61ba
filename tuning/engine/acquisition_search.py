"""Where an acquisition is largest: many starts, then gradients along smooth axes and exchanges along discrete
ones.

A pool of quasi-random points and of the best trials' surroundings is scored; from the most promising ones,
two kinds of steps alternate: L-BFGS-B over all starts at once along the axes that are continuous or have
many values (Ament et al. 2023 show why log EI suits it), and a sweep that scores every configuration that
differs in one discrete parameter and moves to the best. Large discrete parameters are first relaxed by the
gradient, then snapped, then walked along until neither neighbour is better. Latent points as in `axes`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from tuning.engine.surrogates.axes import Axes
from tuning.engine.surrogates.surrogate import Surrogate

Array = NDArray[np.float64]

POOL = 512
NEAR = 192  # points around the best trials
STARTS = 6
ROUNDS = 3
GRADIENT_STEPS = 25
SWEEPS = 8


@dataclass(frozen=True)
class Found:
    """Latent points (k, m), snapped, with their acquisition (k,), the largest first."""

    points: Array
    values: Array


def search(surrogate: Surrogate, rng: np.random.Generator) -> Found:
    """The best points found, then the pool that they were found from."""
    axes = surrogate.axes
    pool = axes.snapped(_pool(surrogate, rng))
    values = surrogate.value(pool)
    starts = _starts(axes, pool, values)
    points, reached = _climbed(surrogate, pool[starts], values[starts])
    points, reached = np.concatenate([points, pool]), np.concatenate([reached, values])
    order = np.argsort(-reached, kind="stable")
    return Found(points[order], reached[order])


def _pool(surrogate: Surrogate, rng: np.random.Generator) -> Array:
    """Latent points (POOL + NEAR + a few, m): quasi-random ones, the best trials, and steps away from these."""
    m = surrogate.axes.m
    qmc = scipy.stats.qmc
    spread = qmc.Sobol(m, rng=rng).random(POOL) if m <= qmc.Sobol.MAXDIM else rng.random((POOL, m))
    known, mean = surrogate.points, surrogate.fitted()
    if len(known) == 0:
        known, mean = surrogate.earlier.points, surrogate.moments(surrogate.earlier.points)[0]
    best = known[np.argsort(mean, kind="stable")[:5]]
    origins = best[rng.integers(len(best), size=NEAR)]
    # From a fine to a coarse step, in units of the length scales; only some coordinates change.
    widths = np.minimum(surrogate.length_scales, 1.0) * 10.0 ** rng.uniform(-2.5, -0.3, (NEAR, 1))
    moved = rng.random((NEAR, m)) < np.maximum(rng.random((NEAR, 1)), 1.0 / m)
    near = np.clip(origins + moved * widths * rng.standard_normal((NEAR, m)), 0.0, 1.0)
    other = moved & ~surrogate.axes.numeric & (rng.random((NEAR, m)) < 0.5)
    near[other] = rng.random(int(other.sum()))
    return np.concatenate([spread, near, best])


def _starts(axes: Axes, pool: Array, values: Array) -> NDArray[np.int64]:
    """The places in the pool to climb from: the best, then the best of what lies apart from those taken."""
    order = np.argsort(-values, kind="stable")[:64]
    taken = [int(order[0])]
    apart = 0.1
    for place in order[1:]:
        if len(taken) == STARTS:
            break
        if all(np.abs(pool[place] - pool[other]).max() > apart for other in taken):
            taken.append(int(place))
    return np.array(taken, dtype=np.int64)


def _climbed(surrogate: Surrogate, points: Array, values: Array) -> tuple[Array, Array]:
    discrete = [j for j, axis in enumerate(surrogate.axes.axes) if axis.finite]
    if surrogate.axes.smooth.any():
        points, values = _along_gradient(surrogate, points, values, GRADIENT_STEPS)
    for _ in range(ROUNDS if discrete else 0):
        before = values.copy()
        points, values = _exchanged(surrogate, points, values, discrete)
        if not surrogate.axes.smooth.any() or not (values > before + 1e-9).any():
            break
        points, values = _along_gradient(surrogate, points, values, GRADIENT_STEPS)
    if surrogate.axes.smooth.any():
        top = int(np.argmax(values))
        polished, value = _along_gradient(surrogate, points[[top]], values[[top]], 2 * GRADIENT_STEPS)
        points, values = np.concatenate([polished, points]), np.concatenate([value, values])
    return points, values


def _along_gradient(surrogate: Surrogate, points: Array, values: Array, steps: int) -> tuple[Array, Array]:
    """The points after L-BFGS-B on the sum of their acquisitions; each stays where it did not improve."""
    smooth = np.flatnonzero(surrogate.axes.smooth)
    scale = np.minimum(surrogate.length_scales[smooth], 1.0)  # in these units the posterior bends alike everywhere
    start = points[:, smooth] / scale

    def loss(flat: Array) -> tuple[float, Array]:
        moved = points.copy()
        moved[:, smooth] = flat.reshape(start.shape) * scale
        value, gradient = surrogate.value_and_gradient(moved)
        return -float(value.sum()), -(gradient[:, smooth] * scale).ravel()

    bounds = np.stack([np.zeros(start.size), np.tile(1.0 / scale, len(points))], axis=1)
    found = scipy.optimize.minimize(
        loss,
        start.ravel(),
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": steps, "ftol": 1e-7, "gtol": 1e-4},
    )
    moved = points.copy()
    moved[:, smooth] = np.clip(found.x.reshape(start.shape) * scale, 0.0, 1.0)
    moved = surrogate.axes.snapped(moved)
    return _better(points, values, moved, surrogate.value(moved))


def _better(points: Array, values: Array, others: Array, theirs: Array) -> tuple[Array, Array]:
    return np.where((theirs > values)[:, None], others, points), np.maximum(values, theirs)


def _exchanged(surrogate: Surrogate, points: Array, values: Array, discrete: list[int]) -> tuple[Array, Array]:
    """The points after moving, again and again, to the best configuration that differs in one discrete axis."""
    points, values = points.copy(), values.copy()
    going = np.arange(len(points))
    for _ in range(SWEEPS):
        neighbours, owners = _neighbours(surrogate.axes, points[going], discrete)
        if len(neighbours) == 0:
            return points, values
        theirs = surrogate.value(neighbours)
        improved = []
        for place, start in enumerate(going):
            mine = np.flatnonzero(owners == place)
            if len(mine) and theirs[mine].max() > values[start] + 1e-12:
                winner = mine[int(np.argmax(theirs[mine]))]
                points[start], values[start] = neighbours[winner], theirs[winner]
                improved.append(start)
        going = np.array(improved, dtype=np.int64)
        if len(going) == 0:
            break
    return points, values


def _neighbours(axes: Axes, points: Array, discrete: list[int]) -> tuple[Array, NDArray[np.int64]]:
    """Every point that differs from one of these in one active discrete axis, and which one it is of."""
    active = axes.active(points)
    neighbours, owners = [np.empty((0, axes.m))], [np.empty(0, dtype=np.int64)]
    for place, point in enumerate(points):
        for j in discrete:
            if not active[place, j]:
                continue
            others = axes.axes[j].neighbours(float(point[j]))
            block = np.repeat(point[None], len(others), axis=0)
            block[:, j] = others
            neighbours.append(block)
            owners.append(np.full(len(others), place))
    return np.concatenate(neighbours), np.concatenate(owners)
