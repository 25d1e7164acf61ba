"""The axes of a model: a space's parameters that vary, as coordinates that a kernel can measure distances in.

Glossary:

    d   parameters of the space          m   axes: the parameters with more than one value
    F   columns of the embedding         u   a latent point, (n, m) in [0, 1], a coordinate for every axis,
                                             whether its parameter takes part or not

A latent point becomes a configuration in two steps: a coordinate of a finite parameter is snapped to its
bin's centre, and axes whose conditions fail drop out. `embed` then maps it into Euclidean space, so that any
stationary kernel on the embedding is one on configurations:

    numeric       the coordinate; 1/2 while absent
    categorical   one-hot / sqrt(2), so that the squared distance is 1 between any two choices (Hamming);
                  all zeros while absent
    conditional   one more column, ABSENT while absent and 0 otherwise

Snapping before the kernel sees a point is the rounding inside the kernel of Garrido-Merchán &
Hernández-Lobato, Neurocomputing 380 (2020). Two configurations without a parameter do not differ in it, and
one without it differs from those that have it by a fixed amount: the idea of Swersky et al., "Raiders of the
Lost Architecture", 2013, on a line instead of an arc. So conditional parameters are learned from all trials.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tuning.engine.conditions import passing
from tuning.engine.parameters import Parameter
from tuning.engine.parameters.base import Finite
from tuning.engine.space import SearchSpace

Array = NDArray[np.float64]

ABSENT = 0.5  # distance, in widths of the unit interval, between having a numeric parameter and not having it
TABULATED = 4096  # numeric parameters up to this size keep a table of their bins, categorical ones always
FEW = 16  # numeric parameters up to this size are searched by trying their values, larger ones also by gradient


class Axis:
    """One parameter that varies: which of its coordinates are legal, and which neighbours a value has."""

    def __init__(self, parameter: Parameter) -> None:
        self.parameter = parameter
        self.name = parameter.name
        self.size = parameter.size
        self.categorical = parameter.kind == "categorical"
        self.finite = isinstance(parameter, Finite)
        self.smooth = not self.categorical and (self.size is None or self.size > FEW)
        self.centres: Array | None = None
        self._edges: Array | None = None
        tabulated = self.categorical or (parameter.size is not None and parameter.size <= TABULATED)
        if isinstance(parameter, Finite) and tabulated:
            spans = np.array([parameter.span(parameter.value_at(k)) for k in range(parameter.size or 0)])
            self.centres, self._edges = spans.mean(axis=1), spans[:-1, 1]

    @property
    def edges(self) -> Array | None:
        """The edges (size + 1,) of the values' bins, 0 and 1 included; None where no table of them is kept."""
        return None if self._edges is None else np.concatenate([[0.0], self._edges, [1.0]])

    def snapped(self, u: Array) -> Array:
        """The coordinates (n,) of the values that these coordinates (n,) stand for."""
        if not self.finite:
            return u
        if self.centres is None:
            return np.array([self.parameter.to_unit(self.parameter.from_unit(x)) for x in u.tolist()])
        return self.centres[self.index(u)]

    def index(self, u: Array) -> NDArray[np.int64]:
        """The indices (n,) of the values of a tabulated axis at these coordinates (n,)."""
        if self._edges is None:
            raise TypeError(f"{self.name} has too many values for a table: snap its coordinates instead")
        return np.searchsorted(self._edges, u, side="right")

    def neighbours(self, u: float) -> Array:
        """The coordinates of the values to try next to the one at u.

        All others of a categorical or small parameter; else those 1, 2, 4, ... places away, so that a few
        rounds walk any distance and end where neither direct neighbour is better.
        """
        if self.centres is not None:
            place = int(self.index(np.array([u]))[0])
            if self.categorical or len(self.centres) <= FEW:
                return np.delete(self.centres, place)
            return self.centres[_around(place, len(self.centres))]
        if not isinstance(self.parameter, Finite) or self.size is None:
            return np.empty(0)
        place = self.parameter.index_of(self.parameter.from_unit(u))
        value_at, to_unit = self.parameter.value_at, self.parameter.to_unit
        return np.array([to_unit(value_at(other)) for other in _around(place, self.size)])


def _around(place: int, size: int) -> list[int]:
    """The indices 1, 2, 4, ... away from `place` that lie in 0..size - 1."""
    strides = [sign << k for k in range(size.bit_length()) for sign in (-1, 1)]
    return [place + stride for stride in strides if 0 <= place + stride < size]


