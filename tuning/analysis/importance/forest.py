"""A random forest over the coordinates of a space, and its trees as the boxes of their leaves.

Glossary:

    n, m      trials, axes              F   columns of the forest: one for an axis, one for each choice of a list
    L         leaves of one tree        c   cells of one axis in one tree: the intervals between its thresholds,
                                            or its choices

A numeric axis is one column, its coordinate in the unit cube, so that log scales and priors are the space's own; a
list of more than two choices is one column a choice, so that no order is invented. A leaf is a product of one set of
cells for each axis. The threshold between two neighbouring values of a finite parameter is moved to the edge between
their bins, so that the measure of every leaf is the probability of the configurations that fall into it.

A conditional parameter takes part in every row here: where a trial is without it, a coordinate is drawn for it,
uniformly and by the seed. The objective does not depend on it there, so what the forest learns is the objective as a
function of the whole cube, and its decomposition is defined as for a space without conditions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuning.analysis.importance.sample import Sample
from tuning.engine.surrogates.axes import Axes, Axis

Array = NDArray[np.float64]

TREES = 64
TWO = 2  # a list of two choices has no order to invent


class Columns:
    """The columns of the forest for the axes of a space."""

    def __init__(self, axes: Axes) -> None:
        self.axes = axes
        self.split = [axis.categorical and (axis.size or 0) > TWO for axis in axes.axes]
        widths = [axis.size or 0 if split else 1 for axis, split in zip(axes.axes, self.split, strict=True)]
        self.starts: list[int] = np.concatenate([[0], np.cumsum(widths)[:-1]]).astype(int).tolist()
        self.owner = np.repeat(np.arange(axes.m), widths)  # (F,)

    def of(self, u: Array) -> NDArray[np.float32]:
        """The rows (n, F) of complete coordinates (n, m), in the precision that the trees keep."""
        rows = np.zeros((len(u), len(self.owner)), dtype=np.float32)
        for j, axis in enumerate(self.axes.axes):
            if self.split[j]:
                rows[np.arange(len(u)), self.starts[j] + axis.index(u[:, j])] = 1.0
            else:
                rows[:, self.starts[j]] = u[:, j]
        return rows


@dataclass(frozen=True)
class Forest:
    """A fitted forest: `rows` (n, F) it was fitted to, `r2` out of bag."""

    model: Any  # scikit-learn's, which brings no types
    columns: Columns
    rows: NDArray[np.float32]
    r2: float

    @property
    def use(self) -> Array:
        """How much the splits of each axis explain, (m,), to 1 in all: which axes to look at in pairs."""
        explained: Array = self.model.feature_importances_
        return np.array([explained[self.columns.owner == j].sum() for j in range(self.columns.axes.m)])


def complete(sample: Sample, rng: np.random.Generator) -> Array:
    """The coordinates (n, m) of the sample, drawn evenly from 0..1 where a parameter takes no part."""
    u = sample.u.copy()
    for j, axis in enumerate(sample.axes.axes):
        gaps = np.flatnonzero(np.isnan(u[:, j]))
        if len(gaps):
            u[gaps, j] = axis.snapped((rng.permutation(len(gaps)) + rng.random(len(gaps))) / len(gaps))
    return u


def fitted(sample: Sample, seed: int) -> Forest:
    """The forest of a sample: TREES trees, each of a bootstrap sample, grown to single trials."""
    # Here, not above: a second and 60 MB, which a page that only asks for a lint should not pay.
    from sklearn.ensemble import RandomForestRegressor

    columns = Columns(sample.axes)
    rows = columns.of(complete(sample, np.random.default_rng(seed)))
    model = RandomForestRegressor(TREES, oob_score=True, random_state=np.random.RandomState(seed % 2**32))
    model.fit(rows, sample.values)
    return Forest(model, columns, rows, float(model.oob_score_))


@dataclass(frozen=True)
class Cells:
    """The leaves of one tree along one axis: what they add to its cells, alone and with another axis.

    measure (c,), to 1 in all. Of a numeric axis: edges (c + 1,) and first and last (L,), the cell that a leaf begins
    with and the one behind its end. Of a list's: allowed (L, c), which choices fall into a leaf.
    """

    measure: Array
    edges: Array
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    allowed: NDArray[np.bool_] | None = None

    def sums(self, values: Array) -> Array:
        """The sum (c,) of the values (L,) of the leaves that hold each cell."""
        if self.allowed is not None:
            return values @ self.allowed.astype(np.float64)
        places = np.concatenate([self.first, self.last])
        steps = np.bincount(places, np.concatenate([values, -values]), len(self.measure) + 1)
        sums: Array = steps.cumsum()[:-1]
        return sums

    def sums_with(self, other: Cells, values: Array) -> Array:
        """The same for the cells of two axes, (c, c of the other)."""
        if self.allowed is not None:
            return np.array([other.sums(values * allowed) for allowed in self.allowed.T])
        if other.allowed is not None:
            return other.sums_with(self, values).T
        c, k = len(self.measure) + 1, len(other.measure) + 1
        places = [row * k + column for row in (self.first, self.last) for column in (other.first, other.last)]
        steps = np.bincount(np.concatenate(places), np.concatenate([values, -values, -values, values]), c * k)
        sums: Array = steps.reshape(c, k).cumsum(axis=0).cumsum(axis=1)[:-1, :-1]
        return sums

    def places(self, axis: Axis, u: Array) -> NDArray[np.int64]:
        """The cells that hold these coordinates."""
        if self.allowed is not None:
            return axis.index(u)
        return np.clip(np.searchsorted(self.edges, u, side="right") - 1, 0, len(self.measure) - 1)


class Leaves:
    """The leaves of one tree: their values (L,), and their boxes over all columns."""

    def __init__(self, tree: Any, columns: Columns) -> None:
        self.columns = columns
        low, high, leaf = _boxes(tree, len(columns.owner))
        self.low, self.high = low[leaf], high[leaf]
        self.values: Array = tree.value[leaf, 0, 0]
        for axis, start, split in zip(columns.axes.axes, columns.starts, columns.split, strict=True):
            if not split and axis.edges is not None and axis.centres is not None:
                for side in (self.low, self.high):
                    side[:, start] = axis.edges[np.searchsorted(axis.centres, side[:, start], side="right")]

    def width(self, j: int, spans: Array | None = None) -> Array:
        """The measure (L,) of the leaves along an axis; `spans` (k, 2): under the condition that it lies in there."""
        axis, start = self.columns.axes.axes[j], self.columns.starts[j]
        if self.columns.split[j]:
            chances = _chances(axis)
            if spans is not None and axis.centres is not None:
                within = (axis.centres[:, None] > spans[:, 0]) & (axis.centres[:, None] < spans[:, 1])
                chances = chances * within.any(axis=1)
            return (self._allowed(j) * (chances / chances.sum())).sum(axis=1)
        low, high = self.low[:, start], self.high[:, start]
        if spans is None:
            return high - low
        overlap = np.minimum(high[:, None], spans[:, 1]) - np.maximum(low[:, None], spans[:, 0])
        return np.maximum(overlap, 0.0).sum(axis=1) / (spans[:, 1] - spans[:, 0]).sum()

    def cells(self, j: int) -> Cells:
        """The cells of an axis in this tree."""
        axis, start = self.columns.axes.axes[j], self.columns.starts[j]
        if self.columns.split[j]:
            none = np.empty(0, dtype=np.int64)
            return Cells(_chances(axis), np.empty(0), none, none, self._allowed(j))
        low, high = self.low[:, start], self.high[:, start]
        edges = np.unique(np.concatenate([low, [1.0]]))
        return Cells(np.diff(edges), edges, np.searchsorted(edges, low), np.searchsorted(edges, high))

    def _allowed(self, j: int) -> NDArray[np.bool_]:
        """Which choices (k) fall into which leaves, (L, k)."""
        start = self.columns.starts[j]
        ours = slice(start, start + (self.columns.axes.axes[j].size or 0))
        chosen, left = self.low[:, ours] > 0.0, self.high[:, ours] >= 1.0
        return left & (chosen | ~chosen.any(axis=1, keepdims=True))


def _chances(axis: Axis) -> Array:
    if axis.edges is None:
        raise TypeError(f"{axis.name} has no table of its values")
    return np.diff(axis.edges)


def _boxes(tree: Any, columns: int) -> tuple[Array, Array, NDArray[np.int64]]:
    """The boxes of all nodes, low and high (nodes, F), and which nodes are leaves; level by level from the root."""
    low, high = np.zeros((tree.node_count, columns)), np.ones((tree.node_count, columns))
    left, right = tree.children_left, tree.children_right
    level = np.zeros(1, dtype=np.int64)
    while len(level):
        level = level[left[level] >= 0]
        feature, threshold = tree.feature[level], tree.threshold[level]
        for children, side in ((left[level], high), (right[level], low)):
            low[children], high[children] = low[level], high[level]
            side[children, feature] = threshold
        level = np.concatenate([left[level], right[level]])
    return low, high, np.flatnonzero(left < 0)
