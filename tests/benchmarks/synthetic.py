"""Synthetic test functions with known optima, on spaces in hpweb's JSON form.

Branin, Hartmann, Rosenbrock, Ackley and Levy as in Surjanovic & Bingham's Virtual Library of Simulation Experiments
(the optima of Branin and Hartmann-6 are those of methods known from the literature, to six digits); "mixed" and
"conditional" are our own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

Params = Mapping[str, Any]


@dataclass(frozen=True)
class Problem:
    """A function to minimise: `value` is its true value, `best` its least, `noise` the sd added to what is told."""

    name: str
    space: dict[str, Any]
    value: Callable[[Params], float]
    best: float
    noise: float = 0.0
    kind: str = "synthetic"


def box(bounds: list[tuple[float, float]]) -> dict[str, Any]:
    return {f"x{i}": {"type": "float", "low": low, "high": high} for i, (low, high) in enumerate(bounds)}


def vector(params: Params) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([params[f"x{i}"] for i in range(sum(name.startswith("x") for name in params))], dtype=float)


def branin(params: Params) -> float:
    x, y = vector(params)
    quadratic = y - 5.1 / (4 * np.pi**2) * x**2 + 5 / np.pi * x - 6
    return float(quadratic**2 + 10 * (1 - 1 / (8 * np.pi)) * np.cos(x) + 10)


ALPHA = np.array([1.0, 1.2, 3.0, 3.2])
A3 = np.array([[3.0, 10, 30], [0.1, 10, 35], [3.0, 10, 30], [0.1, 10, 35]])
P3 = 1e-4 * np.array([[3689, 1170, 2673], [4699, 4387, 7470], [1091, 8732, 5547], [381, 5743, 8828]])
A6 = np.array(
    [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
)
P6 = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)


def hartmann3(params: Params) -> float:
    return float(-np.sum(ALPHA * np.exp(-np.sum(A3 * (vector(params) - P3) ** 2, axis=1))))


def hartmann6(params: Params) -> float:
    return float(-np.sum(ALPHA * np.exp(-np.sum(A6 * (vector(params) - P6) ** 2, axis=1))))


def rosenbrock(params: Params) -> float:
    x = vector(params)
    return float(np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2))


SHIFT = np.array([0.31, -0.12, 0.27, -0.35, 0.08])


def ackley(params: Params) -> float:
    x = vector(params) - 10 * SHIFT
    return float(-20 * np.exp(-0.2 * np.sqrt(np.mean(x**2))) - np.exp(np.mean(np.cos(2 * np.pi * x))) + 20 + np.e)


def levy(params: Params) -> float:
    w = 1 + (vector(params) - 1) / 4
    middle = np.sum((w[:-1] - 1) ** 2 * (1 + 10 * np.sin(np.pi * w[:-1] + 1) ** 2))
    return float(np.sin(np.pi * w[0]) ** 2 + middle + (w[-1] - 1) ** 2 * (1 + np.sin(2 * np.pi * w[-1]) ** 2))


MIXED = {
    "lr": {"type": "float", "low": 1e-5, "high": 1.0, "log": True},
    "momentum": {"type": "float", "low": 0.0, "high": 0.99},
    "layers": {"type": "int", "low": 1, "high": 8},
    "units": {"type": "int", "low": 8, "high": 1024, "log": True},
    "activation": {"type": "categorical", "choices": ["relu", "tanh", "gelu", "elu"]},
    "norm": {"type": "categorical", "choices": [True, False]},
}


def mixed(params: Params) -> float:
    """The shape of a training: a valley in log lr that moves with momentum, capacity, two choices; 0 at its best."""
    rate = np.log10(params["lr"]) + 2.5 + 1.2 * (params["momentum"] - 0.9)
    size = 0.15 * (params["layers"] - 5) ** 2 / 4 + 0.4 * (np.log2(params["units"]) - 8) ** 2 / 9
    choice = {"relu": 0.1, "tanh": 0.5, "gelu": 0.0, "elu": 0.25}[params["activation"]]
    return float(rate**2 + 0.8 * (params["momentum"] - 0.9) ** 2 + size + choice + (0.0 if params["norm"] else 0.2))


CONDITIONAL = {
    "optimizer": {"type": "categorical", "choices": ["sgd", "adam", "lbfgs"]},
    "sgd_lr": {"type": "float", "low": 1e-4, "high": 1.0, "log": True, "when": {"optimizer": ["sgd"]}},
    "sgd_momentum": {"type": "float", "low": 0.0, "high": 0.99, "when": {"optimizer": ["sgd"]}},
    "adam_lr": {"type": "float", "low": 1e-5, "high": 0.1, "log": True, "when": {"optimizer": ["adam"]}},
    "adam_beta": {"type": "float", "low": 0.5, "high": 0.999, "when": {"optimizer": ["adam"]}},
    "history": {"type": "int", "low": 1, "high": 50, "when": {"optimizer": ["lbfgs"]}},
    "layers": {"type": "int", "low": 1, "high": 3},
    "units_1": {"type": "int", "low": 8, "high": 256, "log": True},
    "units_2": {"type": "int", "low": 8, "high": 256, "log": True, "when": {"layers": {"low": 2}}},
    "units_3": {"type": "int", "low": 8, "high": 256, "log": True, "when": {"layers": {"low": 3}}},
}


def conditional(params: Params) -> float:
    """Three optimisers with parameters of their own, one to three layers; 0 at adam, two layers, its optimum."""
    if params["optimizer"] == "sgd":
        inner = 0.25 + (np.log10(params["sgd_lr"]) + 1.3) ** 2 + 2 * (params["sgd_momentum"] - 0.85) ** 2
    elif params["optimizer"] == "adam":
        inner = (np.log10(params["adam_lr"]) + 2.8) ** 2 + 3 * (params["adam_beta"] - 0.9) ** 2
    else:
        inner = 0.6 + 0.0004 * (params["history"] - 20) ** 2
    widths = [(np.log2(params[f"units_{i}"]) - 6) ** 2 / 12 for i in range(1, params["layers"] + 1)]
    return float(inner + sum(widths) + {1: 0.3, 2: 0.0, 3: 0.1}[params["layers"]])


PLAIN = [
    Problem("branin", box([(-5, 10), (0, 15)]), branin, 0.397887),
    Problem("hartmann3", box([(0, 1)] * 3), hartmann3, -3.86278),
    Problem("hartmann6", box([(0, 1)] * 6), hartmann6, -3.32237),
    Problem("rosenbrock5", box([(-2, 2)] * 5), rosenbrock, 0.0),
    Problem("ackley5", box([(-10, 10)] * 5), ackley, 0.0),
    Problem("levy5", box([(-10, 10)] * 5), levy, 0.0),
    Problem("mixed", MIXED, mixed, 0.0),
    Problem("conditional", CONDITIONAL, conditional, 0.0),
]


def noisy(problem: Problem, share: float = 0.1) -> Problem:
    """The same with noise on what is told: `share` of the standard deviation over random configurations."""
    from tuning.engine import SearchSpace

    space = SearchSpace.from_json(problem.space)
    rng = np.random.default_rng(0)
    values = [problem.value(space.from_unit(rng.random(len(space)))) for _ in range(500)]
    low, high = np.quantile(values, [0.05, 0.95])
    return replace(problem, name=f"{problem.name}+noise", noise=share * float(np.std(np.clip(values, low, high))))


def moved(problem: Problem, seed: int) -> Problem:
    """The same in a box whose float sides are each moved outwards by up to half their length (log: in the exponent),
    so that the optimum sits elsewhere in the unit cube for each seed."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 77]))
    space = {}
    for name, form in problem.space.items():
        below, above = rng.uniform(0, 0.5, 2)
        if form["type"] != "float" or name in ("momentum", "sgd_momentum", "adam_beta"):
            space[name] = form
        elif form.get("log"):
            low, high = np.log(form["low"]), np.log(form["high"])
            width = high - low
            space[name] = {
                **form,
                "low": float(np.exp(low - below * width)),
                "high": float(np.exp(high + above * width)),
            }
        else:
            width = form["high"] - form["low"]
            low, high = form["low"] - below * width, form["high"] + above * width
            space[name] = {**form, "low": float(low), "high": float(high)}
    return replace(problem, name=f"{problem.name}+moved", space=space)
