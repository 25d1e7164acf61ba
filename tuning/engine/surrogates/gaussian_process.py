"""Gaussian-process regression: Matérn-5/2 with a length scale for each axis, fitted by maximum a posteriori.

Rasmussen & Williams, "Gaussian Processes for Machine Learning", 2006, chapters 2 and 5. Glossary:

    n, m, F, q      observations, axes, columns of the embedding, query points
    X       (n, F)  embedded configurations (see `axes`)        owner (F,)  the axis of each column
    y       (n,)    targets, standardised by the caller
    ell     (m,)    length scales; weights w = 1 / ell^2, squared distance r2 = sum_f w_owner(f) (x_f - x'_f)^2
    k(r2)           scale (1 + a + a^2 / 3) exp(-a), a = sqrt(5 r2)
    K       (n, n)  k between all observations + noise I = L L^T, L lower triangular
    alpha   (n,)    K^-1 y
    columns (w,)    the columns that are warped, log_shape (2, w) the logarithms of their shapes (see `warping`)
    theta (m + 2 + 2 w,)  log ell, log scale, log noise, log_shape

Priors, those of Optuna's Gaussian process: -0.1 sum_j (ell_j^2 + ell_j^-2), which keeps an axis that the data
say nothing about at a length scale near 1; scale ~ Gamma(2, 1); noise ~ Gamma(1.1, 30); log_shape ~ N(0, SHAPE_SD^2),
no warping being the likeliest. Measured on nine
synthetic problems at 50 trials, 4 to 8 seeds, the log-normal priors of Hvarfner, Hellsten & Nardi (ICML 2024)
scored 0.06 less as published and 0.01 to 0.03 less when narrowed, the latter within the spread of the seeds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import scipy
from numpy.typing import NDArray

from tuning.engine.surrogates.warping import warped, warped_and_slopes

Array = NDArray[np.float64]

NOISE_FLOOR = 1e-6  # of the variance of the targets: what keeps K regular where configurations repeat
JITTERS = (0.0, 1e-8, 1e-6, 1e-4, 1e-2)  # added to the diagonal, in units of the scale, until K factorises
LOG_ELL = (np.log(0.02), np.log(20.0))
LOG_SCALE = (np.log(0.02), np.log(50.0))
LOG_NOISE = (np.log(NOISE_FLOOR), np.log(2.0))
LOG_SHAPE = (-2.0, 2.0)
SHAPE_SD = 0.5
NO_COLUMNS = np.empty(0, dtype=np.int64)
FIT_OPTIONS = {"maxiter": 40, "ftol": 1e-6}  # further digits of theta change no suggestion that matters


def matern52(r2: Array) -> Array:
    """(1 + a + a^2 / 3) exp(-a) with a = sqrt(5 r2), for squared distances r2 >= 0 of any shape."""
    a = np.asarray(np.sqrt(5.0 * r2))
    polynomial = np.asarray(a * (1.0 / 3.0))
    polynomial += 1.0
    polynomial *= a
    polynomial += 1.0
    np.negative(a, out=a)
    polynomial *= np.exp(a, out=a)
    return polynomial


def matern52_and_slope(r2: Array) -> tuple[Array, Array]:
    """The same and its derivative with respect to r2, -5/6 (1 + a) exp(-a), which is smooth at 0."""
    a = np.sqrt(5.0 * r2)
    decay = np.exp(-a)
    slope = (-5.0 / 6.0) * (1.0 + a) * decay
    return decay * (1.0 + a + a * a / 3.0), slope


@dataclass(frozen=True)
class Hyperparameters:
    """Length scales ell (m,), scale and noise variance, all positive; log_shape (2, w) of the warped columns."""

    ell: Array
    scale: float
    noise: float
    log_shape: Array = field(default_factory=lambda: np.zeros((2, 0)))

    @classmethod
    def from_theta(cls, theta: Array, m: int) -> Hyperparameters:
        return cls(
            np.exp(theta[:m]), float(np.exp(theta[m])), float(np.exp(theta[m + 1])), theta[m + 2 :].reshape(2, -1)
        )

    def theta(self) -> Array:
        return np.concatenate([np.log(self.ell), [np.log(self.scale), np.log(self.noise)], self.log_shape.ravel()])


def default_hyperparameters(m: int, warped_columns: int = 0) -> Hyperparameters:
    """Where the fit begins: moderate length scales, a scale of 1, little noise, no warping."""
    return Hyperparameters(np.full(m, 0.5 * np.sqrt(max(m, 1))), 1.0, 1e-2, np.zeros((2, warped_columns)))


class LogPosterior:
    """The log posterior density of theta (up to a constant) with its gradient, for one y (n,).

    Squared differences of each axis are kept for the pairs i > j alone, (m, n (n - 1) / 2).
    """

    def __init__(
        self, X: Array, y: Array, owner: NDArray[np.int64], m: int, columns: NDArray[np.int64] = NO_COLUMNS
    ) -> None:
        self._n, self._m, self._y = len(X), m, y
        self._warped, self._axes = X[:, columns], owner[columns]
        self._rows, self._columns = _pairs(len(X))
        self._flat = self._rows + self._columns * len(X)  # entry (i, j) of a matrix stored column by column
        self._squares = np.zeros((m, len(self._rows)))
        for f, axis in enumerate(owner):
            x = X[:, f]
            if f not in columns and (x[0] != x.min() or x[0] != x.max()):
                self._squares[axis] += (x[self._rows] - x[self._columns]) ** 2

    def __call__(self, theta: Array) -> tuple[float, Array]:
        """(value, gradient (m + 2 + 2 w,)); -inf with a zero gradient where K does not factorise."""
        n, m = self._n, self._m
        weights, scale, noise = np.exp(-2.0 * theta[:m]), np.exp(theta[m]), np.exp(theta[m + 1])
        squares, log_shape = self._squares, theta[m + 2 :].reshape(2, -1)
        if log_shape.size:
            U, _, by_shape = warped_and_slopes(self._warped, log_shape)
            differences = (U[self._rows] - U[self._columns]).T  # (w, pairs)
            squares = squares.copy()
            squares[self._axes] += differences**2
        k, slope = matern52_and_slope(weights @ squares)
        K = np.zeros(n * n)
        K[self._flat] = scale * k
        K = K.reshape((n, n), order="F")
        K.flat[:: n + 1] = scale + noise
        factor, info = scipy.linalg.lapack.dpotrf(K, lower=1, overwrite_a=1, clean=0)
        if info != 0:
            return -np.inf, np.zeros(len(theta))
        log_determinant = 2.0 * float(np.log(factor.diagonal()).sum())
        inverse, _ = scipy.linalg.lapack.dpotri(factor, lower=1, overwrite_c=1)
        below = inverse.ravel(order="F")[self._flat]  # K^-1 for the pairs
        diagonal = inverse.diagonal()
        alpha = _symmetric_product(inverse, self._y)
        value = -0.5 * (float(self._y @ alpha) + log_determinant)
        # d value = 1/2 tr((alpha alpha^T - K^-1) dK), R&W eq. 5.9; each pair stands for two entries of dK.
        outer = alpha[self._rows] * alpha[self._columns] - below
        trace = float(alpha @ alpha - diagonal.sum())
        gradient = np.empty(len(theta))
        by_r2 = outer * slope * scale
        gradient[:m] = -2.0 * weights * (squares @ by_r2)
        gradient[m] = scale * (float(outer @ k) + 0.5 * trace)
        gradient[m + 1] = 0.5 * noise * trace
        if log_shape.size:
            # d value / d u for each warped coordinate: each pair pulls its two ends apart or together.
            pull = 2.0 * weights[self._axes, None] * differences * by_r2
            by_u = np.stack([np.bincount(self._rows, p, n) - np.bincount(self._columns, p, n) for p in pull], axis=1)
            gradient[m + 2 :] = (by_shape * by_u).sum(axis=1).ravel()
        prior, prior_gradient = self._log_prior(theta, scale, noise)
        return value + prior, gradient + prior_gradient

    def _log_prior(self, theta: Array, scale: float, noise: float) -> tuple[float, Array]:
        """The log densities of ell, scale and noise, up to a constant."""
        square = np.exp(2.0 * theta[: self._m])
        gradient = np.empty(len(theta))
        gradient[: self._m] = -0.2 * (square - 1.0 / square)
        gradient[self._m] = 1.0 - scale
        gradient[self._m + 1] = 0.1 - 30.0 * noise
        value = -0.1 * float((square + 1.0 / square).sum())
        value += theta[self._m] - scale + 0.1 * theta[self._m + 1] - 30.0 * noise
        log_shape = theta[self._m + 2 :]
        gradient[self._m + 2 :] = -log_shape / SHAPE_SD**2
        value -= 0.5 * float(log_shape @ log_shape) / SHAPE_SD**2
        return float(value), gradient


@lru_cache(maxsize=4)
def _pairs(n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of the entries below the diagonal of an (n, n) matrix, column by column."""
    columns, rows = np.triu_indices(n, 1)
    return rows, columns


