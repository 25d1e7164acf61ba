"""Three small schedulers that really halve, one for each way to treat a trial at a rung.

They drive the paths of `Optimizer` and of the views that the schedulers without rungs never reach.
"""

from collections.abc import Sequence

from tuning.engine import TrialState
from tuning.engine.options import Option
from tuning.engine.schedulers.base import (
    Done,
    Plan,
    Promote,
    Scheduler,
    Start,
    Transition,
    Wait,
    check_budget,
)
from tuning.engine.schedulers.view import EntryState


class Rungs(Scheduler):
    """The resources min_resource, eta min_resource, ... up to max_resource."""

    summary = "For tests."

    def ladder(self, bracket: int | None) -> tuple[int, ...]:
        resources = [self.min_resource]
        while resources[-1] * self.reduction_factor <= self.max_resource:
            resources.append(resources[-1] * self.reduction_factor)
        return (*resources[:-1], self.max_resource)

    def plan(self, budget: int | None) -> Plan:
        return Plan(budget, None)


class Halving(Rungs):
    """Synchronous successive halving: a rung is cut when all of its cohort has arrived."""

    name = "halving"
    title = "Halving"
    options = (Option("size", "int", 4, "Trials in a cohort.", low=2),)

    def next(self, view):
        for cohort in view.open_cohorts():
            if not cohort.full and check_budget(view) is None:
                return Start(self.ladder(0)[0], 0, cohort.number)
        if check_budget(view) is None:
            return Start(self.ladder(0)[0], 0, view.cohort_count, self.settings["size"])
        return Wait("the cohort is on its way") if view.running else Done("all cohorts are finished")

    def on_report(self, view, number, step, value):
        return "pause" if step >= view.resource_of(number) else "continue"

    def settle(self, view, closing) -> Sequence[Transition]:
        if closing:
            return ()
        transitions = []
        ladder = self.ladder(0)
        for cohort in view.open_cohorts():
            if not cohort.full and check_budget(view) is None:
                continue
            for rung in range(len(ladder) - 1):
                counts = view.rung(cohort.number, rung)
                if counts.busy or not counts.reached:
                    continue
                # A failed member keeps its place.
                size = counts.reached + counts.promoted + counts.cut + counts.failed
                keep = max(size // self.reduction_factor, 1)
                for place, entry in enumerate(view.ranked(cohort.number, rung, size)):
                    up = place < keep
                    state = TrialState.WAITING if up else TrialState.PRUNED
                    reason = f"place {place + 1} of {size}"
                    transitions.append(Transition(entry.number, state, ladder[rung + 1] if up else None, reason))
        return transitions


class Promoting(Rungs):
    """Asynchronous halving that pauses at each rung and promotes whoever is in the top share."""

    name = "promoting"
    title = "Promoting"

    def next(self, view):
        ladder = self.ladder(0)
        for rung in range(len(ladder) - 2, -1, -1):
            counts = view.rung(0, rung)
            top = (counts.reached + counts.promoted) // self.reduction_factor
            for entry in view.ranked(0, rung, top):
                if entry.state is EntryState.REACHED:
                    return Promote(entry.number, ladder[rung + 1])
        if check_budget(view) is None:
            return Start(ladder[0], 0, 0, 1000)
        return Wait("a running trial may be promoted") if view.running else Done("nobody can be promoted")

    def on_report(self, view, number, step, value):
        return "pause" if step >= view.resource_of(number) else "continue"


class Stopping(Rungs):
    """Asynchronous halving that stops a trial at a rung unless it is in the top share of those before it."""

    name = "stopping"
    title = "Stopping"

    def next(self, view):
        return check_budget(view) or Start(self.ladder(0)[0], 0, 0, 1000)

    def on_report(self, view, number, step, value):
        if step < view.resource_of(number):
            return "continue"
        cohort, rung = view.place_of(number)
        counts = view.rung(cohort, rung)
        seen = counts.reached + counts.promoted + counts.cut
        if seen < self.reduction_factor:
            return "continue"
        return "continue" if view.rank(cohort, rung, value, number) < seen // self.reduction_factor else "stop"
