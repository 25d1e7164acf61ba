"""Which sampler for which space, budget, parallelism and history: one function for "auto" and for the advisor."""

from __future__ import annotations

from dataclasses import dataclass

from tuning.engine.errors import SpaceError
from tuning.engine.space import SearchSpace

# The Gaussian process models 300 trials at the most (surrogates.observations); where there are more, or very many
# parameters, TPE, whose model grows with the trials, takes over. On the design problems the Gaussian process led TPE
# at 25 and 50 trials.
GP_TRIALS = 300
GP_PARAMETERS = 30
BLIND_SHARE = 0.5  # of the budget at once: nearly all trials are then asked for before the first has answered


@dataclass(frozen=True)
class Advice:
    """The name of a sampler, and one sentence on why it."""

    sampler: str
    why: str


def advise(space: SearchSpace, budget: int | None = None, parallel: int = 1, trials: int = 0) -> Advice:
    """The sampler for a study of `budget` trials (None: not known), `parallel` of them at once, `trials` finished.

    Grid where the whole space is finite and the budget pays for all of it, since then nothing is left to chance;
    quasi-random search where a model would learn too late; else a Gaussian process for few trials, TPE for many.
    """
    size = _grid_size(space)
    if size is not None and budget is not None and size <= budget:
        return Advice("grid", f"the {budget} trials pay for all {size} configurations of the space")
    if budget is not None and parallel > 1 and parallel >= BLIND_SHARE * budget:
        return Advice("qmc", f"with {parallel} of {budget} trials at once a model would learn too late")
    varied = sum(parameter.size != 1 for parameter in space.parameters)
    if varied > GP_PARAMETERS:
        return Advice("tpe", f"{varied} parameters are many for a Gaussian process")
    if max(budget or 0, trials) > GP_TRIALS:
        return Advice("tpe", f"more than {GP_TRIALS} trials are many for a Gaussian process")
    few = f"the {budget} trials are few" if budget is not None else "the trials so far are few"
    return Advice("gp", f"{few} and each should count")


def _grid_size(space: SearchSpace) -> int | None:
    """The number of configurations; None where it is infinite or cannot be counted."""
    if space.continuous():
        return None
    try:
        return space.lattice.size
    except SpaceError:
        return None