def _symmetric_product(lower: Array, y: Array) -> Array:
    """A y for a symmetric A of which only the lower triangle is filled in."""
    product: Array = scipy.linalg.blas.dsymv(1.0, lower, y, lower=1)
    return product


def fit(
    X: Array,
    y: Array,
    owner: NDArray[np.int64],
    m: int,
    starts: list[Hyperparameters],
    columns: NDArray[np.int64] = NO_COLUMNS,
) -> Hyperparameters:
    """The hyperparameters that maximise the log posterior, by L-BFGS-B from each start.

    X (n, F), y (n,), owner (F,). The best of the starts themselves where no search gets on.
    """
    density = LogPosterior(X, y, owner, m, columns)
    bounds = [LOG_ELL] * m + [LOG_SCALE, LOG_NOISE] + [LOG_SHAPE] * (2 * len(columns))

    def loss(theta: Array) -> tuple[float, Array]:
        value, gradient = density(theta)
        return (-value, -gradient) if np.isfinite(value) else (1e25, np.zeros(len(theta)))

    best, least = starts[0].theta(), np.inf
    for start in starts:
        found = scipy.optimize.minimize(
            loss, start.theta(), jac=True, method="L-BFGS-B", bounds=bounds, options=FIT_OPTIONS
        )
        if found.fun < least:
            best, least = found.x, float(found.fun)
    return Hyperparameters.from_theta(best, m)


