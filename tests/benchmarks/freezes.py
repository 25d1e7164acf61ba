"""Random objectives of which it is known what each parameter matters, to count false alarms of FREEZE.

Six parameters of mixed kinds. Each has an effect with a chance of one half (a slope, a bowl or a cliff), each pair an
interaction x * y without main effects with a chance of one tenth, and there is noise of 5 to 30 % of the deviation.
What a parameter truly matters is its total Sobol index, as a share of the variance with the noise, by Monte Carlo.
Designs were made on seeds below REPORT_SEED.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from tuning.analysis.importance import importances
from tuning.engine import SearchSpace
from tuning.engine.surrogates.axes import axes_of

REPORT_SEED = 5_000
POINTS = 20_000
LEAST = 0.01  # a frozen parameter that truly has this share or more is a false alarm
SPACE = SearchSpace.from_json(
    {
        "a": {"type": "float", "low": 0.0, "high": 1.0},
        "b": {"type": "float", "low": 1e-5, "high": 0.1, "log": True},
        "c": {"type": "int", "low": 1, "high": 5},
        "d": {"type": "categorical", "choices": ["relu", "gelu", "tanh"]},
        "e": {"type": "float", "low": -1.0, "high": 1.0},
        "f": {"type": "int", "low": 8, "high": 512, "log": True},
    }
)
EFFECTS: tuple[Callable[[Any, float], Any], ...] = (
    lambda u, at: u,
    lambda u, at: 3.0 * (u - at) ** 2,
    lambda u, at: np.where(u > 0.2 + 0.6 * at, 1.0, 0.0),
)


@dataclass(frozen=True)
class Problem:
    """A random objective: its noise, and the true total share of each parameter."""

    loss: Callable[[Any], Any]
    noise: float
    total: dict[str, float]


def problem(seed: int) -> Problem:
    """The objective of a seed; never without any effect."""
    rng, names = np.random.default_rng([seed, 1]), SPACE.names
    weights = np.where(rng.random(len(names)) < 0.5, 0.0, rng.uniform(0.2, 1.5, len(names)))
    weights[rng.integers(len(names))] = 1.0
    shapes, optima = rng.integers(len(EFFECTS), size=len(names)), rng.random(len(names))
    pairs = [(i, j, 2.0 * rng.uniform(0.5, 2.0)) for i, j in combinations(range(len(names)), 2) if rng.random() < 0.1]

    def loss(u: Any) -> Any:
        parts = [weights[i] * EFFECTS[shapes[i]](u[:, i], optima[i]) for i in range(len(names))]
        return sum(parts) + sum(weight * (u[:, i] - 0.5) * (u[:, j] - 0.5) for i, j, weight in pairs)

    points, other = coordinates(rng, POINTS), coordinates(rng, POINTS)
    values = loss(points)
    noise = float(rng.uniform(0.05, 0.3) * values.std())
    total = {}
    for i, name in enumerate(names):
        moved = points.copy()
        moved[:, i] = other[:, i]
        total[name] = float(0.5 * np.mean((values - loss(moved)) ** 2) / (values.var() + noise**2))
    return Problem(loss, noise, total)


def coordinates(rng: np.random.Generator, n: int) -> Any:
    """Even points (n, 6) of the cube, those of finite parameters at their bins' centres."""
    u = rng.random((n, len(SPACE)))
    return np.column_stack([axis.snapped(u[:, j]) for j, axis in enumerate(axes_of(SPACE).axes)])


def frozen(seed: int, trials: int) -> tuple[dict[str, float], list[str]]:
    """The true total shares, and which parameters FREEZE names after so many trials of random search."""
    made, rng = problem(seed), np.random.default_rng([seed, 2])
    u = coordinates(rng, trials)
    values = made.loss(u) + made.noise * rng.standard_normal(trials)
    pairs = [(SPACE.from_unit(row), float(value)) for row, value in zip(u, values, strict=True)]
    found = importances(SPACE, pairs, ("fanova", "permutation"), seed)["fanova"].idle
    return made.total, [each.name for each in found]


@dataclass
class Tally:
    """What came of several histories: alarms that were false, idle parameters there were, and how many were named."""

    histories: int = 0
    with_false: int = 0
    false: int = 0
    named: int = 0
    idle: int = 0
    worst: float = 0.0  # the largest true share of a parameter that was named

    def count(self, total: dict[str, float], named: list[str]) -> None:
        wrong = [name for name in named if total[name] >= LEAST]
        self.histories += 1
        self.with_false += bool(wrong)
        self.false += len(wrong)
        self.named += len(named) - len(wrong)
        self.idle += sum(share < 1e-9 for share in total.values())
        self.worst = max([self.worst, *(total[name] for name in named)])


def tally(seeds: range, trials: int) -> Tally:
    """FREEZE over the histories of these seeds."""
    counted = Tally()
    for seed in seeds:
        counted.count(*frozen(seed, trials))
    return counted
