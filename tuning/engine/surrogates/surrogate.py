"""The model of a study: its history's trials as a Gaussian process, and the acquisition that it gives.

Trials that still run take part as fantasies: each is imagined to end with the mean that the process expects of it
(the kriging believer of Ginsbourger, Le Riche & Carraro, 2010). That leaves the mean as it is and takes the uncertainty
away around them, so that trials asked for in parallel differ and spread. Measured with eight trials at a time, sixteen
problems, five seeds: sixteen imagined joint outcomes, averaged over (Snoek, Larochelle & Adams, NIPS 2012), scored 0.07
less at 25 trials and 0.03 less at 50, and a joint posterior sample (Thompson) less than that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuning.engine import acquisition as criteria
from tuning.engine.errors import HistoryError
from tuning.engine.history import History
from tuning.engine.space import SearchSpace
from tuning.engine.surrogates.axes import Axes, axes_of
from tuning.engine.surrogates.earlier import EARLIER, Earlier, earlier_of
from tuning.engine.surrogates.gaussian_process import (
    NO_COLUMNS,
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
WARPED = 15  # observations from which on the shapes of the warping are fitted, where it is asked for
LEARNED = 8  # observations from which on the hyperparameters are fitted: of fewer, the fit knows less than its start
ANOTHER_STUDY = 1.0  # what an earlier study's trials lie apart from this one's, along the axis of studies
ACQUISITIONS = ("ei", "pi", "ucb")


class Surrogate:
    """A fitted model. Latent points u (q, m) must be snapped; losses are to be minimised.

    `points` and `observations` are the study's own; in `process` what earlier studies taught stands after them, and
    then the trials' losses at lower rungs.
    """

    def __init__(
        self,
        space: SearchSpace,
        history: History,
        acquisition: str,
        kappa: float,
        rng: np.random.Generator,
        input_warping: bool = False,
    ) -> None:
        self.axes: Axes = axes_of(space)
        self._space, self._sign = space, history.direction.sign
        self.observations: Observations = observe(history, EXACT, rng)
        own, lower, unit = len(self.observations.rows), self.observations.lower, history.unit
        self.points = self.axes.latent(unit[self.observations.rows])
        self.pending = self.axes.latent(unit[self.observations.pending])
        self._criterion, self._kappa = acquisition, kappa
        limit = min(EARLIER, EXACT - own - len(lower))
        self.earlier: Earlier = earlier_of(history, self.axes, self.points, self.observations.losses, limit, rng)
        losses = np.concatenate([self.observations.losses, self.earlier.losses, lower.losses])
        if len(losses) == 0:
            raise HistoryError("no trial has a value yet: there is nothing to model")
        self.outputs = OutputTransform(losses)
        targets = self.outputs.forward(losses)
        # An axis more where there are earlier studies; a column of it for each, in which this study has 0.
        # And one where there are rungs, on which the end is at 1.
        others = [np.full(self.earlier.studies, self.axes.m), np.full(self._rungs, self.axes.m + self._studies)]
        self._owner = np.concatenate([self.axes.owner, *others]).astype(np.int64)
        below = self.axes.latent(unit[lower.rows])
        X = np.concatenate([self._embedded(u) for u in (self.points, self.earlier.points, below)])
        taught = own + np.arange(len(self.earlier.points))
        X[taught, len(self.axes.owner) + self.earlier.source] = ANOTHER_STUDY
        if self.observations.fidelity is not None:
            X[:own, -1], X[len(X) - len(lower) :, -1] = self.observations.fidelity, lower.fidelity
        self._warped = self.axes.numeric_columns if input_warping and len(X) >= WARPED else NO_COLUMNS
        self.hyper = self._fitted(X, targets, rng)
        self.process = GaussianProcess(X, targets, self._owner, self.hyper, self._warped)
        known = self.fitted() if own else self.moments(self.earlier.points)[0]
        self._best = float(known.min())
        self._imagined = self._with_pending(X, targets) if len(self.pending) else self.process

    @property
    def _studies(self) -> int:
        """The axes for earlier studies: one or none."""
        return int(self.earlier.studies > 0)

    @property
    def _rungs(self) -> int:
        """The axes for rungs: one or none."""
        return int(self.observations.fidelity is not None)

    def _embedded(self, u: Array) -> Array:
        """The embedding of latent points as configurations of this study, trained to the end."""
        embedded = self.axes.embed(u)
        others = np.zeros((len(u), self.earlier.studies + self._rungs))
        others[:, self.earlier.studies :] = 1.0
        return np.concatenate([embedded, others], axis=1)

    def _fitted(self, X: Array, targets: Array, rng: np.random.Generator) -> Hyperparameters:
        m = self.axes.m + self._studies + self._rungs
        start = default_hyperparameters(m, len(self._warped))
        if len(X) - len(self.observations.lower) < LEARNED:
            return start
        places = np.arange(len(X))
        if len(X) > FITTED:
            order = np.argsort(targets, kind="stable")
            best, rest = order[: FITTED // 3], order[FITTED // 3 :]
            places = np.sort(np.concatenate([best, rng.permutation(rest)[: FITTED - len(best)]]))
        return fit(X[places], targets[places], self._owner, m, [start], self._warped)

    def _with_pending(self, X: Array, targets: Array) -> GaussianProcess:
        """The process that believes its means at the pending trials."""
        query = self._embedded(self.pending)
        mean, _ = self.process.posterior(query)
        believed = np.concatenate([targets, mean])
        return GaussianProcess(np.concatenate([X, query]), believed, self._owner, self.hyper, self._warped)

    @property
    def length_scales(self) -> Array:
        """The length scale of each axis (m,)."""
        return self.hyper.ell[: self.axes.m]

    def fitted(self) -> Array:
        """What the model expects of the study's own observed trials at their end, noise taken off: (n,)."""
        if self._rungs:
            return self.process.posterior(self._embedded(self.points))[0]
        return self.process.fitted()[: len(self.points)]

    # by latent points

    def moments(self, u: Array) -> tuple[Array, Array]:
        """Mean and standard deviation (q,) of the targets, from the real observations alone."""
        mean, variance = self.process.posterior(self._embedded(u))
        return mean, np.sqrt(variance)

    def draws(self, u: Array, n: int, rng: np.random.Generator) -> Array:
        """n joint draws from the posterior of the losses, noise taken off, at snapped latent points (q, m): (n, q)."""
        embedded = self._embedded(u)
        mean, _ = self.process.posterior(embedded)
        values, vectors = np.linalg.eigh(self.process.covariance(embedded))
        root = vectors * np.sqrt(np.maximum(values, 0.0))  # rounding leaves eigenvalues a little below 0
        return self.outputs.backward(mean + rng.standard_normal((n, len(u))) @ root.T)

    def value(self, u: Array) -> Array:
        """The acquisition (q,): log EI, log PI, or the confidence bound; larger is better."""
        mean, variance = self._imagined.posterior(self._embedded(u))
        return self._judged(mean, np.sqrt(variance))[0]

    def value_and_gradient(self, u: Array) -> tuple[Array, Array]:
        """The acquisition (q,) and its gradient (q, m), 0 along categorical and absent axes; u need not be
        snapped along smooth ones."""
        mean, variance, pullback = self._imagined.posterior_with_pullback(self._embedded(u))
        sd = np.sqrt(variance)
        value, by_mean, by_sd = self._judged(mean, sd)
        columns = pullback(by_mean, by_sd / (2.0 * sd))
        gradient = np.zeros(u.shape)
        gradient[:, self.axes.numeric] = columns[:, self.axes.numeric_columns]
        return value, np.where(self.axes.active(u), gradient, 0.0)

    def _judged(self, mean: Array, sd: Array) -> criteria.Slopes:
        """The acquisition (q,) and its slopes by mean (q,) and by standard deviation (q,)."""
        if self._criterion == "ucb":
            return criteria.confidence_bound_and_slopes(mean, sd, self._kappa)
        if self._criterion == "pi":
            return criteria.log_probability_of_improvement_and_slopes(mean, sd, self._best)
        return criteria.log_expected_improvement_and_slopes(mean, sd, self._best)

    def axis_distances(self, point: Array, others: Array) -> Array:
        """What each axis adds to the squared distance, in length scales, of a point (m,) from latent points
        (k, m): (k, m)."""
        scaled = self.process.scaled(self._embedded(others)) - self.process.scaled(self._embedded(point[None]))
        weighted = scaled[:, : len(self.axes.owner)] ** 2
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
    input_warping: bool = False,
) -> Surrogate:
    """The model that the sampler "gp" has of a history; the same arguments give the same model.

    Without a generator, one with a fixed seed draws the subset of a large history. Raises
    HistoryError where no trial has a value yet.
    """
    return Surrogate(space, history, acquisition, kappa, rng or np.random.default_rng(0), input_warping)