class GaussianProcess:
    """The posterior of a zero-mean Gaussian process given y (n,) at X (n, F).

    Raises FloatingPointError where K does not factorise with the largest jitter, as for NaN.
    """

    def __init__(
        self,
        X: Array,
        y: Array,
        owner: NDArray[np.int64],
        hyper: Hyperparameters,
        columns: NDArray[np.int64] = NO_COLUMNS,
    ) -> None:
        self.X, self.y, self.hyper, self._owner, self._columns = X, y, hyper, owner, columns
        self._weights = (hyper.ell**-2)[owner]
        self._scaled = self.scaled(X)
        self._norms = (self._scaled**2).sum(axis=1)
        K = hyper.scale * matern52(self._squared_distances(self._scaled, self._norms))
        K.flat[:: len(X) + 1] = hyper.scale + hyper.noise
        self._L_inverse = self._inverse_factor(K)
        self.alpha = self._L_inverse.T @ (self._L_inverse @ y)

    def _inverse_factor(self, K: Array) -> Array:
        for jitter in JITTERS:
            matrix = np.array(K, order="F")
            matrix.flat[:: len(K) + 1] += jitter * self.hyper.scale
            factor, info = scipy.linalg.lapack.dpotrf(matrix, lower=1, overwrite_a=1)
            if info == 0 and np.isfinite(factor.diagonal()).all():
                inverse: Array = scipy.linalg.lapack.dtrtri(factor, lower=1, overwrite_c=1)[0]
                return inverse
        raise FloatingPointError("the covariance matrix does not factorise: are all coordinates finite?")

    def _squared_distances(self, scaled: Array, norms: Array) -> Array:
        r2 = scaled @ (-2.0 * self._scaled.T)
        r2 += norms[:, None]
        r2 += self._norms
        return np.maximum(r2, 0.0, out=r2)

    def scaled(self, query: Array) -> Array:
        """The coordinates (q, F) in which distances are length scales: warped, and divided by these."""
        coordinates = np.array(query)
        if len(self._columns):
            coordinates[:, self._columns] = warped(query[:, self._columns], self.hyper.log_shape)
        coordinates *= np.sqrt(self._weights)
        return coordinates

    def _cross(self, query: Array) -> tuple[Array, Array]:
        scaled = self.scaled(query)
        return scaled, (scaled**2).sum(axis=1)

    def posterior(self, query: Array) -> tuple[Array, Array]:
        """Mean (q,) and variance (q,) of the latent function, the variance at least 1e-14 of the scale."""
        k = matern52(self._squared_distances(*self._cross(query)))
        k *= self.hyper.scale
        half = k @ self._L_inverse.T
        return k @ self.alpha, self._variance(half)

    def _variance(self, half: Array) -> Array:
        return np.maximum(self.hyper.scale - np.einsum("qn,qn->q", half, half), 1e-14 * self.hyper.scale)

    def posterior_with_pullback(self, query: Array) -> tuple[Array, Array, Pullback]:
        """`posterior`, and the map from slopes in mean and variance to slopes in the query's columns."""
        k, slope = matern52_and_slope(self._squared_distances(*self._cross(query)))
        k = self.hyper.scale * k
        half = k @ self._L_inverse.T
        return k @ self.alpha, self._variance(half), Pullback(self, query, self.hyper.scale * slope, half)

    def covariance(self, query: Array) -> Array:
        """The joint posterior covariance (q, q) of the latent function."""
        scaled, norms = self._cross(query)
        half = self.hyper.scale * matern52(self._squared_distances(scaled, norms)) @ self._L_inverse.T
        r2 = np.maximum(norms[:, None] + norms - 2.0 * scaled @ scaled.T, 0.0)
        return self.hyper.scale * matern52(r2) - half @ half.T

    def fitted(self) -> Array:
        """The posterior mean (n,) at the observations themselves: y - noise alpha."""
        return self.y - self.hyper.noise * self.alpha


@dataclass(frozen=True)
class Pullback:
    """Slopes of the posterior at one query (q, F), by the chain rule."""

    process: GaussianProcess
    query: Array
    slope: Array  # (q, n), d k / d r2
    half: Array  # (q, n), k L^-T

    def __call__(self, by_mean: Array, by_variance: Array) -> Array:
        """d A / d query (q, F) for a quantity A with slopes d A / d mean and d A / d variance (q,)."""
        gp = self.process
        by_k = by_mean[:, None] * gp.alpha - 2.0 * by_variance[:, None] * (self.half @ gp._L_inverse)
        by_r2 = by_k * self.slope
        slopes: Array = (
            2.0 * np.sqrt(gp._weights) * (gp.scaled(self.query) * by_r2.sum(axis=1)[:, None] - by_r2 @ gp._scaled)
        )
        if len(gp._columns):
            slopes[:, gp._columns] *= warped_and_slopes(self.query[:, gp._columns], gp.hyper.log_shape)[1]
        return slopes
