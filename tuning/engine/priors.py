"""Prior distributions of a numeric parameter, truncated to its bounds and used through their quantile
functions.

Glossary: x a value of the parameter; z its standard score; u = F(x) in [0, 1] its probability, the coordinate
that samplers work in. A side without a bound is cut where u reaches 2^-53 (8.2 standard deviations), so that
every u in [0, 1] gives a finite x.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy
from numpy.typing import NDArray

TAIL = 2.0**-53
TAIL_SCORE = 8.25  # beyond the standard score at which a normal's tail is 2^-53
MIN_MASS = 1e-9  # a prior with less than this between the bounds is a mistake, not a belief


@dataclass(frozen=True)
class Prior(ABC):
    """A distribution over the parameter's values, before truncation."""

    name: ClassVar[str]
    fields: ClassVar[tuple[str, str]]
    support: ClassVar[tuple[float, float]] = (-math.inf, math.inf)

    @abstractmethod
    def probabilities(self, edges: NDArray[np.float64]) -> NDArray[np.float64]:
        """The mass between neighbouring edges, (n + 1,) ascending -> (n,), not normalised."""

    @abstractmethod
    def truncated(self, low: float, high: float) -> Truncated:
        """The prior between low and high (either may be infinite)."""

    def mass(self, low: float, high: float) -> float:
        """The probability of low..high before truncation."""
        return float(self.probabilities(np.array([low, high]))[0])

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, **{field: getattr(self, field) for field in self.fields}}


class Truncated(ABC):
    """A truncated prior: quantile and cumulative distribution function, inverse to each other."""

    @abstractmethod
    def quantile(self, u: float) -> float:
        """The finite value below which a share u in [0, 1] of the truncated prior lies."""

    @abstractmethod
    def cdf(self, x: float) -> float:
        """The share of the truncated prior that lies below x, in [0, 1]."""


@dataclass(frozen=True)
class Normal(Prior):
    """Normal with mean mu and standard deviation sigma."""

    mu: float
    sigma: float
    name: ClassVar[str] = "normal"
    fields: ClassVar[tuple[str, str]] = ("mu", "sigma")

    def score(self, x: float) -> float:
        return x if math.isinf(x) else (x - self.mu) / self.sigma

    def value(self, z: float) -> float:
        return self.mu + self.sigma * z

    def probabilities(self, edges: NDArray[np.float64]) -> NDArray[np.float64]:
        scores = np.array([self.score(float(edge)) for edge in edges])
        # Differences of upper tails where the scores are positive: 1 - 1e-20 is 1 in a double, 1e-20 is not.
        below, above = scipy.special.ndtr(scores), scipy.special.ndtr(-scores)
        shares: NDArray[np.float64] = np.where(scores[:-1] > 0, -np.diff(above), np.diff(below))
        return shares

    def truncated(self, low: float, high: float) -> Truncated:
        return _TruncatedNormal(self, low, high)


@dataclass(frozen=True)
class LogNormal(Normal):
    """exp of a normal: mu and sigma are those of the natural logarithm."""

    name: ClassVar[str] = "log_normal"
    support: ClassVar[tuple[float, float]] = (0.0, math.inf)

    def score(self, x: float) -> float:
        if x <= 0.0:
            return -math.inf
        return x if math.isinf(x) else (math.log(x) - self.mu) / self.sigma

    def value(self, z: float) -> float:
        return float(np.exp(self.mu + self.sigma * z))


class _TruncatedNormal(Truncated):
    def __init__(self, prior: Normal, low: float, high: float) -> None:
        self._prior, self._low, self._high = prior, low, high
        # A range in the upper tail is measured from above, where a double resolves the probabilities.
        self._sign = -1.0 if prior.score(low) > 0 else 1.0
        self._start, self._end = self._tail(low), self._tail(high)
        self._least = _least(self._start, self._end)

    def _tail(self, x: float) -> float:
        return float(scipy.special.ndtr(self._sign * self._prior.score(x)))

    def quantile(self, u: float) -> float:
        p = self._start + u * (self._end - self._start)
        z = self._sign * float(scipy.special.ndtri(min(max(p, self._least), 1.0 - TAIL)))
        with np.errstate(over="ignore"):
            x = self._prior.value(z)
        return min(max(x, self._low), self._high)

    def cdf(self, x: float) -> float:
        return min(max((self._tail(x) - self._start) / (self._end - self._start), 0.0), 1.0)


@dataclass(frozen=True)
class Beta(Prior):
    """Beta(a, b) on 0..1."""

    a: float
    b: float
    name: ClassVar[str] = "beta"
    fields: ClassVar[tuple[str, str]] = ("a", "b")
    support: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def probabilities(self, edges: NDArray[np.float64]) -> NDArray[np.float64]:
        inside = np.clip(edges, 0.0, 1.0)
        below, above = scipy.special.betainc(self.a, self.b, inside), scipy.special.betaincc(self.a, self.b, inside)
        shares: NDArray[np.float64] = np.where(below[:-1] > 0.5, -np.diff(above), np.diff(below))
        return shares

    def truncated(self, low: float, high: float) -> Truncated:
        return _TruncatedBeta(self, max(low, 0.0), min(high, 1.0))


class _TruncatedBeta(Truncated):
    def __init__(self, prior: Beta, low: float, high: float) -> None:
        self._prior, self._low, self._high = prior, low, high
        self._upper = float(scipy.special.betainc(prior.a, prior.b, low)) > 0.5
        self._start, self._end = self._tail(low), self._tail(high)
        self._least = _least(self._start, self._end)

    def _tail(self, x: float) -> float:
        tail = scipy.special.betaincc if self._upper else scipy.special.betainc
        return float(tail(self._prior.a, self._prior.b, min(max(x, 0.0), 1.0)))

    def quantile(self, u: float) -> float:
        inverse = scipy.special.betainccinv if self._upper else scipy.special.betaincinv
        p = max(self._start + u * (self._end - self._start), self._least)
        return min(max(float(inverse(self._prior.a, self._prior.b, p)), self._low), self._high)

    def cdf(self, x: float) -> float:
        return min(max((self._tail(x) - self._start) / (self._end - self._start), 0.0), 1.0)


def _least(start: float, end: float) -> float:
    """The smallest probability to invert between two: 2^-53 of the larger where the smaller is as good as 0.

    There the value is infinite, or the inverse of the beta distribution fails.
    """
    return 0.0 if min(start, end) > 1e-200 else TAIL * max(start, end)


PRIORS: dict[str, type[Normal] | type[Beta]] = {prior.name: prior for prior in (Normal, LogNormal, Beta)}
