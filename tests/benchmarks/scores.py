"""Scores of searches, and whether one contender's are above another's.

Score at a budget: 1 is the best known value, 0 the median of random search at the same budget, floor -1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.searches import BUDGETS, Values, problem_named

Scores = NDArray[np.float64]  # (problems, seeds), NaN where no search was played


def score(value: float, best: float, random_median: float) -> float:
    """1 at the best known, 0 at the median of random search, floor -1."""
    return max(-1.0, (random_median - value) / max(random_median - best, 1e-12))


def scores_of(values: Values, contender: str, budget: int) -> Scores:
    """Scores (problems, seeds), NaN where a run is missing; a column for each seed that anybody but random search
    played, so that the scores of two contenders are paired."""
    index = BUDGETS.index(budget)
    runs = [(name, seeds) for by_contender in values.values() for name, seeds in by_contender.items()]
    columns = sorted({seed for name, seeds in runs if name != "random" for seed in seeds})
    rows = []
    for name, by_contender in values.items():
        medians = [run[index] for run in by_contender["random"].values() if len(run) > index]
        random_median = float(np.median(medians)) if medians else np.nan
        row = []
        for seed in columns:
            run = by_contender.get(contender, {}).get(seed, [])
            reached = len(run) > index
            row.append(score(run[index], problem_named(name, seed).best, random_median) if reached else np.nan)
        rows.append(row)
    return np.array(rows, dtype=np.float64).reshape(len(values), len(columns))


def mean_of(scores: Scores) -> float:
    """The mean over problems of each problem's mean over seeds; NaN without any."""
    played = scores[~np.isnan(scores).all(axis=1)]
    return float(np.nanmean(played, axis=1).mean()) if len(played) else float("nan")


@dataclass(frozen=True)
class Comparison:
    """A mean paired difference of scores, its 95 % interval, and over how much it was taken."""

    mean: float
    low: float
    high: float
    problems: int
    seeds: int
    by_problem: Mapping[str, float]

    @property
    def verdict(self) -> str:
        return "won" if self.low > 0 else "lost" if self.high < 0 else "tied"

    def __str__(self) -> str:
        interval = f"{self.mean:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"
        return f"{self.verdict}, {interval}, {self.problems} problems x {self.seeds} seeds"

    def worst(self, count: int = 4) -> str:
        """The problems that weigh most against the first contender, those where it is behind."""
        behind = sorted((mean, name) for name, mean in self.by_problem.items() if mean < 0)[:count]
        return ", ".join(f"{name} {mean:+.2f}" for mean, name in behind)


def paired_bound(ours: Scores, theirs: Scores, draws: int = 4000) -> tuple[float, float, float]:
    """Mean difference of scores (problems, seeds), and its 95 % interval by a paired bootstrap over seeds.

    Only the searches that both played count. Every draw takes as many seeds as there are, with replacement, and the
    same ones for all problems, because a seed gives problems of one space the same start-up points, so that their
    differences are not independent. Problems are not resampled: the interval speaks of these problems, not of others.
    Draws are widened by sqrt(n / (n - 1)), without which n seeds would give an interval too narrow by that factor.
    Raises ValueError where no search was played by both, or only one seed's.
    """
    difference = ours - theirs
    played = ~np.isnan(difference)
    difference = difference[played.any(axis=1)][:, played.any(axis=0)]
    if difference.size == 0 or difference.shape[1] < 2:
        raise ValueError("a paired bootstrap needs searches of both contenders for at least two seeds")
    present = ~np.isnan(difference)
    n = difference.shape[1]
    counts = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=draws)
    sums = counts @ np.where(present, difference, 0.0).T
    taken = counts @ present.T
    with np.errstate(invalid="ignore"):  # a problem without any of the drawn seeds has no mean in this draw
        means = np.nanmean(sums / np.where(taken > 0, taken, np.nan), axis=1)
    mean = mean_of(difference)
    low, high = mean + np.sqrt(n / (n - 1)) * (np.quantile(means, [0.025, 0.975]) - mean)
    return mean, float(low), float(high)


def compared(names: Sequence[str], ours: Scores, theirs: Scores) -> Comparison | None:
    """The comparison over what both played, None where that is less than two seeds."""
    difference = ours - theirs
    played = ~np.isnan(difference)
    if played.any(axis=0).sum() < 2:
        return None
    means = {
        name: float(np.nanmean(row)) for name, row in zip(names, difference, strict=True) if not np.isnan(row).all()
    }
    return Comparison(*paired_bound(ours, theirs), len(means), int(played.any(axis=0).sum()), means)
