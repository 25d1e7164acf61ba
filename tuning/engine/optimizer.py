"""The in-memory ask-and-tell loop: the same samplers and schedulers that the services drive, without a
database.

    WAITING -ask-> RUNNING
    RUNNING -report below its resource-> RUNNING (continue)
    RUNNING -report at a rung-> PAUSED (pause), or RUNNING with the next resource (continue), or PRUNED (stop)
    RUNNING -report at max_resource, or tell-> COMPLETE (stop)
    PAUSED -promoted-> WAITING with the next resource;  -cut, or close()-> PRUNED
    RUNNING -tell pruned, infeasible-> PRUNED (before its first step: of no budget, and its rung's place is free)
    RUNNING -error, NaN, out of memory, deadline-> FAILED
    any open state -cancelled-> FAILED

Every call checks its arguments before it changes anything: an error leaves the state as it was.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from tuning.engine import registry
from tuning.engine.errors import NothingToRun, OptionError, SpaceExhausted, TrialError
from tuning.engine.history import History
from tuning.engine.ledger import Ledger
from tuning.engine.options import whole_setting
from tuning.engine.outcome import as_value, ended, finds_none, not_running, same_outcome
from tuning.engine.samplers.base import Sampler
from tuning.engine.schedulers.base import Promote, Scheduler, Start, Transition, Verdict, Wait
from tuning.engine.space import SearchSpace
from tuning.engine.trial import Direction, Trial, TrialState, rng_for
from tuning.engine.values import shown


class Optimizer:
    """Hands out trials (`ask`), takes their results (`report`, `tell`), and remembers everything in memory.

    space: a SearchSpace or its JSON form. sampler, scheduler: a name, or an object of one's own making.
    budget: the number of trials to create, None for no limit. parallel: how many run at once, for samplers that
    plan ahead. objective: whether a trial that ends by its reports counts with its "best" or its "last" one.
    earlier: histories of other studies in this space that the sampler learns from, such as
    History.of_trials(space, direction, transferred(space, other.trials).trials); they are no trials of this one.
    Raises SpaceError for a space that is wrong or that the sampler cannot search, HistoryError for an earlier
    history of another space, OptionError for any other setting.
    """

    def __init__(
        self,
        space: SearchSpace | Mapping[str, Any],
        sampler: str | Sampler = "auto",
        scheduler: str | Scheduler | None = None,
        direction: str = "minimize",
        seed: int = 0,
        min_resource: int = 1,
        max_resource: int | None = None,
        reduction_factor: int = 3,
        budget: int | None = None,
        parallel: int = 1,
        sampler_options: Mapping[str, Any] | None = None,
        scheduler_options: Mapping[str, Any] | None = None,
        objective: Literal["best", "last"] = "best",
        earlier: Sequence[History] = (),
    ) -> None:
        self.space = space if isinstance(space, SearchSpace) else SearchSpace.from_json(space)
        self.direction = Direction.of(direction)
        self.seed = whole_setting("seed", seed, 0)
        self.budget = None if budget is None else whole_setting("budget", budget, 1)
        if objective not in ("best", "last"):
            raise OptionError("objective", f'{shown(objective)} is not one of "best" and "last"')
        if not isinstance(sampler, Sampler):
            sampler = registry.make_sampler(sampler, sampler_options, budget=self.budget, parallel=parallel)
        if not isinstance(scheduler, Scheduler):
            scheduler = registry.make_scheduler(
                scheduler,
                scheduler_options,
                min_resource=min_resource,
                max_resource=max_resource,
                reduction_factor=reduction_factor,
                direction=direction,
            )
        elif scheduler.direction is not self.direction:
            raise OptionError("direction", f"the scheduler is made to {scheduler.direction}: give it the same one")
        sampler.check(self.space)
        self._sampler, self._scheduler = sampler, scheduler
        self._ledger = Ledger(self.space, self.direction, self.budget, objective, earlier)
        self._changes: list[Transition] = []
        self._exhausted: SpaceExhausted | None = None
        self._closed = False

    # what there is

    @property
    def trials(self) -> list[Trial]:
        """All trials by number, as they are now; with those added from elsewhere."""
        return [self._ledger.snapshot(number) for number in self._ledger.trials]

    @property
    def best(self) -> Trial | None:
        """The COMPLETE trial with the best value, the first among equals; None before there is one."""
        return None if self._ledger.best is None else self._ledger.snapshot(self._ledger.best)

    @property
    def changes(self) -> list[Transition]:
        """What the scheduler has done to paused trials since this was last read: promoted or cut."""
        changes, self._changes = self._changes, []
        return changes

    # handing out

    def ask(self) -> Trial:
        """The next trial to run: a waiting one (promoted or enqueued), else a new one.

        Raises NothingToRun, "waiting" where a running trial may change that and "exhausted" where nothing
        can.
        """
        self._settle()
        if self._ledger.waiting:
            return self._run(self._ledger.waiting[0])
        start = self._next_start()
        if isinstance(start, Transition):
            return self._run(start.number)
        if finds_none(self._ledger.infeasible_in_a_row, self._ledger.stepped):
            raise NothingToRun(
                "exhausted",
                f"the last {self._ledger.infeasible_in_a_row} configurations were all infeasible: change the search "
                f"space or the constraints, or enqueue a configuration that fits",
            )
        rng = rng_for(self.seed, len(self._ledger.trials))
        pending = self._ledger.pending() if self._sampler.needs_history else ()
        history = self._ledger.history.with_pending(pending)
        try:
            suggestion = self._sampler.suggest(self.space, history, rng)
        except SpaceExhausted as exhausted:
            if self._exhausted is not None:
                raise NothingToRun("exhausted", str(exhausted)) from exhausted
            # No trial can start any more: for the scheduler the budget is what has been created.
            self._exhausted, self._ledger.view.budget = exhausted, self._ledger.view.created
            return self.ask()
        return self._run(self._ledger.create(suggestion.params, start, suggestion.why, "asked").number)

    def ask_many(self, n: int) -> list[Trial]:
        """Up to n trials, fewer where there is nothing more to run now."""
        wanted = whole_setting("n", n, 0)
        trials: list[Trial] = []
        while len(trials) < wanted:
            try:
                trials.append(self.ask())
            except NothingToRun:
                break
        return trials

    def _next_start(self) -> Start | Transition:
        """Where a new trial starts, or the promotion that the scheduler has made instead."""
        if self._closed:
            raise NothingToRun("exhausted", "the study is closed")
        decision = self._scheduler.next(self._ledger.view)
        if isinstance(decision, Start):
            return decision
        if isinstance(decision, Promote):
            promotion = Transition(decision.number, TrialState.WAITING, decision.resource, "promoted")
            self._ledger.move(promotion)
            return promotion
        reason = "waiting" if isinstance(decision, Wait) else "exhausted"
        raise NothingToRun(reason, decision.reason if self._exhausted is None else str(self._exhausted))

    def _run(self, number: int) -> Trial:
        self._ledger.put(replace(self._ledger.trials[number], state=TrialState.RUNNING))
        return self._ledger.snapshot(number)

    # taking results

    def report(self, number: int, step: int, value: float) -> Verdict:
        """Take the metric after `step` finished steps (from 1): "continue", "pause" or "stop".

        A value that is not finite fails the trial as diverged. The same report again changes nothing; a
        trial that has ended answers "stop". Raises TrialError for an unknown or waiting trial and for steps
        that do not rise.
        """
        trial = self._ledger.known(number)
        step = whole_setting("step", step, 1)
        value = as_value("value", value)
        curve = self._ledger.curves[number]
        if not trial.state.open:
            return "stop"
        if step in curve:
            if value != curve[step]:
                raise TrialError(
                    f"trial {number} has reported {curve[step]!r} at step {step}, not {value!r}: a step is "
                    f"reported once"
                )
            return "continue" if trial.state is TrialState.RUNNING else "pause"
        if trial.state is not TrialState.RUNNING:
            raise TrialError(not_running(trial))
        if step <= trial.resume_step:
            raise TrialError(
                f"trial {number} has reached step {trial.resume_step} already: report step "
                f"{trial.resume_step + 1} or a later one"
            )
        if math.isfinite(value):
            curve[step] = value
            self._ledger.put(replace(trial, resume_step=step))
            verdict = self._ledger.judge(number, step, value, self._scheduler)
        else:
            reason = f"the metric is {value!r} at step {step}"
            self._ledger.end(number, TrialState.FAILED, None, reason, "diverged")
            verdict = "stop"
        self._settle()
        if self._ledger.trials[number].state.open:
            return verdict
        # The answer says it already: `changes` is about other trials.
        self._changes = [change for change in self._changes if change.number != number]
        return "stop"

    def tell(
        self,
        number: int,
        value: float | None = None,
        *,
        state: str | None = None,
        reason: str | None = None,
        constraints: Sequence[float] | None = None,
    ) -> Trial:
        """End a trial: with its objective value, or with state "failed" or "pruned"; the same again changes
        nothing.

        reason: a reason code, for "failed" (without it, code_error). constraints: numbers, of which one above 0 makes
        the configuration infeasible; it is told as "pruned" and has no value, and before its first step it counts
        against no budget. A value that is not finite fails the trial as diverged. Raises TrialError for an unknown
        trial, for one that has ended differently, and for arguments that do not fit together.
        """
        trial = self._ledger.known(number)
        outcome = ended(trial, value, state, reason, constraints, self._ledger.value_so_far(number))
        if not trial.state.open:
            if same_outcome(trial, outcome):
                return self._ledger.snapshot(number)
            result = "" if trial.value is None else f" with the value {trial.value!r}"
            raise TrialError(
                f"trial {number} is {trial.state}{result}: a finished trial keeps its result, so run its "
                f"configuration again as a new trial"
            )
        if trial.state is not TrialState.RUNNING and outcome.state is not TrialState.FAILED:
            raise TrialError(not_running(trial))
        self._ledger.finish(outcome)
        self._settle()
        return self._ledger.snapshot(number)

    # trials from outside

    def add(
        self,
        params: Mapping[str, Any],
        value: float | None = None,
        *,
        state: str | None = None,
        reason: str | None = None,
        constraints: Sequence[float] | None = None,
    ) -> Trial:
        """A finished trial from elsewhere: samplers learn from it, and it does not count against the budget.

        The arguments are those of `tell`. Raises ParamsError where the params do not fit the space.
        """
        number = len(self._ledger.trials)
        blank = Trial(number=number, params=self.space.validate(params), why="Added.", origin="added")
        self._ledger.finish(ended(blank, value, state, reason, constraints, None))
        return self._ledger.snapshot(number)

    def enqueue(self, params: Mapping[str, Any]) -> Trial:
        """A WAITING trial with this configuration, which one of the next `ask` hands out.

        It counts against the budget. Raises ParamsError where the params do not fit the space, NothingToRun
        where the budget pays no new trial.
        """
        params = self.space.validate(params)
        view = self._ledger.view
        view.budget = self.budget  # a sampler that has run out does not keep a person from trying something
        try:
            start = self._next_start()
            while isinstance(start, Transition):  # promotions that came first, whoever asks
                self._changes.append(start)
                start = self._next_start()
            return self._ledger.snapshot(self._ledger.create(params, start, "Enqueued.", "enqueued").number)
        finally:
            if self._exhausted is not None:
                view.budget = view.created

    def close(self) -> None:
        """The budget is over: paused trials are pruned, waiting ones cancelled, running ones may still finish."""
        self._closed = True
        self._settle()
        for number in list(self._ledger.waiting):
            self._ledger.end(number, TrialState.FAILED, None, "the study was closed", "cancelled")

    def _settle(self) -> None:
        """Carry out what the scheduler decides on paused trials; once closed, none stays paused."""
        transitions = list(self._scheduler.settle(self._ledger.view, self._closed))
        for transition in transitions:
            self._ledger.move(transition)
        if self._closed:
            for number in self._ledger.paused():
                transitions.append(Transition(number, TrialState.PRUNED, None, "the study was closed"))
                self._ledger.move(transitions[-1])
        self._changes += transitions
