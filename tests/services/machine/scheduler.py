"""The smallest scheduler that parks: every trial pauses at min_resource and is promoted when a slot is free."""

from tuning.engine.schedulers.base import Decision, Plan, Promote, Scheduler, Start, Verdict, check_budget
from tuning.engine.schedulers.view import ENDLESS
from tuning.models import Trial


class Rungs(Scheduler):
    """Two rungs, and nobody is cut: what parking and promoting do to the tables, whatever a real scheduler decides."""

    name = "rungs_of_the_machine"
    title = "Two rungs"
    summary = "Parks every trial once."

    @property
    def pauses(self) -> bool:
        return True

    def plan(self, budget: int | None) -> Plan:
        return Plan(budget, None)

    def ladder(self, bracket: int | None) -> tuple[int, ...]:
        return (self.min_resource, int(self.max_resource or 0))

    def next(self, view) -> Decision:
        parked = Trial.objects.filter(study=view._study, state=Trial.State.PAUSED).order_by("number").first()
        if parked is not None:
            return Promote(parked.number, int(self.max_resource or 0))
        return self.start(view) or check_budget(view)

    def start(self, view) -> Start | None:
        return Start(self.min_resource, 0, 0, ENDLESS) if check_budget(view) is None else None

    def on_report(self, view, number: int, step: int, value: float) -> Verdict:
        resource = view.resource_of(number)
        return "pause" if step >= resource and resource < self.max_resource else "continue"
