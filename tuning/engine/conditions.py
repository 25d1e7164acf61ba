"""When a parameter takes part: tests on its parents, all of which must hold.

A test is on one parent alone, and a parent that is itself absent fails it, so a parameter is active exactly
when every test of its own and of all its ancestors holds. Reach, the values of each ancestor that all of
these tests leave over, therefore decides exactly whether a parameter can ever take part.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tuning.engine.values import detached, identity, listed

if TYPE_CHECKING:
    from tuning.engine.parameters import Parameter

Intervals = list[tuple[float, float]]  # closed: of indices for a finite parameter, of values for a continuous one


@dataclass(frozen=True)
class OneOf:
    """The parent has one of these values."""

    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "_keys", frozenset(identity(value) for value in self.values))

    def holds(self, value: Any) -> bool:
        keys: frozenset[Any] = self._keys  # type: ignore[attr-defined]
        return identity(value) in keys

    def to_json(self) -> list[Any]:
        return [detached(value) for value in self.values]

    def __str__(self) -> str:
        return listed(self.values) if len(self.values) == 1 else f"one of {listed(self.values)}"


@dataclass(frozen=True)
class Within:
    """The parent is a number from low to high, both included; None leaves a side open."""

    low: float | int | None = None
    high: float | int | None = None

    def holds(self, value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    def to_json(self) -> dict[str, Any]:
        bounds = {"low": self.low, "high": self.high}
        return {name: bound for name, bound in bounds.items() if bound is not None}

    def __str__(self) -> str:
        if self.high is None:
            return f"at least {self.low!r}"
        if self.low is None:
            return f"at most {self.high!r}"
        return f"from {self.low!r} to {self.high!r}"


Test = OneOf | Within


@dataclass(frozen=True)
class Condition:
    """All tests, each on one parent."""

    tests: tuple[tuple[str, Test], ...]

    @property
    def parents(self) -> tuple[str, ...]:
        return tuple(parent for parent, _ in self.tests)

    def holds(self, params: Mapping[str, Any]) -> bool:
        """Whether every parent is present and passes its test."""
        return all(parent in params and test.holds(params[parent]) for parent, test in self.tests)

    def to_json(self) -> dict[str, Any]:
        return {parent: test.to_json() for parent, test in self.tests}

    def __str__(self) -> str:
        return " and ".join(f"{parent} is {test}" for parent, test in self.tests)


def passing(parent: Parameter, test: Test) -> Intervals:
    """The parent's values that pass, as ascending disjoint closed intervals (of indices where finite)."""
    if parent.size is None:
        low, high = parent.bounds  # type: ignore[attr-defined]
        if isinstance(test, OneOf):
            return sorted((value, value) for value in test.values)
        return _met([(low, high)], [(_side(test.low, -math.inf), _side(test.high, math.inf))])
    if isinstance(test, OneOf):
        return merged(parent.index_of(value) for value in test.values)
    if parent.kind in ("categorical", "constant"):
        return merged(k for k in range(parent.size) if test.holds(parent.value_at(k)))
    indices = range(parent.size)
    start = 0 if test.low is None else bisect.bisect_left(indices, test.low, key=parent.value_at)
    end = parent.size if test.high is None else bisect.bisect_right(indices, test.high, key=parent.value_at)
    return [(start, end - 1)] if start < end else []


def merged(indices: Iterable[int]) -> Intervals:
    """Indices as ascending closed intervals of neighbours."""
    intervals: Intervals = []
    for index in sorted(set(indices)):
        if intervals and intervals[-1][1] == index - 1:
            intervals[-1] = (intervals[-1][0], index)
        else:
            intervals.append((index, index))
    return intervals


def reach(name: str, parameters: Mapping[str, Parameter]) -> dict[str, Intervals]:
    """For each ancestor, the values that every test on the way to this parameter leaves over."""
    left: dict[str, Intervals] = {}
    for ancestor, test in _tests_on_the_way(name, parameters):
        values = passing(parameters[ancestor], test)
        left[ancestor] = _met(left[ancestor], values) if ancestor in left else values
    return left


def _tests_on_the_way(name: str, parameters: Mapping[str, Parameter]) -> Sequence[tuple[str, Test]]:
    tests: list[tuple[str, Test]] = []
    pending, seen = [name], {name}
    while pending:
        condition = parameters[pending.pop()].condition
        for parent, test in condition.tests if condition is not None else ():
            tests.append((parent, test))
            if parent not in seen:
                seen.add(parent)
                pending.append(parent)
    return tests


def _met(left: Intervals, right: Intervals) -> Intervals:
    both = [(max(a, c), min(b, d)) for a, b in left for c, d in right]
    return sorted((start, end) for start, end in both if start <= end)


def _side(bound: float | None, otherwise: float) -> float:
    return otherwise if bound is None else bound
