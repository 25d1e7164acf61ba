"""Races on tabulated learning curves: how many epochs a search trains until its incumbent is one of the truly best.

The incumbent, the same for everybody: of the trials that have come furthest, the one with the least loss there. How
far a trial has come is counted in rungs (1, 3, 9, 27, 81 epochs), so that trials are compared at equal epochs. Truly
best are 2 % of the configurations, by the loss after the last epoch, the mean of the seeds. A race is run one trial at
a time, and ends where a trial that has run to its end is an incumbent of these too, or after as many epochs as half of
the grid has.

On the real tables a trial shows the mean of its configuration's seeds. Where it shows one of them instead (`SINGLE`),
luck decides many races: on the perceptrons' table the least loss of any seed belongs to the configuration that is 57th
by the mean, and who has met it keeps it as the incumbent for good.
"""

import hashlib
import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks import curve_families, learning_curves

SHARE = 0.02  # of the configurations are the truly best
ETA = 3


class Over(Exception):
    """The race has been decided."""


@dataclass(frozen=True)
class Problem:
    """A grid of configurations with their curves, (configurations, seeds, epochs)."""

    name: str
    nodes: Mapping[str, tuple[Any, ...]]
    space: Mapping[str, Any]
    losses: NDArray[np.float64]

    @property
    def epochs(self) -> int:
        return int(self.losses.shape[2])

    @property
    def most(self) -> int:
        """The epochs after which a race is over."""
        return self.losses.shape[0] * self.epochs // 2

    @property
    def rungs(self) -> tuple[int, ...]:
        return tuple(itertools.takewhile(lambda step: step <= self.epochs, (ETA**k for k in itertools.count())))

    def row(self, params: Mapping[str, Any]) -> int:
        """The place of a configuration in the table."""
        found = 0
        for name, values in self.nodes.items():
            if isinstance(values[0], str):
                place = values.index(params[name])
            else:
                place = round((params[name] - values[0]) / (values[1] - values[0]))
            found = found * len(values) + place
        return found

    def best(self) -> set[int]:
        """The rows of the truly best configurations; one that ever diverges is not among them."""
        true = np.nan_to_num(self.losses[:, :, -1].mean(axis=1), nan=math.inf)
        return set(np.argsort(true, kind="stable")[: math.ceil(SHARE * len(true))].tolist())


ONE_SEED = ", one seed"
REAL = tuple(learning_curves.RECIPES)
SINGLE = tuple(name + ONE_SEED for name in REAL)  # the same tables, a trial shows one seed of its configuration


@cache
def problem_named(name: str) -> Problem:
    table = name.removesuffix(ONE_SEED)
    if table in REAL:
        recipe = learning_curves.RECIPES[table]
        losses = learning_curves.table(table)
        shown = losses if name in SINGLE else losses.mean(axis=1, keepdims=True)
        return Problem(name, recipe.nodes, recipe.space(), shown)
    nodes = curve_families.NODES
    return Problem(name, nodes, learning_curves.form_of(nodes), curve_families.FAMILIES[name]())


SYNTHETIC = tuple(curve_families.FAMILIES)


@dataclass
class Track:
    """Trains on a table: shows each epoch's loss, counts epochs, and watches the incumbent.

    found: epochs until the incumbent was truly best, `finished` until that held of trials run to their end alone; None
    where the race was over first.
    """

    problem: Problem
    seed: int
    epochs: int = 0
    found: int | None = None
    finished: int | None = None
    _best: set[int] = field(init=False)
    _incumbent: tuple[int, float] = (0, math.inf)  # rung, loss
    _complete: float = math.inf

    def __post_init__(self) -> None:
        self._best = self.problem.best()

    def train(self, number: int, params: Mapping[str, Any], step: int) -> float:
        """The loss after a trial's next epoch, `step` from 1. Raises Over where the race ends with it."""
        row = self.problem.row(params)
        loss = self.loss(number, row, step)
        self.epochs += 1
        if step in self.problem.rungs and math.isfinite(loss):
            rung, least = self._incumbent
            if step > rung or (step == rung and loss < least):
                self._incumbent = (step, loss)
                if self.found is None and row in self._best:
                    self.found = self.epochs
        if step == self.problem.epochs and loss < self._complete:
            self._complete = loss
            if row in self._best:
                self.finished = self.epochs
                raise Over
        if self.epochs >= self.problem.most:
            raise Over
        return loss

    def loss(self, number: int, row: int, step: int) -> float:
        """What a trial of this configuration shows after an epoch."""
        return float(self.problem.losses[row, self._seed_of(number), step - 1])

    def _seed_of(self, number: int) -> int:
        """Which of the trained seeds a trial is; the same for the trials of this number of all contenders."""
        return hashlib.sha256(f"{self.seed} {number}".encode()).digest()[0] % self.problem.losses.shape[1]


Contender = Callable[[Problem, int, Track], None]  # problem, seed; trains on the track until it raises


def hpweb(sampler: str, scheduler: str | None, **options: Any) -> Contender:
    """hpweb's sampler and scheduler of these names."""

    def run(problem: Problem, seed: int, track: Track) -> None:
        from tuning.engine import Optimizer

        optimizer = Optimizer(
            problem.space,
            sampler,
            scheduler,
            seed=seed,
            max_resource=problem.epochs,
            reduction_factor=ETA,
            objective="last",
            scheduler_options=options,
        )
        while True:
            trial = optimizer.ask()
            step, verdict = trial.resume_step, "continue"
            while verdict == "continue":
                step += 1
                verdict = optimizer.report(trial.number, step, track.train(trial.number, trial.params, step))

    return run
