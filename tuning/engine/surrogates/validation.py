"""How good a model is: each trial's value predicted without that trial, against what it was.

Leave-one-out in closed form: Rasmussen & Williams, "Gaussian Processes for Machine Learning", 2006, equations 5.10
to 5.12. With K the covariance of the observations, noise included, and alpha = K^-1 y, the process without observation
i expects y_i - alpha_i / (K^-1)_ii of it, with variance 1 / (K^-1)_ii. The length scales stay those of the fit to all
observations; refitting them n times would cost n fits and change little, they being a few numbers for many trials.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from tuning.engine.history import History
from tuning.engine.surrogates.gaussian_process import GaussianProcess
from tuning.engine.surrogates.surrogate import Surrogate
from tuning.engine.trial import TrialState

Array = NDArray[np.float64]

BAND = 1.959963984540054  # standard deviations on either side that hold 95 % of a normal distribution
FEWEST = 6  # trials below which a rank correlation says nothing
GOOD, FAIR = 0.7, 0.4  # rank correlations
CERTAIN = 1.645  # the rank correlation must be above 0 with 95 % confidence
HONEST = 0.8  # share inside the 95 % band below which the band is too narrow


@dataclass(frozen=True)
class Validation:
    """Predictions of n complete trials, each made without that trial; values in the objective's own scale.

    The band `low` to `high` should hold 95 % of the observed values.
    """

    numbers: NDArray[np.int64]
    observed: Array
    predicted: Array
    low: Array
    high: Array
    inside: NDArray[np.bool_]
    rank_correlation: float | None  # Spearman's; None for fewer than three trials

    @property
    def n(self) -> int:
        return len(self.numbers)

    @property
    def coverage(self) -> float | None:
        """The share of the trials inside their band; None without trials."""
        return float(self.inside.mean()) if self.n else None

    @property
    def verdict(self) -> str:
        """ "good", "fair" or "poor"; "unclear" while there are too few trials to tell.

        Poor is also a correlation that chance alone might give, by Fisher's transformation with the standard error of
        Fieller, Hartley & Pearson, Biometrika 44 (1957).
        """
        if self.n < FEWEST or self.rank_correlation is None:
            return "unclear"
        rho = min(max(self.rank_correlation, -0.999999), 0.999999)
        if math.atanh(rho) <= CERTAIN * 1.03 / math.sqrt(self.n - 3) or rho < FAIR:
            return "poor"
        return "good" if rho >= GOOD else "fair"

    @property
    def overconfident(self) -> bool:
        """Whether the band holds so few trials that it must be too narrow."""
        return self.n >= FEWEST and (self.coverage or 0.0) < HONEST


def leave_one_out(surrogate: Surrogate, history: History) -> Validation:
    """Every complete trial of the model, predicted by the others; those whose loss was made up do not count.

    A trial's losses at lower rungs are left out with it.
    """
    process, outputs = surrogate.process, surrogate.outputs
    rows, lower = surrogate.observations.rows, surrogate.observations.lower
    precision = (process._L_inverse**2).sum(axis=0)  # the diagonal of K^-1 = L^-T L^-1
    # First in the process; what earlier studies and lower rungs taught comes after them.
    target, precision = process.y[: len(rows)], precision[: len(rows)]
    mean, variance = target - process.alpha[: len(rows)] / precision, 1.0 / precision
    for place in np.flatnonzero(np.isin(rows, lower.rows)).tolist():
        own = len(process.y) - len(lower) + np.flatnonzero(lower.rows == rows[place])
        mean[place], variance[place] = _without(process, np.append(place, own))
    sd = np.sqrt(variance)
    counted = history.mask(TrialState.COMPLETE)[rows] & np.isfinite(history.values[rows])
    sign = history.direction.sign
    mean, sd, target = mean[counted], sd[counted], target[counted]
    ends = np.stack([sign * outputs.backward(mean + side * BAND * sd) for side in (-1.0, 1.0)])
    return Validation(
        numbers=history.numbers[rows][counted],
        observed=history.values[rows][counted],
        predicted=sign * outputs.backward(mean),
        low=ends.min(axis=0),
        high=ends.max(axis=0),
        inside=np.abs(target - mean) <= BAND * sd,
        rank_correlation=rank_correlation(mean, target),
    )


def _without(process: GaussianProcess, block: NDArray[np.int64]) -> tuple[float, float]:
    """Mean and variance of the first observation of a block by those outside it: y - S alpha and S, with S the inverse
    of the block of K^-1."""
    columns = process._L_inverse[:, block]
    within = np.linalg.inv(columns.T @ columns)
    return float(process.y[block[0]] - within[0] @ process.alpha[block]), float(within[0, 0])


def rank_correlation(a: Array, b: Array) -> float | None:
    """Spearman's rank correlation of two sequences (n,); 0 where one is constant, None for fewer than three."""
    if len(a) < 3:
        return None
    x, y = scipy.stats.rankdata(a), scipy.stats.rankdata(b)
    x, y = x - x.mean(), y - y.mean()
    size = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / size if size > 0 else 0.0
