"""Rank correlation: does the value rise or fall with a parameter, whatever the others are?

Spearman's rank correlation for numbers, of either sign; for a list of choices the correlation ratio of the ranks, the
root of the share of their variance that lies between the choices, corrected for their number. It needs no model, sees
nothing of a valley with its best in the middle, and no interaction.
"""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray

from tuning.analysis.importance.result import Importance
from tuning.analysis.importance.sample import Sample

Array = NDArray[np.float64]

QUESTION = "With which parameters does the value rise or fall?"


def correlation(sample: Sample) -> Importance:
    """The size of the correlation, 0 to 1, and its sign; each over the trials that have the parameter."""
    main, signs = {}, {}
    for j in sample.spoken:
        present = sample.present[:, j]
        axis, ranks = sample.axes.axes[j], scipy.stats.rankdata(sample.values[present])
        if axis.categorical:
            main[j] = _ratio(axis.index(sample.u[present, j]), ranks)
        else:
            rho = _spearman(scipy.stats.rankdata(sample.u[present, j]), ranks)
            main[j] = abs(rho)
            signs[axis.name] = int(np.sign(rho))
    return Importance(
        "correlation", QUESTION, sample.n, sample.named(main), active=sample.shares, signs=signs
    )


def _spearman(first: Array, second: Array) -> float:
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def _ratio(choices: NDArray[np.int64], ranks: Array) -> float:
    """The correlation ratio by Kelley's unbiased epsilon², 0 where chance would give as much."""
    total, used = float(((ranks - ranks.mean()) ** 2).sum()), np.unique(choices)
    if total == 0 or len(used) < 2 or len(ranks) <= len(used):
        return 0.0
    inside = sum(float(((ranks[choices == k] - ranks[choices == k].mean()) ** 2).sum()) for k in used)
    share = 1.0 - (inside / (len(ranks) - len(used))) / (total / (len(ranks) - 1))
    return float(np.sqrt(max(share, 0.0)))
