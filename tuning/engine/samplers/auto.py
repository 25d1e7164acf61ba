"""Auto, the default: the sampler that `advice.advise` names for the study."""

from __future__ import annotations

import numpy as np

from tuning.engine.advice import advise
from tuning.engine.history import History
from tuning.engine.samplers.base import Sampler, Suggestion
from tuning.engine.samplers.gp import GP
from tuning.engine.samplers.grid import Grid
from tuning.engine.samplers.qmc import QuasiRandom
from tuning.engine.samplers.tpe import TPE
from tuning.engine.space import SearchSpace

CHOSEN: dict[str, type[Sampler]] = {sampler.name: sampler for sampler in (Grid, QuasiRandom, GP, TPE)}


class Auto(Sampler):
    """Chooses the sampler by the space, the budget, the trials at once and those so far."""

    name = "auto"
    title = "Automatic"
    summary = "Chooses the method by the space and the number of trials, and says with each trial which and why."

    def propose(self, space: SearchSpace, history: History, rng: np.random.Generator) -> Suggestion:
        sampler, why = self._chosen(space, history.n_finished)
        suggestion = sampler.propose(space, history, rng)
        return Suggestion(suggestion.params, f"{suggestion.why} Chosen because {why}.")

    def plan_size(self, space: SearchSpace) -> int | None:
        return self._chosen(space)[0].plan_size(space)

    def _chosen(self, space: SearchSpace, trials: int = 0) -> tuple[Sampler, str]:
        advice = advise(space, self.budget, self.parallel, trials)
        return CHOSEN[advice.sampler](budget=self.budget, parallel=self.parallel), advice.why
