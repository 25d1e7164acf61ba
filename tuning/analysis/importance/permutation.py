"""Permutation importance: how much worse the forest predicts unseen trials when one parameter's values are shuffled.

Breiman, "Random Forests", Machine Learning 45, 2001. Predictions are out of bag: each trial's by the trees that were
fitted without it. For a function without noise the mean squared error rises by 2 V S_T, S_T being the total Sobol
index, so half the rise over the variance is shown: a share for what a parameter does alone and together with others,
which adds up to more than 1 where there are interactions. A conditional parameter is shuffled among the trials that
have it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tuning.analysis.importance.forest import Forest, fitted
from tuning.analysis.importance.result import Importance
from tuning.analysis.importance.sample import Sample

Array = NDArray[np.float64]

QUESTION = "Without which parameters could the value not be predicted, alone or together with others?"
REPEATS = 5


def permutation(sample: Sample, seed: int, forest: Forest | None = None) -> Importance:
    """Half the rise of the out-of-bag error over the variance of the values; never below 0 but for chance."""
    forest = forest or fitted(sample, seed)
    rng = np.random.default_rng([seed, 1])
    if forest.r2 <= 0.0:
        unseen_trials = f"The forest predicts no trial that it has not seen (out-of-bag R² {forest.r2:.2f})"
        reason = f"{unseen_trials}, so shuffling can tell nothing: run more trials."
        return Importance("permutation", QUESTION, sample.n, r2=forest.r2, active=sample.shares, reason=reason)
    unseen = _unseen(forest, sample.n)
    whole = _error(forest, forest.rows, unseen, sample.values)
    found: dict[int, Array] = {}
    for j in sample.spoken:
        columns = np.flatnonzero(forest.columns.owner == j)
        having = np.flatnonzero(sample.present[:, j])
        rises = []
        for _ in range(REPEATS):
            rows = forest.rows.copy()
            rows[np.ix_(having, columns)] = forest.rows[np.ix_(rng.permutation(having), columns)]
            rises.append(_error(forest, rows, unseen, sample.values) - whole)
        found[j] = np.array(rises) / (2.0 * sample.values.var())
    return Importance(
        "permutation",
        QUESTION,
        sample.n,
        sample.named({j: float(rises.mean()) for j, rises in found.items()}),
        sample.named({j: float(rises.std()) for j, rises in found.items()}),
        r2=forest.r2,
        active=sample.shares,
    )


def _unseen(forest: Forest, n: int) -> NDArray[np.bool_]:
    """Which trials each tree was fitted without, (trees, n)."""
    unseen = np.ones((len(forest.model.estimators_), n), dtype=bool)
    for row, drawn in enumerate(forest.model.estimators_samples_):
        unseen[row, drawn] = False
    return unseen


def _error(forest: Forest, rows: NDArray[np.float32], unseen: NDArray[np.bool_], values: Array) -> float:
    """The mean squared error of the out-of-bag predictions for rows (n, F)."""
    total = np.zeros(len(values))
    for tree, left_out in zip(forest.model.estimators_, unseen, strict=True):
        total[left_out] += tree.tree_.predict(rows[left_out])[:, 0]
    counts = unseen.sum(axis=0)
    judged = counts > 0
    return float(np.mean((total[judged] / counts[judged] - values[judged]) ** 2))
