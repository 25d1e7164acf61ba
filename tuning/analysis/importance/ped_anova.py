"""PED-ANOVA: which parameters decide whether a trial is among the best, not how far the value moves.

Watanabe, Bansal & Hutter, "PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in Arbitrary Subspaces", IJCAI
2023: the Pearson divergence of the density of a parameter's values among the best TOP of the trials from that among
all, with Scott's bandwidth and one kernel of the prior, normalised to 1 over the parameters. For a conditional
parameter both densities are of the trials that have it, weighted by alpha² / beta, the shares of the best and of all
that do: the part of the divergence that is the parameter's own and not its condition's.

Glossary: u (n, m) coordinates, NaN where absent; top (n,) which trials are the best; G points of the grid.
"""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray

from tuning.analysis.importance.result import Importance
from tuning.analysis.importance.sample import Sample
from tuning.engine.surrogates.axes import Axis

Array = NDArray[np.float64]

QUESTION = "Which parameters decide whether a trial is among the best tenth?"
TOP = 0.1
GRID = 50
NARROWEST = 0.5 / 1.64 / (GRID - 1)  # a kernel's 90 % lie in one step of the grid


def ped_anova(sample: Sample, direction: str) -> Importance:
    """Shares of the divergence, to 1 in all; all 0 where the best lie as all trials do."""
    losses = sample.values if direction == "minimize" else -sample.values
    top = losses <= np.sort(losses)[max(1, round(TOP * sample.n)) - 1]
    found = {}
    for j in sample.spoken:
        present = sample.present[:, j]
        alpha, beta = present[top].mean(), present.mean()
        axis, all_of, best_of = sample.axes.axes[j], sample.u[present, j], sample.u[present & top, j]
        found[j] = float(alpha**2 / beta * _divergence(axis, best_of, all_of)) if len(best_of) else 0.0
    total = sum(found.values())
    main = sample.named({j: share / total if total > 0 else 0.0 for j, share in found.items()})
    return Importance("ped_anova", QUESTION, sample.n, main, active=sample.shares)


def _divergence(axis: Axis, best: Array, every: Array) -> float:
    """Σ q (p / q - 1)² of the masses p of the best and q of all over the cells of the grid."""
    p, q = _masses(axis, best), _masses(axis, every)
    return float(np.sum(q * (p / q - 1.0) ** 2))


def _masses(axis: Axis, u: Array) -> Array:
    """The probability of each cell (G,) of the grid, or of each choice, by a kernel for each trial and one more of the
    prior."""
    if axis.categorical and axis.centres is not None:
        counts = np.bincount(axis.index(u), minlength=len(axis.centres)).astype(float)
        return (counts + 1.0 / len(counts)) / (len(u) + 1.0)
    cells = min(GRID, axis.size or GRID)
    edges = np.linspace(0.0, 1.0, cells + 1)
    low, high = np.quantile(u, [0.25, 0.75])
    deviation = float(u.std(ddof=1)) if len(u) > 1 else 0.0
    scott = 1.059 * min((high - low) / 1.34, deviation) * len(u) ** -0.2
    sigma = max(scott, NARROWEST * GRID / cells)
    counts = np.histogram(u, edges)[0]  # trials of one cell share a kernel, so that 10,000 cost as much as 50
    centres = (edges[:-1] + edges[1:]) / 2
    reach = scipy.stats.norm.cdf((edges - centres[:, None]) / sigma)
    kernels = np.diff(reach, axis=1) / (reach[:, -1:] - reach[:, :1])
    prior = np.diff(scipy.stats.norm.cdf(edges - 0.5))
    masses: Array = (counts @ kernels + prior / prior.sum()) / (len(u) + 1.0)
    return masses
