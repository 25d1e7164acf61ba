"""What a scheduler sees of a study: counts and thresholds, never the list of trials.

`View` is enough for schedulers that have no rungs, `RungView` for the others. The two are protocols with
several implementations: `InMemoryView` here, one on the database elsewhere; one suite of tests holds for
all.

Words: a rung entry says that a trial has reached a rung of its cohort, with its value at the rung's step.
Entries are ranked best first by the study's direction, ties by the lower number; a trial that failed before
it reached the rung has an entry without value, counted and never ranked.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol

from tuning.engine.trial import Direction, Trial, TrialState


class EntryState(StrEnum):
    """REACHED: waits there for a decision; then PROMOTED or CUT. COMPLETE: the trial has run to its end by now.

    FAILED: the trial ended without a value for this rung.
    """

    REACHED = "reached"
    PROMOTED = "promoted"
    CUT = "cut"
    FAILED = "failed"
    COMPLETE = "complete"


ENDLESS = 2**31 - 1  # the planned size of a cohort that all trials of a study join


@dataclass(frozen=True)
class Cohort:
    """Trials that compete: `planned` members, fixed when the cohort opens, of which `started` exist.

    A member that costs nothing has left again: another takes its place.
    """

    number: int
    bracket: int
    planned: int
    started: int

    @property
    def full(self) -> bool:
        return self.started >= self.planned


@dataclass(frozen=True)
class RungCounts:
    """A cohort's members at one rung: `busy` are waiting or running towards it, the others have an entry."""

    busy: int = 0
    reached: int = 0
    promoted: int = 0
    cut: int = 0
    failed: int = 0
    complete: int = 0

    @property
    def entries(self) -> int:
        """How many have come to the rung, those that failed included."""
        return self.reached + self.promoted + self.cut + self.failed + self.complete


@dataclass(frozen=True)
class RungEntry:
    """One trial at one rung."""

    number: int
    value: float
    state: EntryState


class View(Protocol):
    """Counts over a study's trials."""

    @property
    def direction(self) -> Direction: ...

    @property
    def budget(self) -> int | None:
        """The number of trials that the study may create; None: no limit."""

    @property
    def created(self) -> int:
        """The trials that count against the budget: all but those added from elsewhere and those that cost nothing."""

    @property
    def waiting(self) -> int: ...

    @property
    def running(self) -> int: ...

    @property
    def paused(self) -> int: ...

    @property
    def open(self) -> int:
        """WAITING, RUNNING and PAUSED together."""

    def resource_of(self, number: int) -> int | None:
        """The resource that the trial may run to, None where none is set. Raises KeyError if unknown."""


class RungView(View, Protocol):
    """Counts by cohort and rung, for schedulers that compare trials at rungs."""

    @property
    def cohort_count(self) -> int:
        """How many cohorts have been opened; they are numbered 0, 1, 2, ..."""

    def open_cohorts(self) -> Sequence[Cohort]:
        """By number, those that have an open trial or fewer trials than planned."""

    def place_of(self, number: int) -> tuple[int, int]:
        """The trial's cohort and the rung it runs to or stands at. Raises KeyError where it has none."""

    def rung(self, cohort: int, rung: int) -> RungCounts:
        """The counts at one rung; zeros where nobody is yet."""

    def ranked(self, cohort: int, rung: int, limit: int) -> Sequence[RungEntry]:
        """The best `limit` entries of a rung, best first."""

    def rank(self, cohort: int, rung: int, value: float, number: int, most: int | None = None) -> int:
        """How many entries of the rung are better than this value of this trial; `most`: counted no further."""

    def among_best(self, cohort: int, rung: int, value: float, number: int, top: int) -> bool:
        """Whether fewer than `top` entries of the rung are better than this value of this trial."""

    def best_reached(self, cohort: int, rung: int) -> RungEntry | None:
        """The best entry of a rung that waits for a decision; None where none does."""

    def promotable(self, cohort: int, rung: int, top: int) -> RungEntry | None:
        """The same, where it is among the best `top` entries of the rung; else None."""

    def complete_median(self, cohort: int, rung: int) -> tuple[int, float | None]:
        """How many trials with a value at this rung are complete, and the median of their values there."""


