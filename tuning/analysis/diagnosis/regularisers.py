"""Which regularisers go with a closed gap, and what validation does with them, over the trials of a study.

For each regulariser the partial Spearman correlation with the gap and with the score: of the ranks that remain after a
linear fit to the ranks of all other numeric parameters, so that a learning rate that happened to move along does not
pass for it. The interval is Fisher's with Bonett & Wright's (2000) variance for ranks, (1 + r²/2) / (n - k - 3) with k
other parameters. What goes together need not be cause and effect, and trials that a sampler chose are no experiment.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy

from tuning.analysis.diagnosis.knobs import knob_role

REGULARISERS = ("weight_decay", "l1", "dropout", "augmentation")
FEWEST = 12  # trials
Z = 1.96


@dataclass(frozen=True)
class Correlation:
    """A partial rank correlation and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Regulariser:
    """What goes with more of one regulariser, over `trials` trials.

    gap: with the gap. worse: with a worse score, whichever way that is.
    """

    parameter: str
    role: str
    trials: int
    gap: Correlation
    worse: Correlation

    @property
    def closes(self) -> bool:
        """Whether the gap is smaller with more of it, beyond chance."""
        return self.gap.high < 0

    @property
    def hurts(self) -> bool:
        return self.worse.low > 0

    @property
    def says(self) -> str:
        if not self.closes:
            if self.gap.low > 0:
                return "more of it goes with a wider gap"
            return "no effect on the gap that could be told from chance"
        if self.hurts:
            return "more of it goes with a smaller gap, and with a worse score: it closes the gap by learning less"
        better = self.worse.high < 0
        return f"more of it goes with a smaller gap{', and with a better score' if better else ' and no worse score'}"


def regulariser_effects(
    space: Mapping[str, Mapping[str, Any]], trials: Sequence[tuple[Mapping[str, Any], float, float]], direction: str
) -> list[Regulariser]:
    """The study's numeric regularisers over trials (params, gap, score), in the order of the space.

    Trials that lack the parameter are left out of its row; with fewer than FEWEST there is none.
    """
    numeric = [name for name, entry in space.items() if entry.get("type") in ("float", "int")]
    found = []
    for name in numeric:
        role = knob_role(name, space[name].get("annotation"))
        if role not in REGULARISERS:
            continue
        rows = [row for row in trials if name in row[0] and all(map(math.isfinite, row[1:]))]
        others = [other for other in numeric if other != name and all(other in params for params, _, _ in rows)]
        columns = [[float(params[other]) for params, _, _ in rows] for other in (name, *others)]
        worse = 1.0 if direction == "minimize" else -1.0
        gap = _partial(columns, [row[1] for row in rows])
        score = _partial(columns, [worse * row[2] for row in rows])
        if gap is not None and score is not None:
            found.append(Regulariser(name, role, len(rows), gap, score))
    return found


def _partial(columns: Sequence[Sequence[float]], outcome: Sequence[float]) -> Correlation | None:
    """Of the first column's ranks with the outcome's, given the others'; None where there are too few trials."""
    n, k = len(outcome), len(columns) - 1
    if n < FEWEST or n - k <= 4:
        return None
    ranks = np.column_stack([scipy.stats.rankdata(column) for column in columns])  # (n, k + 1)
    given = np.column_stack([np.ones(n), ranks[:, 1:]])
    both = np.column_stack([ranks[:, 0], scipy.stats.rankdata(outcome)])
    rest = both - given @ np.linalg.lstsq(given, both, rcond=None)[0]
    length = np.linalg.norm(rest, axis=0)
    if min(length) < 1e-9 * n:
        return None  # it was the same in all trials, or another parameter tells it
    value = float(np.clip(rest[:, 0] @ rest[:, 1] / (length[0] * length[1]), -0.9999, 0.9999))
    half = Z * math.sqrt((1 + value**2 / 2) / (n - k - 3))
    return Correlation(value, math.tanh(math.atanh(value) - half), math.tanh(math.atanh(value) + half))
