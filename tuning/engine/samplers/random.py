"""Random search: every configuration drawn from the priors, independently of all others.

Bergstra & Bengio, "Random Search for Hyper-Parameter Optimization", JMLR 13 (2012). A uniform point of the
unit cube goes through each parameter's quantile function, so log scales, steps, priors, weights and
conditions hold.
"""

from __future__ import annotations

import numpy as np

from tuning.engine.history import History
from tuning.engine.samplers.base import Sampler, Suggestion
from tuning.engine.space import SearchSpace


class Random(Sampler):
    """Draws from the priors."""

    name = "random"
    title = "Random search"
    summary = "Draws every configuration from the priors. Hard to beat by much with few trials, and never stuck."
    needs_history = False
    learns = False

    def propose(self, space: SearchSpace, history: History, rng: np.random.Generator) -> Suggestion:
        return Suggestion(space.from_unit(rng.random(len(space))), "Random: drawn from the priors.")