class Axes:
    """The axes of one space."""

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        self._d = len(space)
        self.columns = np.array([i for i, p in enumerate(space.parameters) if p.size != 1], dtype=np.int64)
        self.axes = tuple(Axis(space.parameters[i]) for i in self.columns)
        self.m = len(self.axes)
        self.names = tuple(axis.name for axis in self.axes)
        self.finite = bool(all(axis.finite for axis in self.axes))
        self.smooth = np.array([axis.smooth for axis in self.axes], dtype=bool)
        self.conditional = np.array([axis.parameter.condition is not None for axis in self.axes], dtype=bool)
        self._tests = self._compiled(space)
        widths = [axis.size or 0 if axis.categorical else 1 for axis in self.axes]
        starts = np.concatenate([[0], np.cumsum(widths)]).astype(np.int64)
        self._starts: list[int] = starts[:-1].tolist()
        self._flags = {int(j): int(starts[-1]) + k for k, j in enumerate(np.flatnonzero(self.conditional))}
        owners = [np.repeat(np.arange(self.m), widths), np.flatnonzero(self.conditional)]
        self.owner: NDArray[np.int64] = np.concatenate(owners).astype(np.int64)  # (F,) each column's axis
        self.numeric = np.array([not axis.categorical for axis in self.axes], dtype=bool)
        self.numeric_columns = np.array(
            [start for start, axis in zip(self._starts, self.axes, strict=True) if not axis.categorical],
            dtype=np.int64,
        )  # the columns of the numeric axes, in the order of the axes

    def _compiled(self, space: SearchSpace) -> list[tuple[int, list[tuple[int, Array]]]]:
        """For each conditional axis: (axis, [(parent axis, closed intervals (k, 2) of its coordinate)])."""
        place = {axis.name: j for j, axis in enumerate(self.axes)}
        compiled = []
        for j, axis in enumerate(self.axes):
            tests = []
            for name, test in axis.parameter.condition.tests if axis.parameter.condition is not None else ():
                parent = space[name]
                spans = [_unit_interval(parent, start, end) for start, end in passing(parent, test)]
                if name in place:
                    tests.append((place[name], np.array(spans).reshape(-1, 2)))
                elif parent.condition is not None:
                    # A parent with a single value says only whether it takes part itself.
                    tests += self._inherited(space, name, place)
            if axis.parameter.condition is not None:
                compiled.append((j, tests))
        return compiled

    def _inherited(self, space: SearchSpace, name: str, place: dict[str, int]) -> list[tuple[int, Array]]:
        condition = space[name].condition
        tests: list[tuple[int, Array]] = []
        for parent_name, test in condition.tests if condition is not None else ():
            parent = space[parent_name]
            if parent_name in place:
                spans = [_unit_interval(parent, start, end) for start, end in passing(parent, test)]
                tests.append((place[parent_name], np.array(spans).reshape(-1, 2)))
            else:
                tests += self._inherited(space, parent_name, place)
        return tests

    # between the unit cube and latent points

    def latent(self, unit: Array) -> Array:
        """Latent points (n, m) of rows of the unit cube (n, d), 1/2 where a parameter is absent."""
        u = unit[:, self.columns]
        return np.where(np.isnan(u), 0.5, u)

    def unit(self, u: Array) -> Array:
        """The row of the unit cube (d,) of one latent point (m,), without NaN: `from_unit` drops the rest."""
        row = np.full(self._d, 0.5)
        row[self.columns] = u
        return row

    def snapped(self, u: Array) -> Array:
        """The latent points (n, m) with every coordinate of a finite parameter at its bin's centre."""
        snapped = np.array(u)
        for j, axis in enumerate(self.axes):
            if axis.finite:
                snapped[:, j] = axis.snapped(u[:, j])
        return snapped

    def active(self, u: Array) -> NDArray[np.bool_]:
        """Which parameters take part at the latent points, (n, m)."""
        active = np.ones(u.shape, dtype=bool)
        for j, tests in self._tests:
            for parent, spans in tests:
                x = u[:, parent, None]
                active[:, j] &= active[:, parent] & ((x >= spans[:, 0]) & (x <= spans[:, 1])).any(axis=1)
        return active

    def domain(self, j: int) -> dict[int, Array]:
        """Where the parameter of axis j takes part: for each axis that decides it the closed intervals (k, 2) of its
        coordinate, ancestors included; empty for a parameter without a condition."""
        found: dict[int, Array] = {}
        for parent, spans in dict(self._tests).get(j, []):
            for axis, allowed in [(parent, spans), *self.domain(parent).items()]:
                found[axis] = _common(found[axis], allowed) if axis in found else allowed
        return found

    def keys(self, u: Array) -> list[bytes]:
        """What tells configurations apart, for snapped latent points (n, m).

        Exact where all parameters are finite; coordinates of continuous ones are compared to nine digits.
        """
        rounded = np.where(self.active(u), np.round(u, 9), -1.0)
        return [row.tobytes() for row in rounded]

    def embed(self, u: Array) -> Array:
        """The embedding (n, F) of snapped latent points (n, m)."""
        active = self.active(u)
        embedded = np.zeros((len(u), len(self.owner)))
        embedded[:, self.numeric_columns] = np.where(active[:, self.numeric], u[:, self.numeric], 0.5)
        for j in np.flatnonzero(~self.numeric).tolist():
            rows = np.flatnonzero(active[:, j])
            embedded[rows, self._starts[j] + self.axes[j].index(u[rows, j])] = np.sqrt(0.5)
        for j, column in self._flags.items():
            embedded[:, column] = np.where(active[:, j], 0.0, ABSENT)
        return embedded


def _common(first: Array, second: Array) -> Array:
    """The intervals (k, 2) that two unions of intervals share."""
    low = np.maximum(first[:, None, 0], second[None, :, 0]).ravel()
    high = np.minimum(first[:, None, 1], second[None, :, 1]).ravel()
    return np.column_stack([low, high])[high > low]


def _unit_interval(parent: Parameter, start: float, end: float) -> tuple[float, float]:
    """The coordinates of a closed interval of values (continuous parameter) or of indices (finite one)."""
    if isinstance(parent, Finite):
        first, last = parent.value_at(int(start)), parent.value_at(int(end))
        return parent.span(first)[0], parent.span(last)[1]
    # A prior without a bound has infinite ends, which are no values.
    return (0.0 if math.isinf(start) else parent.to_unit(start)), (1.0 if math.isinf(end) else parent.to_unit(end))


@lru_cache(maxsize=16)
def axes_of(space: SearchSpace) -> Axes:
    """The axes of a space; those of recent spaces are kept, since a space never changes."""
    return Axes(space)
