"""fANOVA: how much of the variance over the whole space each parameter, and each pair, accounts for.

Hutter, Hoos & Leyton-Brown, "An Efficient Approach for Assessing Hyperparameter Importance", ICML 2014. With the other
parameters averaged over the space (not over the trials), a tree's value along the parameters U is f_U; their share is

    V_i / V,   V_i = Var f_i,   V_ij = Var f_ij - V_i - V_j,   V = Var f

for each tree exactly, from the boxes of its leaves, and then averaged over the trees. It estimates the first-order and
second-order Sobol indices. Shares are raw: what they lack to 1 is higher interactions and noise.

Instead of a loop over leaves and cells, each leaf adds its value to the first cell of its interval and takes it off
behind the last, and a running sum over the cells gives f_i (with two indices f_ij): O(L) for each tree and parameter.

Deviation: a conditional parameter is averaged over the configurations without it, too (see `forest`), so its share is
what it matters in the whole space; `within` is its share where it takes part, the deciding parameters held to where
they let it.

Glossary: L leaves, c cells of an axis, m axes; w (L,) the measure of a leaf, y (L,) its value.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuning.analysis.importance.forest import Cells, Columns, Forest, Leaves, fitted
from tuning.analysis.importance.result import Curve, Importance, PairMap
from tuning.analysis.importance.sample import Sample
from tuning.engine.surrogates.axes import Axis

Array = NDArray[np.float64]
Pair = tuple[int, int]

QUESTION = "Which parameters make the value vary over the whole search space?"
POINTS = 33  # along a curve of a parameter with many values
SIDE = 17  # along each side of a map
PAIRED = 10  # axes at the most, those whose splits explain most, that are looked at in pairs
MAPS = 6  # the strongest pairs are drawn
TINY = 1e-12  # of the variance of the values: a tree that varies less is a single leaf


class _Tree:
    """The decomposition of one tree; values are scaled to mean 0 and deviation 1 over the trials."""

    def __init__(self, leaves: Leaves, centre: float, scale: float, axes: list[int]) -> None:
        self.leaves = leaves
        self.y = (leaves.values - centre) / scale
        self.widths = {j: leaves.width(j) for j in axes}
        self.w = np.prod(np.array(list(self.widths.values())), axis=0)
        self.mean = float(self.w @ self.y)
        self.variance = float(self.w @ (self.y - self.mean) ** 2)
        self.cells = {j: leaves.cells(j) for j in axes}
        self.marginals = {j: self._marginal(j, self.w, self.widths[j]) for j in axes}

    def _marginal(self, j: int, w: Array, width: Array) -> Array:
        """f_j (c,): the mean over the others in each cell. A leaf without measure under a condition counts for
        nothing."""
        return self.cells[j].sums(self.y * np.divide(w, width, out=np.zeros_like(w), where=width > 0))

    def main(self, j: int) -> float:
        return _variance(self.cells[j].measure, self.marginals[j]) / self.variance

    def joint(self, pair: Pair) -> Array:
        """f_ij (c_i, c_j)."""
        i, j = pair
        density = self.y * self.w / (self.widths[i] * self.widths[j])
        return self.cells[i].sums_with(self.cells[j], density)

    def pair(self, pair: Pair) -> float:
        """The share of what two parameters do beyond what each does alone."""
        i, j = pair
        both = self.joint(pair) - self.marginals[i][:, None] - self.marginals[j][None, :] + self.mean
        return float(self.cells[i].measure @ both**2 @ self.cells[j].measure) / self.variance

    def within(self, j: int, domain: dict[int, Array]) -> float:
        """The share of parameter j where the parameters of `domain` lie in theirs; NaN where nothing varies."""
        widths = [self.leaves.width(i, domain.get(i)) for i in self.widths]
        w = np.prod(np.array(widths), axis=0)
        variance = float(w @ (self.y - w @ self.y) ** 2)
        if variance <= TINY:
            return float("nan")
        return _variance(self.cells[j].measure, self._marginal(j, w, self.widths[j])) / variance


def _variance(measure: Array, marginal: Array) -> float:
    return float(measure @ (marginal - measure @ marginal) ** 2)


def fanova(sample: Sample, seed: int, forest: Forest | None = None) -> Importance:
    """Shares of the variance by parameter and by pair, with curves and maps; refused where the forest explains
    nothing of trials that it has not seen."""
    forest = forest or fitted(sample, seed)
    known: dict[str, Any] = {"method": "fanova", "question": QUESTION, "n": sample.n, "r2": forest.r2}
    known |= {"active": sample.shares, "hidden": _hidden(sample)}
    if forest.r2 <= 0.0:
        return Importance(**known, reason=_unexplained(sample.n, forest.r2))
    axes = list(range(sample.axes.m))
    scale = float(sample.values.std())
    centre = float(sample.values.mean())
    columns = Columns(sample.axes)
    trees = [_Tree(Leaves(each.tree_, columns), centre, scale, axes) for each in forest.model.estimators_]
    trees = [tree for tree in trees if tree.variance > TINY]
    spoken = sample.spoken
    shares = np.array([[tree.main(j) for j in spoken] for tree in trees])
    pairs = _pairs(trees, spoken, forest.use)
    names = sample.axes.names
    strongest = [pair for pair in pairs if pairs[pair] > 0.0][:MAPS]
    return Importance(
        **known,
        main=sample.named(dict(zip(spoken, shares.mean(axis=0).tolist(), strict=True))),
        std=sample.named(dict(zip(spoken, shares.std(axis=0).tolist(), strict=True))),
        pairs={(names[i], names[j]): share for (i, j), share in pairs.items()},
        within=_within(sample, trees, spoken),
        curves=tuple(_curve(trees, sample.axes.axes[j], j, centre, scale) for j in spoken),
        maps=tuple(_map(trees, sample.axes.axes, pair, centre, scale) for pair in strongest),
    )


def _hidden(sample: Sample) -> dict[str, int]:
    counts = sample.present.sum(axis=0)
    return {name: int(counts[j]) for j, name in enumerate(sample.axes.names) if j not in sample.spoken}


def _unexplained(n: int, r2: float) -> str:
    return (
        f"The forest explains nothing of trials that it has not seen (out-of-bag R² {r2:.2f} over {n} trials), so its "
        f"shares would be those of noise: run more trials, or judge whether repeated runs differ as much as these."
    )


def _pairs(trees: list[_Tree], spoken: list[int], use: Array) -> dict[Pair, float]:
    """The shares of pairs of the axes that the forest uses most, the largest first."""
    chosen = sorted(sorted(spoken, key=lambda j: -use[j])[:PAIRED])
    found = {pair: float(np.mean([tree.pair(pair) for tree in trees])) for pair in combinations(chosen, 2)}
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _within(sample: Sample, trees: list[_Tree], spoken: list[int]) -> dict[str, float]:
    found = {}
    for j in spoken:
        domain = sample.axes.domain(j)
        if domain:
            shares = np.array([tree.within(j, domain) for tree in trees])
            if np.isfinite(shares).any():
                found[sample.axes.names[j]] = float(np.nanmean(shares))
    return found


def _places(axis: Axis, most: int) -> Array:
    """Coordinates along an axis: of every value, or of `most` evenly chosen ones."""
    if axis.centres is not None and (axis.categorical or len(axis.centres) <= most):
        return axis.centres
    return np.unique(axis.snapped(np.linspace(0.0, 1.0, most)))


def _values(axis: Axis, places: Array) -> list[Any]:
    return [axis.parameter.from_unit(place) for place in places.tolist()]


def _curve(trees: list[_Tree], axis: Axis, j: int, centre: float, scale: float) -> Curve:
    places = _places(axis, POINTS)
    lines = np.array([tree.marginals[j][tree.cells[j].places(axis, places)] for tree in trees])
    mean, std = centre + scale * lines.mean(axis=0), scale * lines.std(axis=0)
    values = _values(axis, places)
    numeric = not axis.categorical
    return Curve(axis.name, numeric, axis.parameter.log, places.tolist(), values, mean.tolist(), std.tolist())


def _map(trees: list[_Tree], axes: tuple[Axis, ...], pair: Pair, centre: float, scale: float) -> PairMap:
    i, j = pair
    x, y = _places(axes[i], SIDE), _places(axes[j], SIDE)
    total = np.zeros((len(x), len(y)))
    for tree in trees:
        rows, columns = _at(tree.cells[i], axes[i], x), _at(tree.cells[j], axes[j], y)
        total += tree.joint(pair)[np.ix_(rows, columns)]
    mean = centre + scale * total / len(trees)
    return PairMap((axes[i].name, axes[j].name), _values(axes[i], x), _values(axes[j], y), mean.tolist())


def _at(cells: Cells, axis: Axis, places: Array) -> NDArray[np.int64]:
    return cells.places(axis, places)
