"""The simulator's rows of `bench fidelity`: many workers on a virtual clock, training real tabulated curves.

How long an epoch takes is log-normal: exp(N(0, 0.5)) for each trial times exp(N(0, 0.2)) for each of its epochs, in
units of the median epoch (sigma 0.54 in all). Configurations are random, so that only the schedulers differ. "Random"
is random search without stopping. A trial shows the mean of its seeds' curves: what differs is when it is trained.

The time to the target is that of the first truly best configuration (see `races`) to have run to its end in an open
study. Utilisation is taken of an open study, over as long as a median training takes, and of a study of so many trials
until its last one has ended.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.races import ETA, Problem, problem_named
from tuning.engine import Optimizer, Trial
from tuning.engine.simulation import Clock, simulate

PROBLEM = "digits_mlp"
SCHEDULERS = {"ASHA": "asha", "synchronous halving": "successive_halving", "Hyperband": "hyperband", "random": None}
ORDER = ("ASHA", "synchronous halving", "random")  # Li et al., MLSys 2020: the sooner the further left
TRIAL_SIGMA, EPOCH_SIGMA = 0.5, 0.2
SPEEDS, EPOCHS = 4099, 10_007  # primes: no two trials of a study meet the same draws in step


def log_normal(seed: int) -> Clock:
    """The units of time that a trial's epoch takes; the same for every scheduler of a seed."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 64]))
    speeds = np.exp(rng.normal(0.0, TRIAL_SIGMA, SPEEDS)).tolist()
    epochs = np.exp(rng.normal(0.0, EPOCH_SIGMA, EPOCHS)).tolist()

    def clock(trial: Trial, step: int) -> float:
        return float(speeds[trial.number % SPEEDS] * epochs[(trial.number * 127 + step) % EPOCHS])

    return clock


def study(problem: Problem, scheduler: str, seed: int, budget: int | None = None) -> Optimizer:
    return Optimizer(
        problem.space,
        "random",
        SCHEDULERS[scheduler],
        seed=seed,
        budget=budget,
        max_resource=problem.epochs,
        reduction_factor=ETA,
        objective="last",
    )


@cache
def shown_losses() -> NDArray[np.float64]:
    """The mean of the seeds (configurations, epochs)."""
    losses: NDArray[np.float64] = problem_named(PROBLEM).losses.mean(axis=1)
    return losses


def utilisation(scheduler: str, workers: int, seed: int, *, trials: int | None = None) -> float:
    """Of an open study over a median training, or of a study of so many trials over its whole length."""
    problem, losses = problem_named(PROBLEM), shown_losses()
    found = simulate(
        study(problem, scheduler, seed, trials),
        lambda trial, step: float(losses[problem.row(trial.params), step - 1]),
        log_normal(seed),
        workers=workers,
        max_seconds=float(problem.epochs) if trials is None else None,
    )
    return found.utilisation


def time_to_target(scheduler: str, workers: int, seed: int) -> float:
    """When a truly best configuration has first run to its end, or, where none has, when half of the grid's epochs are
    spent."""
    problem, losses = problem_named(PROBLEM), shown_losses()
    optimizer, best = study(problem, scheduler, seed), problem.best()
    epochs, reached = 0, 0

    def curve(trial: Trial, step: int) -> float:
        nonlocal epochs, reached
        epochs += 1
        row = problem.row(trial.params)
        if step == problem.epochs and row in best and not reached:
            reached = epochs
            optimizer.close()
        return float(losses[row, step - 1])

    found = simulate(optimizer, curve, log_normal(seed), workers=workers, max_epochs=problem.most)
    return found.reports[(reached or epochs) - 1].time
