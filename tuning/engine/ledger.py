"""The books of an `Optimizer`: its trials, their curves, and the history and view that are kept from them."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tuning.engine.errors import TrialError
from tuning.engine.history import History
from tuning.engine.schedulers.base import Scheduler, Start, Transition, Verdict
from tuning.engine.schedulers.view import EntryState, InMemoryView
from tuning.engine.space import SearchSpace
from tuning.engine.trial import Direction, Trial, TrialState
from tuning.engine.values import detached, shown


class Ledger:
    """Trials by number; every change goes through `put` or `finish`, so that all counts agree."""

    def __init__(
        self,
        space: SearchSpace,
        direction: Direction,
        budget: int | None,
        objective: str,
        earlier: Sequence[History] = (),
    ) -> None:
        self.view = InMemoryView(direction, budget)
        self.history = History(space, direction, earlier)
        self.trials: dict[int, Trial] = {}
        self.curves: dict[int, dict[int, float]] = {}
        self.waiting: deque[int] = deque()  # numbers, in the order in which the trials began to wait
        self.best: int | None = None
        self.infeasible_in_a_row = 0  # that cost nothing, since a trial took a step
        self.stepped = False  # whether any trial of the study has
        self._space, self._direction, self._objective = space, direction, objective
        self._open: dict[int, None] = {}  # numbers, as an ordered set

    def known(self, number: Any) -> Trial:
        """The trial with this number. Raises TrialError where there is none."""
        trial = self.trials.get(number) if isinstance(number, int) and not isinstance(number, bool) else None
        if trial is None:
            numbers = f"the numbers are 0 to {len(self.trials) - 1}" if self.trials else "ask for one first"
            raise TrialError(f"there is no trial {shown(number)}: {numbers}")
        return trial

    def snapshot(self, number: int) -> Trial:
        """The trial as it is now, sharing nothing that could be changed."""
        trial = self.trials[number]
        params = {name: detached(value) for name, value in trial.params.items()}
        return replace(trial, params=params, intermediate=dict(self.curves[number]))

    def pending(self) -> list[Trial]:
        """The open trials with their curves so far."""
        return [replace(self.trials[number], intermediate=self.curves[number]) for number in self._open]

    def paused(self) -> list[int]:
        return [number for number in self._open if self.trials[number].state is TrialState.PAUSED]

    def value_so_far(self, number: int) -> float | None:
        """The objective value by the reports so far; None before the first."""
        values = list(self.curves[number].values())
        if not values:
            return None
        return values[-1] if self._objective == "last" else min(values, key=self.loss)

    def loss(self, value: float) -> float:
        """The value turned so that smaller is better."""
        return self._direction.sign * value

    # changes

    def create(self, params: Mapping[str, Any], start: Start, why: str, origin: str) -> Trial:
        """A new WAITING trial where the scheduler starts it, in a new cohort where it says so."""
        cohort = start.cohort
        if cohort is not None and cohort == self.view.cohort_count:
            self.view.open_cohort(start.bracket or 0, start.planned or 1)
        trial = Trial(
            number=len(self.trials),
            params=self._space.validate(params),
            resource=start.resource,
            bracket=start.bracket,
            cohort=cohort,
            rung=None if cohort is None and start.bracket is None else 0,
            why=why,
            origin=origin,
        )
        self.curves[trial.number] = {}
        self.put(trial)
        return trial

    def put(self, trial: Trial) -> None:
        """Store a trial that is new or has changed."""
        before = self.trials.get(trial.number)
        was_waiting = before is not None and before.state is TrialState.WAITING
        self.trials[trial.number] = trial
        self.view.put(trial)
        if trial.state is TrialState.WAITING and not was_waiting:
            self.waiting.append(trial.number)
        elif trial.state is not TrialState.WAITING and was_waiting:
            self.waiting.remove(trial.number)
        if trial.state.open:
            self._open[trial.number] = None
        else:
            self._open.pop(trial.number, None)

    def finish(self, trial: Trial) -> None:
        """Store a trial that has ended, and add it to the history."""
        self.curves.setdefault(trial.number, {})
        self.put(trial)
        placed = trial.cohort is not None and not trial.costs_nothing
        if placed and (trial.state is TrialState.FAILED or not self.view.entered(trial.number)):
            self.view.enter(trial.number, EntryState.FAILED)
        if trial.cohort is not None and trial.state is TrialState.COMPLETE:
            self.view.complete(trial.number)
        self.history.append_trial(replace(trial, intermediate=self.curves[trial.number]))
        if trial.origin != "added":
            self._note_feasibility(trial)
        if trial.state is TrialState.COMPLETE and trial.value is not None:
            best = None if self.best is None else self.trials[self.best].value
            if best is None or self.loss(trial.value) < self.loss(best):
                self.best = trial.number

    def _note_feasibility(self, trial: Trial) -> None:
        if trial.costs_nothing:
            self.infeasible_in_a_row += 1
        elif trial.resume_step or trial.state is TrialState.COMPLETE:
            self.infeasible_in_a_row, self.stepped = 0, True

    def end(
        self,
        number: int,
        state: TrialState,
        value: float | None,
        reason: str | None = None,
        reason_code: str | None = None,
    ) -> None:
        """`finish` for a trial whose result comes from here, not from outside."""
        trial = self.trials[number]
        self.finish(replace(trial, state=state, value=value, reason=reason, reason_code=reason_code))

    def climb(self, number: int, rung: int, resource: int) -> None:
        """A running trial goes on, without a pause, to this rung of its bracket."""
        trial = self.trials[number]
        if trial.cohort is not None:
            self.view.enter(number, EntryState.PROMOTED)
        self.put(replace(trial, rung=None if trial.rung is None else rung, resource=resource))

    def judge(self, number: int, step: int, value: float, scheduler: Scheduler) -> Verdict:
        """What the scheduler makes of the step that a running trial has reported, carried out."""
        trial = self.trials[number]
        self._note_feasibility(trial)
        at_rung = trial.resource is not None and step >= trial.resource
        ranked = at_rung and trial.cohort is not None
        if ranked:
            self.view.enter(number, EntryState.REACHED, value)
        limit = scheduler.max_resource
        if limit is not None and step >= limit:
            self.end(number, TrialState.COMPLETE, self.value_so_far(number))
            return "stop"
        verdict = scheduler.on_report(self.view, number, step, value)
        if verdict == "stop":
            if ranked:
                self.view.enter(number, EntryState.CUT)
            reason = f"{scheduler.name} stopped it at step {step}"
            self.end(number, TrialState.PRUNED, self.value_so_far(number), reason)
        elif verdict == "pause":
            self.put(replace(trial, state=TrialState.PAUSED))
        elif at_rung:
            ladder = enumerate(scheduler.ladder(trial.bracket))
            higher = next(((rung, resource) for rung, resource in ladder if resource > step), None)
            if higher is not None:
                self.climb(number, *higher)
        return verdict

    def move(self, transition: Transition) -> None:
        """A paused trial is promoted or cut. Raises TrialError for one that is not paused."""
        trial = self.known(transition.number)
        if trial.state is not TrialState.PAUSED:
            raise TrialError(
                f"the scheduler moves trial {trial.number} to {transition.state}, but it is {trial.state}, not PAUSED"
            )
        promoted = transition.state is TrialState.WAITING
        if trial.cohort is not None:
            self.view.enter(trial.number, EntryState.PROMOTED if promoted else EntryState.CUT)
        if promoted:
            rung = None if trial.rung is None else trial.rung + 1
            self.put(replace(trial, state=TrialState.WAITING, rung=rung, resource=transition.resource))
        else:
            self.end(trial.number, TrialState.PRUNED, self.value_so_far(trial.number), reason=transition.reason)