def budget_left(view: View) -> int | None:
    """How many trials the budget still pays; None without a budget."""
    return None if view.budget is None else max(view.budget - view.created, 0)


@dataclass
class _Rung:
    states: dict[int, EntryState] = field(default_factory=dict)
    losses: dict[int, float] = field(default_factory=dict)  # sign * value
    ranking: list[tuple[float, int]] = field(default_factory=list)  # (loss, number), ascending
    reached: list[tuple[float, int]] = field(default_factory=list)  # of these, those that wait for a decision
    complete: list[float] = field(default_factory=list)  # losses of complete trials, ascending
    counts: dict[EntryState, int] = field(default_factory=lambda: dict.fromkeys(EntryState, 0))
    busy: int = 0


_NOBODY = _Rung()  # only read


class InMemoryView:
    """A `RungView` that its driver keeps up to date: `put` after each change, `enter` at each rung."""

    def __init__(self, direction: str = "minimize", budget: int | None = None) -> None:
        self.direction = Direction.of(direction)
        self.budget = budget
        self.created = 0
        self._trials: dict[int, Trial] = {}
        self._by_state = dict.fromkeys(TrialState, 0)
        self._cohorts: list[Cohort] = []
        self._members: list[int] = []  # open trials of each cohort
        self._open: set[int] = set()  # numbers of open cohorts
        self._rungs: dict[tuple[int, int], _Rung] = {}

    @property
    def waiting(self) -> int:
        return self._by_state[TrialState.WAITING]

    @property
    def running(self) -> int:
        return self._by_state[TrialState.RUNNING]

    @property
    def paused(self) -> int:
        return self._by_state[TrialState.PAUSED]

    @property
    def open(self) -> int:
        return self.waiting + self.running + self.paused

    def resource_of(self, number: int) -> int | None:
        return self._trials[number].resource

    @property
    def cohort_count(self) -> int:
        return len(self._cohorts)

    def open_cohorts(self) -> Sequence[Cohort]:
        return [self._cohorts[number] for number in sorted(self._open)]

    def place_of(self, number: int) -> tuple[int, int]:
        trial = self._trials[number]
        if trial.cohort is None or trial.rung is None:
            raise KeyError(number)
        return trial.cohort, trial.rung

    def rung(self, cohort: int, rung: int) -> RungCounts:
        found = self._rungs.get((cohort, rung), _NOBODY)
        return RungCounts(found.busy, *found.counts.values())

    def ranked(self, cohort: int, rung: int, limit: int) -> Sequence[RungEntry]:
        found = self._rungs.get((cohort, rung), _NOBODY)
        return [
            RungEntry(number, self.direction.sign * loss, found.states[number])
            for loss, number in found.ranking[:limit]
        ]

    def rank(self, cohort: int, rung: int, value: float, number: int, most: int | None = None) -> int:
        found = self._rungs.get((cohort, rung), _NOBODY)
        better = bisect.bisect_left(found.ranking, (self.direction.sign * value, number))
        return better if most is None else min(better, most)

    def among_best(self, cohort: int, rung: int, value: float, number: int, top: int) -> bool:
        return self.rank(cohort, rung, value, number) < top

    def best_reached(self, cohort: int, rung: int) -> RungEntry | None:
        found = self._rungs.get((cohort, rung), _NOBODY)
        if not found.reached:
            return None
        loss, number = found.reached[0]
        return RungEntry(number, self.direction.sign * loss, EntryState.REACHED)

    def promotable(self, cohort: int, rung: int, top: int) -> RungEntry | None:
        best = self.best_reached(cohort, rung)
        among = best is not None and self.rank(cohort, rung, best.value, best.number) < top
        return best if among else None

    def complete_median(self, cohort: int, rung: int) -> tuple[int, float | None]:
        losses = self._rungs.get((cohort, rung), _NOBODY).complete
        n = len(losses)
        if n == 0:
            return 0, None
        middle = (losses[(n - 1) // 2] + losses[n // 2]) / 2.0
        return n, self.direction.sign * middle

    # changes

    def open_cohort(self, bracket: int, planned: int) -> int:
        """A new cohort; returns its number."""
        number = len(self._cohorts)
        self._cohorts.append(Cohort(number, bracket, planned, 0))
        self._members.append(0)
        self._open.add(number)
        return number

    def put(self, trial: Trial) -> None:
        """A trial as it is now, new or changed."""
        before = self._trials.get(trial.number)
        self._trials[trial.number] = trial
        if before is None:
            self.created += trial.origin != "added"
            if trial.cohort is not None:
                cohort = self._cohorts[trial.cohort]
                self._cohorts[trial.cohort] = replace(cohort, started=cohort.started + 1)
        else:
            self._count(before, -1)
        self._count(trial, 1)
        if trial.costs_nothing and trial.origin != "added":
            self._withdraw(trial)
        if trial.cohort is not None:
            if self._members[trial.cohort] or not self._cohorts[trial.cohort].full:
                self._open.add(trial.cohort)
            else:
                self._open.discard(trial.cohort)

    def _withdraw(self, trial: Trial) -> None:
        """A trial that cost nothing has ended: it is of no budget, and its cohort has a place again."""
        self.created -= 1
        if trial.cohort is not None:
            cohort = self._cohorts[trial.cohort]
            self._cohorts[trial.cohort] = replace(cohort, started=cohort.started - 1)

    def _count(self, trial: Trial, change: int) -> None:
        self._by_state[trial.state] += change
        if trial.cohort is not None:
            self._members[trial.cohort] += change if trial.state.open else 0
        if trial.cohort is not None and trial.rung is not None:
            busy = trial.state in (TrialState.WAITING, TrialState.RUNNING)
            self._rung_of(trial.cohort, trial.rung).busy += change if busy else 0

    def enter(self, number: int, state: EntryState, value: float | None = None) -> None:
        """The trial's entry at its present rung: new with a value (FAILED: without), or in a new state."""
        self._enter(self._rung_of(*self.place_of(number)), number, state, value)

    def complete(self, number: int) -> None:
        """The trial has run to its end: so say its entries with a value, at all rungs."""
        cohort, top = self.place_of(number)
        for rung in (self._rung_of(cohort, place) for place in range(top + 1)):
            if number in rung.losses:
                self._enter(rung, number, EntryState.COMPLETE)

    def _enter(self, rung: _Rung, number: int, state: EntryState, value: float | None = None) -> None:
        if value is not None and number not in rung.states:
            rung.losses[number] = self.direction.sign * value
            bisect.insort(rung.ranking, (rung.losses[number], number))
        before = rung.states.get(number)
        if before is EntryState.REACHED:
            _take_out(rung.reached, (rung.losses[number], number))
        if state is EntryState.FAILED and number in rung.losses:
            _take_out(rung.ranking, (rung.losses.pop(number), number))
        if before is not None:
            rung.counts[before] -= 1
        rung.counts[state] += 1
        rung.states[number] = state
        if state is EntryState.REACHED:
            bisect.insort(rung.reached, (rung.losses[number], number))
        elif state is EntryState.COMPLETE and before is not EntryState.COMPLETE:
            bisect.insort(rung.complete, rung.losses[number])

    def entered(self, number: int) -> bool:
        """Whether the trial has an entry at its present rung."""
        return number in self._rung_of(*self.place_of(number)).states

    def _rung_of(self, cohort: int, rung: int) -> _Rung:
        found = self._rungs.get((cohort, rung))
        if found is None:
            found = self._rungs[cohort, rung] = _Rung()
        return found


def _take_out(ranking: list[tuple[float, int]], entry: tuple[float, int]) -> None:
    """Remove an entry of a sorted list; one that is not there is an error of ours."""
    place = bisect.bisect_left(ranking, entry)
    if ranking[place : place + 1] != [entry]:
        raise LookupError(f"{entry} is not in the ranking")
    del ranking[place]
