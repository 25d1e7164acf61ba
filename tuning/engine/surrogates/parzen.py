"""Parzen estimator: a density over configurations, a kernel at each observed one and the prior as one more.

Bergstra, Bardenet, Bengio & Kégl, "Algorithms for Hyper-Parameter Optimization", NIPS 2011, §4; multivariate
as in Falkner, Klein & Hutter (BOHB), ICML 2018, §3.2; the anatomy of its parts: Watanabe, "Tree-Structured
Parzen Estimator", arXiv 2304.11127 (2023).

Glossary
    n   observations = kernels;  d  parameters;  m  points at which the density is asked for
    u   (n, d) observed coordinates in the unit cube of the priors, NaN where a parameter is absent
    s   (n, d) bandwidths
    w   (n + 1,) weights that sum to 1; the last belongs to the prior, whose density in the unit cube is 1
    x   (m, d) points, NaN where a parameter is absent
    p(x) = sum_i w_i prod_j k_ij(x_j) + w_n+1

    k_ij for a continuous parameter: the normal N(u_ij, s_ij²) truncated to [0, 1]
    for a finite numeric one (int, step): its mass on the value's bin over the bin's width
    for a categorical one with prior p_c: (1{c = observed} + a p_c C) / (1 + a C) / p_c,
        a = SMOOTHING prior_weight / (n + 1)

The unit cube is where log scales, steps and priors are uniform, so a kernel that says nothing is 1.

Conditions make the density a tree, with nothing lost: the product runs over the parameters that take part in
x, and a kernel whose trial lacked one of them has k_ij = 1 there. Drawing follows the same tree: a kernel,
then its value for each parameter, or the prior's where it has none. (Optuna models each group of parameters
that occur together on its own, and forgets how the groups depend on each other.)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy
from numpy.typing import NDArray

from tuning.engine.parameters import Parameter
from tuning.engine.parameters.base import Finite
from tuning.engine.surrogates.bandwidths import neighbour_bandwidths

LOG_SQRT_2PI = 0.9189385332046727
SMOOTHING = 3.0  # of categorical kernels; chosen on the design problems (1 stays too long with one choice)
LEAST_MASS = 1e-300  # a bin so far from a kernel that its mass is 0 in a double

Floats = NDArray[np.float64]


class ParzenEstimator:
    """A density over the unit cube of `parameters`, at `observed` (n, d) with positive `weights` (n,).

    prior_weight: that of the prior's kernel, beside weights around 1. narrowing, consider_endpoints: see
    `neighbour_bandwidths`. Raises ValueError for shapes that do not fit together and where neither an
    observation nor the prior has weight.
    """

    def __init__(
        self,
        parameters: Sequence[Parameter],
        observed: Floats,
        weights: Floats,
        *,
        prior_weight: float = 1.0,
        narrowing: float = 1.0,
        consider_endpoints: bool = False,
    ) -> None:
        n = len(weights)
        if observed.shape != (n, len(parameters)):
            raise ValueError(
                f"{n} weights and {len(parameters)} parameters need observations of the shape "
                f"({n}, {len(parameters)}), not {observed.shape}"
            )
        total = float(weights.sum()) + prior_weight
        if not total > 0:
            raise ValueError("neither an observation nor the prior has weight: give one of them some")
        self.parameters = tuple(parameters)
        self.observed = observed
        self.weights = np.append(weights, prior_weight) / total
        self._smoothing = SMOOTHING * prior_weight / (n + 1)
        self._finite = {j: q for j, q in enumerate(parameters) if isinstance(q, Finite)}
        self._choices = [j for j, q in enumerate(parameters) if q.kind == "categorical"]
        self._binned = [j for j in self._finite if j not in self._choices]
        self._continuous = [j for j in range(len(parameters)) if j not in self._finite]
        self._numeric = sorted(self._binned + self._continuous)
        self.bandwidths = np.full(observed.shape, np.nan)
        self.bandwidths[:, self._numeric] = neighbour_bandwidths(
            observed[:, self._numeric], narrowing=narrowing, consider_endpoints=consider_endpoints
        )

    # drawing

    def draw(self, rng: np.random.Generator, m: int) -> Floats:
        """m points (m, d) from the density, as if every parameter took part; finite ones at a value's
        coordinate."""
        n = len(self.observed)
        ends = np.cumsum(self.weights)
        kernel = np.minimum(np.searchsorted(ends, rng.random(m) * ends[-1], side="right"), n)
        x = rng.random((m, len(self.parameters)))
        stay = rng.random((m, len(self._choices)))
        if n:
            row = np.minimum(kernel, n - 1)
            centre = np.where((kernel < n)[:, None], self.observed[row], np.nan)
            known = ~np.isnan(centre)
            own = centre[:, self._numeric]
            x[:, self._numeric] = np.where(
                known[:, self._numeric],
                truncated_normal(x[:, self._numeric], own, self.bandwidths[row][:, self._numeric]),
                x[:, self._numeric],
            )
            sizes = np.array([self.parameters[j].size for j in self._choices])
            keep = known[:, self._choices] & (stay < 1.0 / (1.0 + self._smoothing * sizes))
            x[:, self._choices] = np.where(keep, centre[:, self._choices], x[:, self._choices])
        for j, parameter in self._finite.items():
            x[:, j] = [parameter.to_unit(parameter.from_unit(u)) for u in x[:, j].tolist()]
        return x

    # density

    def log_density(self, x: Floats) -> Floats:
        """log p (m,) at the points x (m, d)."""
        logs = self.log_kernels(x)
        top = logs.max(axis=1)
        density: Floats = top + np.log(np.exp(logs - top[:, None]).sum(axis=1))
        return density

    def log_kernels(self, x: Floats) -> Floats:
        """log(w_i prod_j k_ij(x_j)) (m, n + 1), the prior's last."""
        n = len(self.observed)
        logs = np.zeros((len(x), n + 1))
        if n:
            kernels = logs[:, :n]
            self._add_continuous(kernels, x)
            for j in self._binned:
                self._add_binned(kernels, x[:, j], j)
            for j in self._choices:
                self._add_choices(kernels, x[:, j], j)
        with np.errstate(divide="ignore"):  # a weight of 0 is a log of -inf, and that is right
            logs += np.log(self.weights)
        return logs

    def _add_continuous(self, logs: Floats, x: Floats) -> None:
        """All continuous parameters at once: the squares (x - u)² / s² as one matrix product.

        The product loses 1e-16 / s², at most 1e-11 at the least bandwidth.
        """
        columns = self._continuous
        u, s = self.observed[:, columns], self.bandwidths[:, columns]
        present = ~np.isnan(u)
        u, s = np.where(present, u, 0.0), np.where(present, s, 1.0)
        precision = np.where(present, 1.0 / (s * s), 0.0)
        scale = np.where(present, np.log(s * truncation_mass(u, s)) + LOG_SQRT_2PI, 0.0)
        takes_part = ~np.isnan(x[:, columns])
        points = np.where(takes_part, x[:, columns], 0.0)
        left = np.hstack([points * points, points, takes_part.astype(np.float64)])
        right = np.hstack([-0.5 * precision, u * precision, -0.5 * u * u * precision - scale])
        logs += left @ right.T

    def _add_binned(self, logs: Floats, x: Floats, j: int) -> None:
        rows, spans, place = self._bins(x, j)
        # Equal observations mostly share a bandwidth: far fewer different kernels than observations.
        kernels, which = np.unique(self.observed[:, j] + 1j * self.bandwidths[:, j], return_inverse=True)
        table = log_bin_density(spans, kernels.real, kernels.imag)
        logs[rows] += table[place][:, which]

    def _add_choices(self, logs: Floats, x: Floats, j: int) -> None:
        rows, spans, place = self._bins(x, j)
        observed, which = np.unique(self.observed[:, j], return_inverse=True)
        prior = spans[:, 1:] - spans[:, :1]
        same = (spans[:, :1] < observed) & (observed < spans[:, 1:])
        share = self._smoothing * (self.parameters[j].size or 1)
        table = np.where(np.isnan(observed), 0.0, np.log((same / prior + share) / (1.0 + share)))
        logs[rows] += table[place][:, which]

    def _bins(self, x: Floats, j: int) -> tuple[NDArray[np.intp], Floats, NDArray[np.intp]]:
        """Of the points x (m,): which ones have a value, the different values' bins (v, 2), and whose is which."""
        parameter = self._finite[j]
        rows = np.flatnonzero(~np.isnan(x))
        values, place = np.unique(x[rows], return_inverse=True)
        spans = [parameter.span(parameter.from_unit(u)) for u in values.tolist()]
        return rows, np.array(spans).reshape(-1, 2), place


