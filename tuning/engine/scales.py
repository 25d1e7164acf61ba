"""Between a parameter's values and the unit interval: continuous scales, and bins for finite parameters.

A finite parameter's value of index k owns the bin span(k) of [0, 1]; its coordinate is the bin's centre, so
that index(centre(k)) == k exactly. Bins have equal width on the parameter's own scale: a whole number v
reaches from v - 1/2 to v + 1/2, on a log scale from log(v - 1/2) to log(v + 1/2).
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

MAX_VALUES = 2**40  # more equal bins than this come too close to the resolution of a double
MAX_WEIGHTED = 2**20  # bins with probabilities of their own are tabulated
MIN_BIN = 1e-12  # narrower bins are widened to this: every value keeps a coordinate of its own


class Scale(Protocol):
    """A continuous scale: quantile(0) and quantile(1) are the bounds, cdf is its inverse."""

    def quantile(self, u: float) -> float: ...

    def cdf(self, x: float) -> float: ...


class Bins(Protocol):
    """A partition of [0, 1] into one bin for each value of a finite parameter."""

    def index(self, u: float) -> int: ...

    def span(self, k: int) -> tuple[float, float]: ...


def centre(bins: Bins, k: int) -> float:
    """The coordinate of the value with index k: the middle of its bin."""
    start, end = bins.span(k)
    return start + (end - start) / 2


class LinearScale:
    """low..high uniformly."""

    def __init__(self, low: float, high: float) -> None:
        self._low, self._high = low, high

    def quantile(self, u: float) -> float:
        # A weighted mean, not low + u * (high - low): the difference of two doubles may overflow.
        return min(max((1.0 - u) * self._low + u * self._high, self._low), self._high)

    def cdf(self, x: float) -> float:
        span = self._high - self._low
        if math.isinf(span):
            return min(max((x / 2 - self._low / 2) / (self._high / 2 - self._low / 2), 0.0), 1.0)
        return min(max((x - self._low) / span, 0.0), 1.0) if span > 0 else 0.5


class LogScale:
    """low..high uniformly in the logarithm.

    A narrow range goes through log1p: the logarithms of neighbouring doubles are mostly one double.
    """

    def __init__(self, low: float, high: float) -> None:
        self._low, self._high = low, high
        self._narrow = high < 2 * low
        self._start = math.log(low)
        self._span = self._above(high)

    def _above(self, x: float) -> float:
        """log(x / low)."""
        return math.log1p((x - self._low) / self._low) if self._narrow else math.log(x) - self._start

    def quantile(self, u: float) -> float:
        if u <= 0.0:
            return self._low
        if u >= 1.0:
            return self._high
        distance = u * self._span
        x = self._low + self._low * math.expm1(distance) if self._narrow else math.exp(self._start + distance)
        return min(max(x, self._low), self._high)

    def cdf(self, x: float) -> float:
        return min(max(self._above(x) / self._span, 0.0), 1.0) if self._span > 0 else 0.5


class EqualBins:
    """n bins of the same width."""

    def __init__(self, n: int) -> None:
        self._n = n

    def index(self, u: float) -> int:
        return min(int(u * self._n), self._n - 1)

    def span(self, k: int) -> tuple[float, float]:
        return k / self._n, (k + 1) / self._n


class LogBins:
    """The whole numbers low..low + n - 1 on the log scale, the ends widened by 1/2.

    log1p keeps the bins apart where low is large: log(v - 1/2) - log(low - 1/2) = log1p((v - low) / (low -
    1/2)).
    """

    def __init__(self, low: int, n: int) -> None:
        self._n, self._origin = n, low - 0.5
        self._length = math.log1p(n / self._origin)

    def index(self, u: float) -> int:
        k = int(self._origin * math.expm1(u * self._length))
        return min(max(k, 0), self._n - 1)

    def span(self, k: int) -> tuple[float, float]:
        start = math.log1p(k / self._origin) / self._length
        return start, min(math.log1p((k + 1) / self._origin) / self._length, 1.0)


class WeightedBins:
    """Bins with the given probabilities (n,), which are normalised; none is left narrower than 1e-12."""

    def __init__(self, probabilities: NDArray[np.float64]) -> None:
        shares = probabilities / probabilities.max()  # first, so that the sum cannot overflow
        shares = shares / shares.sum()
        if shares.min() < MIN_BIN:
            shares = np.maximum(shares, MIN_BIN)
            shares = shares / shares.sum()
        self._ends = np.cumsum(shares)
        self._ends[-1] = 1.0

    def index(self, u: float) -> int:
        return min(int(np.searchsorted(self._ends, u, side="right")), len(self._ends) - 1)

    def span(self, k: int) -> tuple[float, float]:
        return float(self._ends[k - 1]) if k else 0.0, float(self._ends[k])
