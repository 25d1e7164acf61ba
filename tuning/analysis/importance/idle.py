"""Which parameters are idle: they may be held at one value, because nothing says that they matter.

A parameter is idle where the forest gives it, all its pairs included, less than MOST of the variance, where shuffling
it costs no more than that, and where none of three looks that need no forest finds anything at the level DOUBT:

    left over   what the forest does not explain of a trial, out of bag, against the parameter (its coordinate and its
                square, or its choices): an effect too weak for the forest's splits
    together    the same against its products with every other parameter: an interaction that trees, which split by one
                parameter at a time, do not see in few trials (x1 * x2 has no main effect to begin with)
    among good  the better half of the trials, by rank, against the parameter, the others held: where a few bad trials
                make up the variance, what decides among the good ones is under one percent of it

Each is an F test of ordinary least squares. It says nothing of fewer than FEWEST trials, of a forest that explains less
than LEAST_R2, where the trials could not tell MOST from noise (the noncentrality of an F test for such a share, n MOST
/ (1 - R²), is below LEAST_TOLD: 60 trials must be explained to 85 %, 200 to half), or of a parameter of which the
trials have seen too little: a sampler that has settled at one value has not tried the others.
"""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray

from tuning.analysis.importance.forest import Forest
from tuning.analysis.importance.result import Idle, Importance
from tuning.analysis.importance.sample import Sample

Array = NDArray[np.float64]

FEWEST = 50  # trials that have the parameter
MOST = 0.01
LEAST_R2 = 0.4
LEAST_TOLD = 4.0
DOUBT = 0.1
LEAST_SPREAD = 0.5  # of what an even spread over the range would have
SPARE = 5  # trials beyond the coefficients
TINY = 1e-8


def idle(sample: Sample, forest: Forest, fanova: Importance, permutation: Importance, direction: str) -> list[Idle]:
    """The idle parameters in the space's order."""
    if fanova.reason or permutation.reason or forest.r2 < LEAST_R2:
        return []
    found = []
    for j in sample.spoken:
        name, n = sample.axes.names[j], int(sample.present[:, j].sum())
        main, pairs = fanova.main[name], sum(share for pair, share in fanova.pairs.items() if name in pair)
        shuffled, spread = permutation.main[name], spread_of(sample, j)
        most = max(main + pairs, shuffled, fanova.within.get(name, 0.0))
        told = n * MOST >= LEAST_TOLD * (1.0 - forest.r2)
        if n < FEWEST or not told or most >= MOST or spread < LEAST_SPREAD:
            continue
        if not _doubted(sample, forest, j, direction):
            found.append(Idle(name, n, main, pairs, max(shuffled, 0.0), forest.r2, spread))
    return found


def spread_of(sample: Sample, j: int) -> float:
    """How far the trials that have a parameter spread over its range, 1 being evenly: the distance between the 10 % and
    the 90 % quantile; of a list of choices the rarest choice's share of the trials against its share of the space."""
    axis, u = sample.axes.axes[j], sample.u[sample.present[:, j], j]
    if axis.categorical and axis.edges is not None:
        shares = np.bincount(axis.index(u), minlength=axis.size or 0) / len(u)
        return float(min(1.0, (shares / np.diff(axis.edges)).min()))
    low, high = np.quantile(u, [0.1, 0.9])
    return float(min(1.0, (high - low) / 0.8))


def _doubted(sample: Sample, forest: Forest, j: int, direction: str) -> bool:
    """Whether anything beside the forest says that the parameter matters, or nothing can be asked."""
    every = [_columns(sample, k) for k in range(sample.axes.m)]
    one = np.ones((sample.n, 1))
    left = scipy.stats.rankdata(sample.values - forest.model.oob_prediction_)
    looks = [_chance(left, one, every[j])]
    others = [k for k in range(sample.axes.m) if k != j]
    together = [
        _chance(left, np.hstack([one, every[j], every[k]]), _products(sample, every, j, k)) for k in others
    ]
    if together:
        looks.append(1.0 - (1.0 - min(together)) ** len(together))
    losses = sample.values if direction == "minimize" else -sample.values
    good = losses <= np.median(losses)
    held = np.hstack([one, *[every[k] for k in others]])[good]
    looks.append(_chance(scipy.stats.rankdata(losses[good]), held, every[j][good]))
    return min(looks) < DOUBT


def _columns(sample: Sample, j: int) -> Array:
    """An axis as columns (n, k): the centred coordinate and its square, or the choices; 0 where it takes no part."""
    axis, present = sample.axes.axes[j], sample.present[:, j]
    u = np.where(present, sample.u[:, j], 0.5)
    if axis.categorical:
        columns = (axis.index(u)[:, None] == np.arange(1, axis.size or 0)).astype(np.float64)
        columns -= columns[present].mean(axis=0) if present.any() else 0.0
    else:
        columns = np.column_stack([u - 0.5, (u - 0.5) ** 2 - 1 / 12])
    return np.where(present[:, None], columns, 0.0)


def _products(sample: Sample, every: list[Array], j: int, k: int) -> Array:
    """The products of two axes: of their coordinates, or of their choices."""
    first, second = (every[i] if sample.axes.axes[i].categorical else every[i][:, :1] for i in (j, k))
    return (first[:, :, None] * second[:, None, :]).reshape(sample.n, -1)


def _chance(response: Array, held: Array, asked: Array) -> float:
    """How often chance alone would explain as much by the columns asked (n, k), those of `held` given; 0 where there
    are too few trials to tell."""
    basis, sizes, _ = np.linalg.svd(held, full_matrices=False)
    basis = basis[:, sizes > TINY * sizes.max()]
    rest = response - basis @ (basis.T @ response)
    left, sizes, _ = np.linalg.svd(asked - basis @ (basis.T @ asked), full_matrices=False)
    left = left[:, sizes > TINY * max(float(np.abs(asked).max()), TINY)]
    k = left.shape[1]
    freedom = len(response) - basis.shape[1] - k
    if freedom < SPARE:
        return 0.0
    if k == 0:
        return 1.0
    explained = float(((left.T @ rest) ** 2).sum())
    unexplained = float((rest**2).sum()) - explained
    return float(scipy.stats.f.sf(explained / k / (unexplained / freedom), k, freedom)) if unexplained > 0 else 0.0
