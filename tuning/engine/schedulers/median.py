"""Median stopping: a trial that is worse than half of the complete ones were at the same step ends.

Golovin et al., "Google Vizier", KDD 2017, section 3.2, with the values at the step itself, as in Optuna's MedianPruner.
"""

from __future__ import annotations

from tuning.engine.options import Option
from tuning.engine.schedulers.base import BracketPlan, Decision, Plan, Scheduler, Start, Verdict, check_budget
from tuning.engine.schedulers.view import ENDLESS, RungView

COHORT = 0
LOOKS = 30  # at the most, where the distance between them is not given: each is a row for each trial


class MedianStopping(Scheduler):
    """Compares at every look with the median of the complete trials' values there."""

    name = "median"
    title = "Median stopping"
    summary = "Ends a trial that is worse than the median of the complete ones at the same step. Cautious and simple."
    uses = ()
    options = (
        Option("n_startup_trials", "int", 5, "Complete trials before any is stopped.", low=1, high=100_000),
        Option("n_warmup_steps", "int", 0, "Steps of a trial in which it is not stopped.", low=0, high=1_000_000_000),
        Option(
            "interval_steps",
            "int",
            0,
            f"Steps from one look at a trial to the next; 0: so that there are at most {LOOKS}.",
            low=0,
            high=1_000_000_000,
        ),
    )

    def plan(self, budget: int | None) -> Plan:
        """At most this: nobody can say beforehand how many are stopped."""
        top = self.ladder(None)[-1]
        if budget is None:
            return Plan(None, None, exact=False)
        return Plan(budget, budget * top, (BracketPlan(0, ((budget, top),)),), exact=False)

    def ladder(self, bracket: int | None) -> tuple[int, ...]:
        top: int = self.max_resource or self.min_resource
        warm = min(max(self.settings["n_warmup_steps"], self.min_resource - 1), top)
        interval = self.settings["interval_steps"] or max(1, -(-(top - warm) // LOOKS))
        return (*range(warm + 1, top, interval), top)

    def next(self, view: RungView) -> Decision:
        return check_budget(view) or Start(self.ladder(None)[0], 0, COHORT, ENDLESS)

    def on_report(self, view: RungView, number: int, step: int, value: float) -> Verdict:
        resource = view.resource_of(number)
        if resource is None or step < resource:
            return "continue"
        complete, median = view.complete_median(*view.place_of(number))
        if complete < self.settings["n_startup_trials"] or median is None:
            return "continue"
        return "stop" if self.direction.sign * (value - median) > 0 else "continue"