def truncation_mass(mean: Floats, deviation: Floats) -> Floats:
    """The mass of N(mean, deviation²) on [0, 1]; at least 0.34 for a mean in [0, 1] and a deviation up to 1."""
    mass: Floats = scipy.special.ndtr((1.0 - mean) / deviation) - scipy.special.ndtr(-mean / deviation)
    return mass


def truncated_normal(probability: Floats, mean: Floats, deviation: Floats) -> Floats:
    """The quantile of N(mean, deviation²) truncated to [0, 1], for a mean in [0, 1]."""
    start = scipy.special.ndtr(-mean / deviation)
    z = scipy.special.ndtri(start + probability * (scipy.special.ndtr((1.0 - mean) / deviation) - start))
    quantile: Floats = np.clip(mean + deviation * z, 0.0, 1.0)
    return quantile


def log_bin_density(spans: Floats, mean: Floats, deviation: Floats) -> Floats:
    """log of the truncated normals' mass on the bins (v, 2) over the bins' width: (v, k) for k kernels.

    0 for a kernel whose mean is NaN.
    """
    start = (spans[:, :1] - mean) / deviation
    end = (spans[:, 1:] - mean) / deviation
    # In the upper tail the difference of the upper tails: 1 - 1e-20 is 1 in a double.
    upper = start > 0
    start, end = np.where(upper, -end, start), np.where(upper, -start, end)
    mass = np.maximum(scipy.special.ndtr(end) - scipy.special.ndtr(start), LEAST_MASS)
    width = spans[:, 1:] - spans[:, :1]
    density = np.log(mass) - np.log(truncation_mass(mean, deviation) * width)
    return np.where(np.isnan(mean), 0.0, density)
