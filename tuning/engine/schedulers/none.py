"""No early stopping: every trial runs to its end."""

from __future__ import annotations

from tuning.engine.schedulers.base import Decision, Plan, Scheduler, Start, Verdict, check_budget
from tuning.engine.schedulers.view import View


class NoScheduler(Scheduler):
    """Starts trials while the budget lasts and lets each run to max_resource."""

    name = "none"
    title = "None"
    summary = "Every trial runs to its end. The right choice where trainings are short or the budget ample."
    needs_max_resource = False
    needs_rungs = False
    uses = ()

    def plan(self, budget: int | None) -> Plan:
        known = budget is not None and self.max_resource is not None
        return Plan(budget, budget * self.max_resource if known else None)  # type: ignore[operator]

    def ladder(self, bracket: int | None) -> tuple[int, ...]:
        return () if self.max_resource is None else (self.max_resource,)

    def next(self, view: View) -> Decision:
        return check_budget(view) or Start(self.max_resource)

    def on_report(self, view: View, number: int, step: int, value: float) -> Verdict:
        return "continue"
