"""The recorded curves of a study through another scheduler: what would it have run, and whom would it have kept?

Nothing is predicted. The schedulers are driven by an `Optimizer` on a virtual clock, as `simulate` does it, and what a
trial reports is looked up in its record. A trial that ended by itself ends in the replay at the same step in the same
way. Where a scheduler wants to see a step that nobody has trained (the trial was cut before), the replay stops and says
so: from there on it is not known what would have happened.

The configurations are those of the record, in their order. A sampler that learns from results could have proposed
others, had it seen fewer of them.
"""

from __future__ import annotations

import heapq
import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Literal

import numpy as np

from tuning.engine.errors import TrialError
from tuning.engine.history import History
from tuning.engine.optimizer import Optimizer
from tuning.engine.samplers.base import Sampler, Suggestion
from tuning.engine.schedulers.base import Scheduler
from tuning.engine.space import SearchSpace
from tuning.engine.trial import Direction, Trial, TrialState

Ending = Literal["complete", "failed", "cut"]
SPACE = SearchSpace.from_json({"recorded": {"type": "constant", "value": True}})


@dataclass(frozen=True)
class RecordedTrial:
    """A trial as it was: its curve (steps rising), how it ended, its objective value where it is complete.

    ending: "complete" and "failed" (also infeasible) are the trial's own doing and will come again at the same step;
    "cut" is everything after which the trial could have gone on. seconds: of one step, above 0.
    """

    number: int
    steps: Sequence[int]
    values: Sequence[float]
    ending: Ending
    value: float | None = None
    seconds: float = 1.0

    @property
    def last(self) -> int:
        """The last step that it came to."""
        return self.steps[-1] if self.steps else 0


@dataclass(frozen=True)
class Record:
    """The trials of a study in the order of their creation, and how many ran at once.

    Raises ValueError for no workers, steps that do not rise, a curve of two lengths, a complete trial without a finite
    value, or a step that takes no time.
    """

    trials: Sequence[RecordedTrial]
    direction: str = "minimize"
    workers: int = 1

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ValueError(f"workers is {self.workers}: at least one must run the trials")
        for trial in self.trials:
            name = f"trial {trial.number}"
            if len(trial.steps) != len(trial.values):
                raise ValueError(f"{name} has {len(trial.steps)} steps and {len(trial.values)} values, not one each")
            if any(after <= before for before, after in pairwise(trial.steps)):
                raise ValueError(f"the steps of {name} do not rise")
            if trial.ending == "complete" and (trial.value is None or not math.isfinite(trial.value)):
                raise ValueError(f"{name} is complete with the value {trial.value!r}: give a finite one")
            if not trial.seconds > 0:
                raise ValueError(f"a step of {name} takes {trial.seconds} seconds: it must take some")

    def loss(self, trial: RecordedTrial) -> float:
        """The objective value turned so that smaller is better; infinite without one."""
        return math.inf if trial.value is None else Direction.of(self.direction).sign * trial.value

    def best_of(self, trials: Sequence[RecordedTrial]) -> RecordedTrial | None:
        """The complete trial with the best value, of equals the one with the lower number."""
        complete = [trial for trial in trials if trial.ending == "complete"]
        return min(complete, key=lambda trial: (self.loss(trial), trial.number), default=None)

    @cached_property
    def winner(self) -> RecordedTrial | None:
        return self.best_of(self.trials)

    @cached_property
    def steps(self) -> int:
        """The steps of all trials; those of a trial that was resumed count once."""
        return sum(trial.last for trial in self.trials)

    @cached_property
    def seconds(self) -> float:
        """How long the workers need for all that is recorded, each trial at one go."""
        free = [0.0] * self.workers
        for trial in self.trials:
            heapq.heapreplace(free, free[0] + trial.last * trial.seconds)
        return max(free)


@dataclass(frozen=True)
class Gap:
    """Where the record ends and the scheduler went on: the trial, its last recorded step, the step it was to run to."""

    number: int
    step: int
    wanted: int


@dataclass(frozen=True)
class Replay:
    """What a scheduler makes of a record; with a `gap` only until then, and `steps` and `seconds` count until then.

    reached: the step that each trial came to, by number. complete: the numbers of those that ran to their end.
    """

    record: Record
    steps: int
    seconds: float
    reached: dict[int, int] = field(repr=False)
    complete: frozenset[int] = field(repr=False)
    ended: frozenset[int] = field(repr=False)  # also by a failure or a cut: they will not go on
    gap: Gap | None = None

    @property
    def kept(self) -> bool | None:
        """Whether the recorded winner runs to its end; None where the record does not tell."""
        winner = self.record.winner
        if winner is None:
            return None
        if winner.number in self.complete:
            return True
        return False if self.gap is None or winner.number in self.ended else None

    @property
    def cut_at(self) -> int | None:
        """The step at which the recorded winner was cut, 0 where it was never started; None where it was not cut."""
        winner = self.record.winner
        return None if winner is None or self.kept is not False else self.reached.get(winner.number, 0)

    @property
    def share(self) -> float | None:
        """The steps, as a share of the record's; None where the replay was not played to its end."""
        return None if self.gap is not None or not self.record.steps else self.steps / self.record.steps

    @property
    def best(self) -> RecordedTrial | None:
        """The best trial that it ends with; None without one, or where the replay was not played to its end."""
        if self.gap is not None:
            return None
        return self.record.best_of([trial for trial in self.record.trials if trial.number in self.complete])

    @property
    def regret(self) -> float | None:
        """By how much its best is worse than the record's, at least 0."""
        best, winner = self.best, self.record.winner
        return None if best is None or winner is None else self.record.loss(best) - self.record.loss(winner)


