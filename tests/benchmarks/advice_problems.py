"""The problems of `bench advice`: tabulated learning curves, real and made, and trainings without a curve.

Curves are as in `races`: a grid of configurations, and a trial shows the mean of its configuration's seeds (on made
curves one of three seeds). What is longer than 27 epochs is looked at every third of them, a step each, so that a full
run takes minutes. Trainings without a curve are `real`'s: a trial is told as a whole, and counts as one step.

The rules of the advice were chosen on DESIGN with seeds from 0 on; nothing had been played on HELD_OUT before the
reported run. (The samplers and Hyperband themselves were chosen on some of either: see `bench samplers`, `fidelity`.)
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from tests.benchmarks import races, real, staged_curves
from tests.benchmarks.learning_curves import form_of
from tuning.engine import SearchSpace

CURVES = ("digits_mlp", "digits_cnn", *staged_curves.RECIPES, "crossing", "slow_start", "parallel")
WHOLE = ("svc_cancer", "forest_cancer", "tree_digits", "svc_digits", "forest_diabetes", "svr_diabetes")
PROBLEMS = (*CURVES, *WHOLE)
MADE = races.SYNTHETIC
DESIGN = (
    "digits_mlp", "boosting_diabetes", "mlp_cancer", "crossing", "parallel",
    "svc_cancer", "forest_cancer", "tree_digits",
)  # fmt: skip
HELD_OUT = tuple(name for name in PROBLEMS if name not in DESIGN)
EVERY = 3  # of the epochs of long curves is a step


@dataclass(frozen=True)
class Problem:
    """What a trial shows after a step, what a configuration is worth, and what the scores are measured with: the best
    worth, and the typical one, the median of all configurations."""

    name: str
    space: Mapping[str, Any]
    max_resource: int | None  # None: a trial is told as a whole
    shown: Callable[[int, Mapping[str, Any], int], float]  # trial's number, params, step
    worth: Callable[[Mapping[str, Any]], float]
    best: float
    typical: float

    @property
    def steps(self) -> int:
        """Of a full training."""
        return self.max_resource or 1

    def score(self, value: float) -> float:
        """1 at the best configuration, 0 at the typical one, floor -1."""
        return max(-1.0, (self.typical - value) / (self.typical - self.best)) if np.isfinite(value) else -1.0


@cache
def problem_named(name: str, seed: int = 0) -> Problem:
    """The problem of this name; the seed says which of a made curve's seeds a trial shows."""
    return _curves(name, seed) if name in CURVES else _whole(name)


def _table(name: str) -> races.Problem:
    if name not in staged_curves.RECIPES:
        return races.problem_named(name)
    nodes = staged_curves.RECIPES[name].nodes
    losses = staged_curves.table(name).mean(axis=1, keepdims=True)
    return races.Problem(name, nodes, form_of(nodes), losses)


def _curves(name: str, seed: int) -> Problem:
    table = _table(name)
    every = EVERY if table.epochs > 27 else 1
    losses = table.losses[:, :, every - 1 :: every]
    worth = np.nan_to_num(losses[:, :, -1].mean(axis=1), nan=np.inf)
    track = races.Track(table, seed)

    def shown(number: int, params: Mapping[str, Any], step: int) -> float:
        return track.loss(number, table.row(params), step * every)

    return Problem(
        name,
        table.space,
        int(losses.shape[2]),
        shown,
        lambda params: float(worth[table.row(params)]),
        float(worth.min()),
        float(np.median(worth)),
    )


def _whole(name: str) -> Problem:
    found = real.problem(name)
    space = SearchSpace.from_json(found.space)
    unit = np.random.default_rng(0).random((2001, len(space)))
    typical = float(np.median([found.value(space.from_unit(point)) for point in unit]))
    return Problem(
        name,
        found.space,
        None,
        lambda number, params, step: found.value(params),
        found.value,
        found.best,
        typical,
    )
