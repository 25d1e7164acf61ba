"""Grid search: every configuration of a finite space once, in product order or shuffled.

Configurations are numbered (see `Lattice`), so that the next one is found among the numbers not yet handed
out without walking through the grid. What counts as handed out is in the history: any finished or open
trial, whoever chose its configuration.
"""

from __future__ import annotations

import numpy as np

from tuning.engine.errors import SpaceError, SpaceExhausted, SpaceIssue
from tuning.engine.history import History
from tuning.engine.lattice import Lattice
from tuning.engine.options import Option
from tuning.engine.samplers.base import Sampler, Suggestion
from tuning.engine.space import SearchSpace

MAX_SIZE = 2**62  # numbers above it do not fit the arrays; no study comes near


class Grid(Sampler):
    """Tries every configuration once."""

    name = "grid"
    title = "Grid search"
    summary = "Tries every combination once and then stops. Needs a small, finite space."
    learns = False
    options = (
        Option(
            "shuffle",
            "bool",
            False,
            "Take the configurations in random order instead of product order, in "
            "which the last parameter varies fastest.",
        ),
    )

    def propose(self, space: SearchSpace, history: History, rng: np.random.Generator) -> Suggestion:
        lattice = self._lattice(space)
        used = np.unique(np.array(history.derived("grid.rank", lattice.rank), dtype=np.int64))
        left = lattice.size - len(used)
        if left == 0:
            raise SpaceExhausted(f"all {lattice.size} configurations of the grid have been handed out")
        place = int(rng.integers(left)) if self.settings["shuffle"] else 0
        # Below the j-th used number used[j] - j are free, so this many used ones lie below the free one wanted.
        rank = place + int(np.searchsorted(used - np.arange(len(used)), place, side="right"))
        return Suggestion(lattice.unrank(rank), f"Grid: configuration {rank + 1} of {lattice.size}, {left - 1} left.")

    def check(self, space: SearchSpace) -> None:
        self._lattice(space)

    def plan_size(self, space: SearchSpace) -> int | None:
        """The size of the grid. Raises SpaceError as `check`."""
        return self._lattice(space).size

    def _lattice(self, space: SearchSpace) -> Lattice:
        lattice = space.lattice
        if lattice.size > MAX_SIZE:
            raise SpaceError(
                [
                    SpaceIssue(
                        None,
                        None,
                        f"the grid has {lattice.size:.3g} configurations, more than can "
                        f"ever be tried: give fewer values, or use the random sampler",
                    )
                ]
            )
        return lattice
