"""The model of a study: its history's trials as a Gaussian process, and the acquisition that it gives.

Trials that still run take part as fantasies (Snoek, Larochelle & Adams, NIPS 2012, section 3.2): the process
imagines FANTASIES joint outcomes for them and the acquisition is averaged over these, so that trials asked
for in parallel differ and spread. Without running trials there is a single, real outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp, ndtri
from scipy.stats import qmc

from tuning.engine import acquisition as criteria
from tuning.engine.errors import HistoryError
from tuning.engine.history import History
from tuning.engine.space import SearchSpace
from tuning.engine.surrogates.axes import Axes, axes_of
from tuning.engine.surrogates.gaussian_process import (
    GaussianProcess,
    Hyperparameters,
    default_hyperparameters,
    fit,
)
from tuning.engine.surrogates.observations import Observations, observe
from tuning.engine.surrogates.outputs import OutputTransform

Array = NDArray[np.float64]

EXACT = 300  # observations in the posterior; of more trials a subset stands for all
FITTED = 100  # observations in the fit of the hyperparameters
FANTASIES = 16
ACQUISITIONS = ("ei", "pi", "ucb")


class Surrogate:
    """A fitted model. Latent points u (q, m) must be snapped; losses are to be minimised."""

    def __init__(
        self, space: SearchSpace, history: History, acquisition: str, kappa: float, rng: np.random.Generator
    ) -> None:
        self.axes: Axes = axes_of(space)
        self._space, self._sign = space, history.direction.sign
        self.observations: Observations = observe(history, EXACT, rng)
        if len(self.observations.rows) == 0:
            raise HistoryError("no trial has a value yet: there is nothing to model")
        self._criterion, self._kappa = acquisition, kappa
        unit = history.unit
        self.points = self.axes.latent(unit[self.observations.rows])
        self.pending = self.axes.latent(unit[self.observations.pending])
        self.outputs = OutputTransform(self.observations.losses)
        targets = self.outputs.forward(self.observations.losses)
        X = self.axes.embed(self.points)
        self.hyper = self._fitted(X, targets, rng)
        self.process = GaussianProcess(X, targets[:, None], self.axes.owner, self.hyper)
        self._best = self.process.fitted().min(axis=0)
        self._imagined = self._with_fantasies(X, targets, rng) if len(self.pending) else self.process

    def _fitted(self, X: Array, targets: Array, rng: np.random.Generator) -> Hyperparameters:
        places = np.arange(len(X))
        if len(X) > FITTED:
            order = np.argsort(targets, kind="stable")
            best, rest = order[: FITTED // 3], order[FITTED // 3 :]
            places = np.sort(np.concatenate([best, rng.permutation(rest)[: FITTED - len(best)]]))
        start = default_hyperparameters(self.axes.m)
        return fit(X[places], targets[places], self.axes.owner, self.axes.m, [start])

    def _with_fantasies(self, X: Array, targets: Array, rng: np.random.Generator) -> GaussianProcess:
        """The process given imagined outcomes of the pending trials, one column each; sets best (s,)."""
        query = self.axes.embed(self.pending)
        mean, _ = self.process.posterior(query)
        covariance = self.process.covariance(query)
        covariance.flat[:: len(query) + 1] += self.hyper.noise + 1e-9 * self.hyper.scale
        values, vectors = np.linalg.eigh(covariance)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        outcomes = mean + root @ _normal(len(query), FANTASIES, rng)
        columns = np.concatenate([np.repeat(targets[:, None], FANTASIES, axis=1), outcomes])
        imagined = GaussianProcess(np.concatenate([X, query]), columns, self.axes.owner, self.hyper)
        self._best = np.minimum(imagined.fitted().min(axis=0), self._best)
        return imagined

    # by latent points

    def moments(self, u: Array) -> tuple[Array, Array]:
        """Mean and standard deviation (q,) of the targets, from the real observations alone."""
        mean, variance = self.process.posterior(self.axes.embed(u))
        return mean[:, 0], np.sqrt(variance)

    def value(self, u: Array) -> Array:
        """The acquisition (q,): log EI, log PI, or the confidence bound; larger is better."""
        mean, variance = self._imagined.posterior(self.axes.embed(u))
        return self._averaged(mean, variance)[0]

    def value_and_gradient(self, u: Array) -> tuple[Array, Array]:
        """The acquisition (q,) and its gradient (q, m), 0 along categorical and absent axes; u need not be
        snapped along smooth ones."""
        embedded = self.axes.embed(u)
        mean, variance, pullback = self._imagined.posterior_with_pullback(embedded)
        value, by_mean, by_variance = self._averaged(mean, variance)
        gradient = np.zeros(u.shape)
        columns = pullback(by_mean, by_variance)[:, self.axes.numeric_columns]
        gradient[:, self.axes.numeric] = columns
        return value, np.where(self.axes.active(u), gradient, 0.0)

    def _averaged(self, mean: Array, variance: Array) -> tuple[Array, Array, Array]:
        """Value (q,), slopes by mean (q, s) and by variance (q,), averaged over the s outcomes."""
        sd = np.sqrt(variance)
        samples = mean.shape[1]
        if self._criterion == "ucb":
            value, by_mean, by_sd = criteria.confidence_bound_and_slopes(mean, sd[:, None], self._kappa)
            return value.mean(axis=1), by_mean / samples, by_sd.mean(axis=1) / (2.0 * sd)
        slopes: dict[str, Callable[..., criteria.Slopes]] = {
            "ei": criteria.log_expected_improvement_and_slopes,
            "pi": criteria.log_probability_of_improvement_and_slopes,
        }
        value, by_mean, by_sd = slopes[self._criterion](mean, sd[:, None], self._best)
        if samples == 1:
            return value[:, 0], by_mean, by_sd[:, 0] / (2.0 * sd)
        average = logsumexp(value, axis=1)
        share = np.exp(value - average[:, None])
        return average - np.log(samples), share * by_mean, (share * by_sd).sum(axis=1) / (2.0 * sd)

    def axis_distances(self, point: Array, others: Array) -> Array:
        """What each axis adds to the squared distance, in length scales, of a point (m,) from latent points
        (k, m): (k, m)."""
        differences = self.axes.embed(others) - self.axes.embed(point[None])
        weighted = differences**2 * (self.hyper.ell**-2)[self.axes.owner]
        distances = np.zeros((self.axes.m, len(others)))
        np.add.at(distances, self.axes.owner, weighted.T)
        return distances.T

    # by configurations

    def predict(self, params: Sequence[Mapping[str, Any]]) -> tuple[Array, Array]:
        """Median (n,) and standard deviation (n,) of the objective, in its own scale, at configurations.

        The deviation is half the width of the central 68 % band, which is the standard deviation where the
        output transform is linear. Raises ParamsError for a configuration that does not fit the space.
        """
        mean, sd = self.moments(self._latent(params))
        low, middle, high = (self.outputs.backward(mean + k * sd) for k in (-1.0, 0.0, 1.0))
        return self._sign * middle, (high - low) / 2.0

    def acquisition(self, params: Sequence[Mapping[str, Any]]) -> Array:
        """The acquisition (n,) at configurations, pending trials taken into account: log EI, log PI, or the
        confidence bound of the standardised objective; larger is better. Raises as `predict`."""
        return self.value(self._latent(params))

    def _latent(self, params: Sequence[Mapping[str, Any]]) -> Array:
        unit = [self._space.to_unit(self._space.validate(configuration)) for configuration in params]
        return self.axes.latent(np.array(unit).reshape(len(unit), len(self._space)))


def surrogate_of(
    space: SearchSpace,
    history: History,
    *,
    acquisition: str = "ei",
    kappa: float = 2.0,
    rng: np.random.Generator | None = None,
) -> Surrogate:
    """The model that the sampler "gp" has of a history; the same arguments give the same model.

    Without a generator, one with a fixed seed draws the subset of a large history and the fantasies. Raises
    HistoryError where no trial has a value yet.
    """
    return Surrogate(space, history, acquisition, kappa, rng or np.random.default_rng(0))


def _normal(rows: int, columns: int, rng: np.random.Generator) -> Array:
    """Standard normal numbers (rows, columns), quasi-random over the columns where Sobol has the dimensions."""
    if rows > qmc.Sobol.MAXDIM:
        return rng.standard_normal((rows, columns))
    uniform = qmc.Sobol(rows, rng=rng).random(columns).T
    return ndtri(np.clip(uniform, 1e-9, 1.0 - 1e-9))
