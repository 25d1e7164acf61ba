"""What races say of a contender: epochs until it found, how often it never did, and how many times fewer than random.

A race that never found counts with all the epochs that it had, which is too few: a mean over such races is a lower
bound, and so are the ratios of a random search that has some.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.race_values import Outcomes
from tests.benchmarks.races import problem_named
from tests.benchmarks.scores import Comparison, compared

FOUND, FINISHED = 0, 1  # the incumbent was truly best; one that had run to its end was
Epochs = NDArray[np.float64]  # (problems, seeds), NaN where no race was run


def epochs_of(outcomes: Outcomes, contender: str, problems: Sequence[str], until: int = FOUND) -> Epochs:
    """Epochs (problems, seeds), a column for each seed that anybody ran; NaN where this contender did not."""
    seeds = sorted(
        {seed for by_contender in outcomes.values() for by_seed in by_contender.values() for seed in by_seed}
    )
    rows = []
    for name in problems:
        known = outcomes.get(name, {}).get(contender, {})
        most = float(problem_named(name).most)
        rows.append([(known[seed][until : until + 1] or [most])[0] if seed in known else np.nan for seed in seeds])
    return np.array(rows, dtype=np.float64).reshape(len(problems), len(seeds))


def never(outcomes: Outcomes, contender: str, problem: str, until: int = FOUND) -> int:
    """How many races ended without it."""
    return sum(len(found) <= until for found in outcomes.get(problem, {}).get(contender, {}).values())


@dataclass(frozen=True)
class Ratio:
    """How many times fewer epochs, with the 95 % interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.2f} times fewer [{self.low:.2f}, {self.high:.2f}]"


def ratio(theirs: Epochs, ours: Epochs, draws: int = 4000) -> Ratio:
    """Their mean epochs over ours, of several problems the geometric mean, by a paired bootstrap over seeds.

    Every draw takes as many seeds as there are, with replacement, the same ones for both contenders and all problems.
    Draws are widened by sqrt(n / (n - 1)) on the scale of logarithms, as in `scores.paired_bound`. Raises ValueError
    where a race is missing, or there are fewer than two seeds.
    """
    if np.isnan(theirs).any() or np.isnan(ours).any() or theirs.shape != ours.shape or ours.shape[1] < 2:
        raise ValueError("a ratio needs the races of both contenders on all problems, for at least two seeds")
    n = ours.shape[1]
    counts = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=draws)
    logs = (np.log(counts @ theirs.T) - np.log(counts @ ours.T)).mean(axis=1)
    mean = float(np.mean(np.log(theirs.mean(axis=1) / ours.mean(axis=1))))
    low, high = mean + np.sqrt(n / (n - 1)) * (np.quantile(logs, [0.025, 0.975]) - mean)
    return Ratio(float(np.exp(mean)), float(np.exp(low)), float(np.exp(high)))


def saved(problems: Sequence[str], theirs: Epochs, ours: Epochs, baseline: Epochs) -> Comparison | None:
    """How many epochs fewer than theirs, paired by seed, in units of the baseline's mean on each problem, so that a
    long training does not outweigh a short one."""
    unit = np.nanmean(baseline, axis=1, keepdims=True)
    return compared(problems, -ours / unit, -theirs / unit)
