"""A trial as samplers and schedulers see it: its states, why it failed, and the random numbers it gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

from tuning.engine.errors import OptionError
from tuning.engine.values import shown


class TrialState(StrEnum):
    """WAITING to run, RUNNING, PAUSED by its scheduler, and the three ways to end."""

    WAITING = "WAITING"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    COMPLETE = "COMPLETE"
    PRUNED = "PRUNED"
    FAILED = "FAILED"

    @property
    def open(self) -> bool:
        """Whether the trial can still change."""
        return self in (TrialState.WAITING, TrialState.RUNNING, TrialState.PAUSED)


class Direction(StrEnum):
    """Whether smaller or larger objective values are better."""

    MINIMIZE = "minimize"
    MAXIMIZE = "maximize"

    @property
    def sign(self) -> float:
        """1 when minimising, -1 when maximising: sign * value is always to be minimised."""
        return 1.0 if self is Direction.MINIMIZE else -1.0

    @classmethod
    def of(cls, direction: str) -> Direction:
        """The direction of this name. Raises OptionError naming the two."""
        try:
            return cls(direction)
        except ValueError:
            raise OptionError("direction", f'{shown(direction)} is not one of "minimize" and "maximize"') from None


# Failures of the configuration teach a sampler to stay away; those of the surroundings say nothing about it.
CONFIGURATION_FAILURES = frozenset({"diverged", "out_of_memory", "code_error", "deadline"})
SURROUNDING_FAILURES = frozenset({"cancelled", "lost_host", "disk_full"})
REASON_CODES = CONFIGURATION_FAILURES | SURROUNDING_FAILURES


@dataclass(frozen=True)
class Trial:
    """One trial at one moment: a snapshot that does not change when the trial goes on.

    `resource` is the cumulative number of steps it may run to before it must ask (None: no limit is known);
    `resume_step` the last step that it has finished; `rung` counts from 0 within its bracket.
    """

    number: int
    params: Mapping[str, Any]
    state: TrialState = TrialState.WAITING
    value: float | None = None
    resource: int | None = None
    resume_step: int = 0
    bracket: int | None = None
    cohort: int | None = None
    rung: int | None = None
    why: str = ""
    reason_code: str | None = None
    reason: str | None = None
    infeasible: bool = False
    constraints: tuple[float, ...] | None = None
    intermediate: Mapping[int, float] = field(default_factory=dict)  # step -> value
    origin: str = "asked"  # or "enqueued", "added", "earlier"

    @property
    def deters(self) -> bool:
        """Whether the trial failed for its configuration, so that a sampler should stay away from it."""
        return self.state is TrialState.FAILED and self.reason_code in CONFIGURATION_FAILURES

    @property
    def costs_nothing(self) -> bool:
        """Whether it was found infeasible before its first step: it is of no budget and keeps no place at a rung."""
        return self.state is TrialState.PRUNED and self.infeasible and self.resume_step == 0


def rng_for(seed: int, number: int) -> np.random.Generator:
    """The random numbers for suggesting trial `number` of the study with this seed, both at least 0."""
    return np.random.default_rng(np.random.SeedSequence([seed, number]))


def made_for(rng: np.random.Generator) -> tuple[int, int] | None:
    """The seed and the number that `rng_for` made this generator for; None where it comes from elsewhere."""
    entropy = rng.bit_generator.seed_seq.entropy  # type: ignore[attr-defined]
    if isinstance(entropy, list) and len(entropy) == 2:
        return entropy[0], entropy[1]
    return None
