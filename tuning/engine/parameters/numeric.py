"""Int and Float: parameters whose values are numbers between bounds, with a step, a log scale or a prior."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuning.engine.conditions import Condition
from tuning.engine.parameters.base import Finite, Parameter
from tuning.engine.priors import Prior
from tuning.engine.scales import Bins, EqualBins, LinearScale, LogBins, LogScale, Scale, WeightedBins
from tuning.engine.values import real_number, shown, whole_number


class Int(Finite):
    """A whole number from low to high, in steps of `step` from low on; `log` or a prior shape the scale."""

    kind = "int"
    low: int
    high: int
    step: int

    def __init__(
        self,
        name: str,
        low: int,
        high: int,
        *,
        log: bool = False,
        step: int = 1,
        prior: Prior | None = None,
        condition: Condition | None = None,
        annotation: str | None = None,
    ) -> None:
        super().__init__(name, condition, annotation)
        self.low, self.high, self.log, self.step, self.prior = low, high, log, step, prior
        if log:
            self._bins = LogBins(low, self.size)
        elif prior is not None:
            self._bins = _prior_bins(prior, low, step, self.size)
        else:
            self._bins = EqualBins(self.size)

    @property
    def size(self) -> int:
        return (self.high - self.low) // self.step + 1

    @property
    def effective_high(self) -> int:
        """The largest value: `high`, lowered where the step does not divide the range."""
        return self.value_at(self.size - 1)

    @property
    def domain(self) -> str:
        steps = f" in steps of {self.step}" if self.step != 1 else ""
        return f"a whole number from {self.low} to {self.effective_high}{steps}"

    def canonical(self, value: Any) -> int:
        return self.value_at(self.index_of(value))

    def value_at(self, index: int) -> int:
        return self.low + index * self.step

    def index_of(self, value: Any) -> int:
        number = whole_number(value)
        if number is not None:
            index, rest = divmod(number - self.low, self.step)
            if rest == 0 and 0 <= index < self.size:
                return index
        raise ValueError(f"{shown(value)} is not {self.domain}")

    def _own_json(self) -> dict[str, Any]:
        document: dict[str, Any] = {"low": self.low, "high": self.high}
        if self.log:
            document["log"] = True
        if self.step != 1:
            document["step"] = self.step
        if self.prior is not None:
            document["prior"] = self.prior.to_json()
        return document


class _Bounded(Parameter):
    """What both kinds of Float share: bounds, JSON, words."""

    kind = "float"

    def _own_json(self) -> dict[str, Any]:
        bounds = {"low": self.low, "high": self.high, "step": self.step}
        document: dict[str, Any] = {name: value for name, value in bounds.items() if value is not None}
        if self.log:
            document["log"] = True
        if self.prior is not None:
            document["prior"] = self.prior.to_json()
        return document


class Float(_Bounded):
    """A real number from low to high; with a prior either bound may be None."""

    def __init__(
        self,
        name: str,
        low: float | None,
        high: float | None,
        *,
        log: bool = False,
        prior: Prior | None = None,
        condition: Condition | None = None,
        annotation: str | None = None,
    ) -> None:
        super().__init__(name, condition, annotation)
        self.low, self.high, self.log, self.prior = low, high, log, prior
        start, end = prior.support if prior is not None else (-math.inf, math.inf)
        self._start = start if low is None else low
        self._end = end if high is None else high
        self._scale: Scale
        if prior is not None:
            self._scale = prior.truncated(self._start, self._end)
        else:
            self._scale = (LogScale if log else LinearScale)(self._start, self._end)

    @property
    def size(self) -> None:
        return None

    @property
    def effective_high(self) -> float | None:
        """The largest value: `high`, there being no step."""
        return self.high

    @property
    def bounds(self) -> tuple[float, float]:
        """The smallest and the largest value; infinite where a prior has no bound."""
        return self._start, self._end

    @property
    def domain(self) -> str:
        if math.isinf(self._start) and math.isinf(self._end):
            return "a finite number"
        if math.isinf(self._end):
            return f"a finite number of at least {self._start!r}"
        if math.isinf(self._start):
            return f"a finite number of at most {self._end!r}"
        return f"a number from {self._start!r} to {self._end!r}"

    def canonical(self, value: Any) -> float:
        number = real_number(value)
        if number is None or not self._start <= number <= self._end:
            raise ValueError(f"{shown(value)} is not {self.domain}")
        return number

    def to_unit(self, value: Any) -> float:
        return self._scale.cdf(self.canonical(value))

    def from_unit(self, u: float) -> float:
        return self._scale.quantile(u)


class SteppedFloat(_Bounded, Finite):
    """A real number low, low + step, low + 2 step, ... up to high.

    The values are computed in exact decimal arithmetic from the numbers as written: 0.1 in steps of 0.1
    gives 0.3, not 0.30000000000000004. A value within a millionth of a step is taken as the one meant.
    """

    low: float
    high: float
    step: float

    def __init__(
        self,
        name: str,
        low: float,
        high: float,
        step: float,
        *,
        prior: Prior | None = None,
        condition: Condition | None = None,
        annotation: str | None = None,
    ) -> None:
        super().__init__(name, condition, annotation)
        self.low, self.high, self.step, self.prior = low, high, step, prior
        self._origin, self._stride = Fraction(repr(low)), Fraction(repr(step))
        self._size = stepped_size(low, high, step)
        tabulated = range(self._size if self._size <= 4096 else 0)  # exact fractions are slow, and steps few
        self._values = [float(self._origin + index * self._stride) for index in tabulated]
        self._index = {value: index for index, value in enumerate(self._values)}
        self._bins = EqualBins(self._size) if prior is None else _prior_bins(prior, low, step, self._size)

    @property
    def size(self) -> int:
        return self._size

    @property
    def effective_high(self) -> float:
        """The largest value: `high`, lowered where the step does not divide the range."""
        return self.value_at(self._size - 1)

    @property
    def domain(self) -> str:
        return f"a number from {self.low!r} to {self.effective_high!r} in steps of {self.step!r}"

    def canonical(self, value: Any) -> float:
        return self.value_at(self.index_of(value))

    def value_at(self, index: int) -> float:
        return self._values[index] if self._values else float(self._origin + index * self._stride)

    def index_of(self, value: Any) -> int:
        number = real_number(value)
        if number in self._index:
            return self._index[number]
        if number is not None:
            place = (Fraction(repr(number)) - self._origin) / self._stride
            index = round(place)
            if 0 <= index < self._size and (abs(place - index) * 10**6 <= 1 or self.value_at(index) == number):
                return index
        raise ValueError(f"{shown(value)} is not {self.domain}")


def stepped_size(low: float, high: float, step: float) -> int:
    """The number of values low, low + step, ... up to high, in exact decimal arithmetic."""
    return int((Fraction(repr(high)) - Fraction(repr(low))) // Fraction(repr(step))) + 1


def bin_edges(low: float, step: float, size: int) -> NDArray[np.float64]:
    """The edges (size + 1,) of the values' bins: low - step/2, low + step/2, ..."""
    with np.errstate(over="ignore"):  # an edge beyond the doubles is infinite, and that is right
        return low + step * (np.arange(size + 1, dtype=np.float64) - 0.5)


def _prior_bins(prior: Prior, low: float, step: float, size: int) -> Bins:
    return WeightedBins(prior.probabilities(bin_edges(low, step, size)))
