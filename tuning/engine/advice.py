"""Which sampler for which space, budget and parallelism: one function for "auto" and for the advisor."""

from __future__ import annotations

from dataclasses import dataclass

from tuning.engine.errors import SpaceError
from tuning.engine.space import SearchSpace


@dataclass(frozen=True)
class Advice:
    """The name of a sampler, and one sentence on why it."""

    sampler: str
    why: str


def advise(space: SearchSpace, budget: int | None = None, parallel: int = 1) -> Advice:
    """The sampler for a study of `budget` trials (None: not known), `parallel` of them at once.

    Grid where the whole space is finite and the budget pays for all of it, since then nothing is left to
    chance; else random search.
    """
    continuous = space.continuous()
    if continuous:
        return Advice("random", f"{continuous[0].name} is continuous, so the space cannot be tried whole")
    try:
        size = space.lattice.size
    except SpaceError:
        return Advice("random", "the space has too many combinations to try whole")
    if budget is None:
        return Advice("random", f"the space has {size} configurations and the number of trials is not fixed")
    if size <= budget:
        return Advice("grid", f"the {budget} trials pay for all {size} configurations of the space")
    return Advice("random", f"the {budget} trials do not pay for all {size} configurations of the space")
