"""Functions whose Sobol indices are known in closed form, with the bands that a forest of 1,000 trials must hit.

Ishigami with a = 7 and b = 0.1 on (-pi, pi)^3; Sobol's g-function; a sum. `bands` are for first-order shares that are
not normalised, at 1,000 uniform points.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tuning.engine import SearchSpace


@dataclass(frozen=True)
class Known:
    """A function of a space with its first-order and total indices, and where they are to be estimated."""

    name: str
    document: dict[str, Any]
    value: Callable[[Mapping[str, Any]], float]
    first: dict[str, float]
    total: dict[str, float]
    bands: dict[str, tuple[float, float]]

    @property
    def space(self) -> SearchSpace:
        return SearchSpace.from_json(self.document)

    def trials(self, n: int, seed: int) -> list[tuple[dict[str, Any], float]]:
        """n configurations drawn evenly, with their values."""
        space, rng = self.space, np.random.default_rng(seed)
        drawn = [space.from_unit(row) for row in rng.random((n, len(space)))]
        return [(params, self.value(params)) for params in drawn]


def box(names: str, low: float, high: float) -> dict[str, Any]:
    return {name: {"type": "float", "low": low, "high": high} for name in names.split()}


def _ishigami(x: Mapping[str, Any]) -> float:
    return math.sin(x["x1"]) + 7 * math.sin(x["x2"]) ** 2 + 0.1 * x["x3"] ** 4 * math.sin(x["x1"])


def _g(*a: float) -> Callable[[Mapping[str, Any]], float]:
    return lambda x: math.prod((abs(4 * x[f"x{i}"] - 2) + k) / (1 + k) for i, k in enumerate(a, 1))


ISHIGAMI = Known(
    "Ishigami",
    box("x1 x2 x3", -math.pi, math.pi),
    _ishigami,
    {"x1": 0.3139051911, "x2": 0.4424111448, "x3": 0.0},
    {"x1": 0.5575888552, "x2": 0.4424111448, "x3": 0.2436836641},
    {"x1": (0.22, 0.38), "x2": (0.28, 0.50), "x3": (0.0, 0.06)},
)
G = Known(
    "g-function",
    box("x1 x2 x3 x4", 0.0, 1.0),
    _g(0, 1, 4.5, 9),
    {"x1": 0.71649293, "x2": 0.17912323, "x3": 0.02368572, "x4": 0.00716493},
    {"x1": 0.7873697, "x2": 0.2422676, "x3": 0.03432674, "x4": 0.01046338},
    {"x1": (0.62, 0.80), "x2": (0.12, 0.23), "x3": (0.0, 0.05), "x4": (0.0, 0.03)},
)
ADDITIVE = Known(
    "additive",
    box("x1 x2 x3 x4", 0.0, 1.0),
    lambda x: 4 * x["x1"] + 2 * x["x2"] + x["x3"],
    {"x1": 16 / 21, "x2": 4 / 21, "x3": 1 / 21, "x4": 0.0},
    {"x1": 16 / 21, "x2": 4 / 21, "x3": 1 / 21, "x4": 0.0},
    {"x1": (0.70, 0.82), "x2": (0.14, 0.24), "x3": (0.015, 0.07), "x4": (0.0, 0.01)},
)
IDLE = ("x5", "x6", "x7", "x8")
G8 = Known(
    "g-function, 8 parameters",
    box("x1 x2 x3 x4 x5 x6 x7 x8", 0.0, 1.0),
    _g(0, 1, 4.5, 9, 99, 99, 99, 99),
    {"x1": 0.71619217, "x2": 0.17904804, "x3": 0.02367577, "x4": 0.00716192, **dict.fromkeys(IDLE, 7.16e-5)},
    {"x1": 0.78714413, "x2": 0.24219819, "x3": 0.03431691, "x4": 0.01046039, **dict.fromkeys(IDLE, 1.05e-4)},
    G.bands | dict.fromkeys(IDLE, (0.0, 0.01)),
)
KNOWN = (ISHIGAMI, G, ADDITIVE)
