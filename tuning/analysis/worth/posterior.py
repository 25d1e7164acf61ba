"""The gain of further trials by the model: joint draws of what the function may be, at the places to try next.

In each draw from the posterior the best of the complete trials and the best of k further places are both known, so the
gain is, too. The k places are chosen as a batch: each so that the gain expected of all so far rises most (the
multi-points expected improvement of Ginsbourger, Le Riche & Carraro, 2010, greedily over a finite set). They are the
model's own choice, whichever sampler the study has: a gain that another sampler would find is a reason to go on.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from tuning.engine import History, TrialState
from tuning.engine.acquisition_search import search
from tuning.engine.surrogates.surrogate import Surrogate
from tuning.engine.surrogates.validation import CERTAIN, Validation
from tuning.engine.threads import on_one_thread

Array = NDArray[np.float64]

PLACES = 400  # the most promising ones of the search for the next trial
DRAWS = 256
BATCH = 64  # of more trials than this, each draw's best place is taken for found


def explains(validation: Validation | None) -> bool:
    """Whether the model orders trials that it has not seen better than chance would, with 95 % confidence.

    By Fisher's transformation, as `Validation.verdict`, but however weak the correlation: where a sampler has gathered
    its trials around the optimum, hardly anything is left to explain, and just that is to be noticed.
    """
    if validation is None or validation.rank_correlation is None or validation.n <= 3:
        return False
    rho = min(max(validation.rank_correlation, -0.999999), 0.999999)
    return math.atanh(rho) > CERTAIN * 1.03 / math.sqrt(validation.n - 3)


def gains_by_model(surrogate: Surrogate, history: History, k: int, rng: np.random.Generator) -> Array:
    """Draws (DRAWS,) of the gain of k more trials, in the objective's units; each at least 0."""
    rows = surrogate.observations.rows
    complete = history.mask(TrialState.COMPLETE)[rows] & np.isfinite(history.losses[rows])
    own = surrogate.points[complete]
    with on_one_thread():
        places = search(surrogate, rng).points[:PLACES]
        losses = surrogate.draws(np.concatenate([own, places]), DRAWS, rng)
    best, there = losses[:, : len(own)].min(axis=1), losses[:, len(own) :]
    if k > BATCH:
        return np.maximum(best - there.min(axis=1), 0.0)
    return best - _with_batch(best, there, k)


def _with_batch(best: Array, there: Array, k: int) -> Array:
    """The best (n,) once k of the places, losses (n, q), have been tried, too."""
    for _ in range(min(k, there.shape[1])):
        gains = np.maximum(best[:, None] - there, 0.0).mean(axis=0)
        place = int(np.argmax(gains))
        if gains[place] <= 0:
            break
        best = np.minimum(best, there[:, place])
    return best


def noise_by_model(surrogate: Surrogate) -> float:
    """The standard deviation of a trial's value about the function, where the model expects the best trial to lie."""
    best = float(surrogate.fitted().min()) if len(surrogate.points) else 0.0
    sd = math.sqrt(surrogate.hyper.noise)
    low, high = surrogate.outputs.backward(np.array([best - sd, best + sd])).tolist()
    return (high - low) / 2