class _Recorded(Sampler):
    """Proposes nothing: the trial of the same place in the record is what runs."""

    name = "recorded"
    needs_history = False

    def propose(self, space: SearchSpace, history: History, rng: np.random.Generator) -> Suggestion:
        return Suggestion({"recorded": True}, "")


@dataclass(order=True)
class _Leg:
    """A trial on its way to a point of its curve: when it comes there; of two at once the earlier trial is first."""

    end: float
    place: int
    wanted: int = field(compare=False)
    bracket: int | None = field(compare=False)


def replay(record: Record, scheduler: Scheduler) -> Replay:
    """Play the record's trials through the scheduler, which must have a max_resource, until nothing is left to run.

    Between rungs nothing is decided, so a trial goes from rung to rung: to the first step at or past the rung that it
    has reported, as a real one. Raises OptionError for a scheduler of the other direction, ValueError for one without
    max_resource.
    """
    if scheduler.max_resource is None:
        raise ValueError("the scheduler needs max_resource: the number of steps of a full training")
    if not record.trials:
        return Replay(record, 0, 0.0, {}, frozenset(), frozenset())
    optimizer = Optimizer(SPACE, _Recorded(), scheduler, direction=record.direction, budget=len(record.trials))
    reached = [0] * len(record.trials)
    running: list[_Leg] = []
    now, gap = 0.0, None

    def begin(place: int, wanted: int, bracket: int | None) -> None:
        recorded = record.trials[place]
        index = bisect_left(recorded.steps, wanted)
        end = recorded.steps[index] if index < len(recorded.steps) else recorded.last
        seconds = max(end - reached[place], 0) * recorded.seconds
        heapq.heappush(running, _Leg(now + seconds, place, wanted, bracket))

    while gap is None:
        for trial in optimizer.ask_many(record.workers - len(running)):
            begin(trial.number, _resource(trial, scheduler), trial.bracket)
        if not running:
            break
        leg = heapq.heappop(running)
        now, recorded = leg.end, record.trials[leg.place]
        index = bisect_left(recorded.steps, leg.wanted)
        if index == len(recorded.steps):
            reached[leg.place] = max(reached[leg.place], recorded.last)
            gap = _end(optimizer, leg, recorded)
            continue
        step, value = recorded.steps[index], recorded.values[index]
        reached[leg.place] = step
        if recorded.ending == "complete" and not math.isfinite(value) and index + 1 == len(recorded.steps):
            value = recorded.value or 0.0  # it did not diverge: another step's value counts
        if optimizer.report(leg.place, step, value) == "continue":
            begin(leg.place, _next_resource(scheduler, leg.bracket, step), leg.bracket)
    if gap is None:
        optimizer.close()
    ends = optimizer.trials
    return Replay(
        record,
        sum(reached),
        now,
        {record.trials[trial.number].number: reached[trial.number] for trial in ends},
        frozenset(record.trials[trial.number].number for trial in ends if trial.state is TrialState.COMPLETE),
        frozenset(record.trials[trial.number].number for trial in ends if not trial.state.open),
        gap,
    )


def _resource(trial: Trial, scheduler: Scheduler) -> int:
    resource = scheduler.max_resource if trial.resource is None else trial.resource
    if resource is None:
        raise TrialError(f"trial {trial.number} has no resource to run to")
    return resource


def _next_resource(scheduler: Scheduler, bracket: int | None, step: int) -> int:
    """Where a trial that may go on asks again, as the ledger has it."""
    top = scheduler.max_resource or step
    return next((resource for resource in scheduler.ladder(bracket) if resource > step), top)


def _end(optimizer: Optimizer, leg: _Leg, recorded: RecordedTrial) -> Gap | None:
    """What ended the trial before the step that it is wanted at: itself, and so it does again; or nobody can tell."""
    if recorded.ending == "complete":
        optimizer.tell(leg.place, recorded.value)
    elif recorded.ending == "failed":
        optimizer.tell(leg.place, state="failed")
    else:
        return Gap(recorded.number, recorded.last, leg.wanted)
    return None
