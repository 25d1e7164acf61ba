"""Asynchronous successive halving (ASHA): decides at each rung with whoever is there, so that no worker waits.

Li, Jamieson, Rostamizadeh, Gonina, Ben-tzur, Hardt, Recht & Talwalkar, MLSys 2020. Promotion type is Algorithm 2: a
trial pauses at its rung and goes on when it is among the best 1/eta of those that have come there. Stopping type, as in
Ray Tune and syne-tune: a trial that is not among them is stopped for good; while fewer than eta have come, all go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tuning.engine.options import Option
from tuning.engine.schedulers.base import (
    BracketPlan,
    Decision,
    Done,
    Plan,
    Promote,
    Scheduler,
    Start,
    Transition,
    Verdict,
    Wait,
    check_budget,
)
from tuning.engine.schedulers.brackets import highest_bracket, resource_used, rung_resources, rung_sizes
from tuning.engine.schedulers.view import ENDLESS, RungView

COHORT = 0  # all trials compete with each other
PROMOTION, STOPPING = "promotion", "stopping"


class ASHA(Scheduler):
    """One bracket from min_resource to max_resource, in which all trials of the study compete."""

    name = "asha"
    title = "ASHA"
    summary = (
        "Asynchronous successive halving: the best of those so far go on, and no worker ever waits. "
        "The usual choice for many workers."
    )
    options = (
        Option(
            "type",
            "text",
            PROMOTION,
            "promotion: pause at each rung, go on when among the best 1/eta. stopping: go on unless not among them.",
            choices=(PROMOTION, STOPPING),
        ),
    )

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        resource: int = self.max_resource or self.min_resource
        s_max = highest_bracket(self.min_resource, resource, self.reduction_factor)
        self.rungs = rung_resources(resource, self.reduction_factor, s_max)

    @property
    def stops(self) -> bool:
        """Whether this is the stopping type."""
        return bool(self.settings["type"] == STOPPING)

    @property
    def pauses(self) -> bool:
        return not self.stops

    def plan(self, budget: int | None) -> Plan:
        """What is to be expected of `budget` trials; how many really go on depends on the order of their coming."""
        if budget is None:
            return Plan(None, None, exact=False)
        sizes = rung_sizes(budget, self.reduction_factor, len(self.rungs) - 1)
        rungs = tuple(zip(sizes, self.rungs, strict=True))
        return Plan(budget, resource_used(sizes, self.rungs), (BracketPlan(0, rungs),), exact=False)

    def ladder(self, bracket: int | None) -> tuple[int, ...]:
        return self.rungs

    def next(self, view: RungView) -> Decision:
        if not self.stops and (promotion := self._promotion(view)) is not None:
            return promotion
        start = self.start(view)
        if start is not None:
            return start
        if view.running or view.waiting:
            return Wait("the trials that run may lead to a promotion")
        return self._last(view) or check_budget(view) or Done("nobody can be promoted")

    def start(self, view: RungView) -> Start | None:
        return Start(self.rungs[0], 0, COHORT, ENDLESS) if check_budget(view) is None else None

    def _promotion(self, view: RungView) -> Promote | None:
        """The best trial that stands below the top and is among the best 1/eta of its rung, the highest rung first."""
        for rung in range(len(self.rungs) - 2, -1, -1):
            counts = view.rung(COHORT, rung)
            top = counts.entries // self.reduction_factor
            best = view.promotable(COHORT, rung, top) if counts.reached and top else None
            if best is not None:
                return Promote(best.number, self.rungs[rung + 1])
        return None

    def _last(self, view: RungView) -> Promote | Done | None:
        """The budget is spent and too few trials came for anybody to reach the top: the best of the highest goes on.

        The algorithm has no end, and a study should end with a result.
        """
        top = len(self.rungs) - 1
        counts = view.rung(COHORT, top)
        if counts.reached + counts.complete:
            return None
        for rung in range(top - 1, -1, -1):
            best = view.best_reached(COHORT, rung) if view.rung(COHORT, rung).reached else None
            if best is not None:
                return Promote(best.number, self.rungs[rung + 1])
        return None

    def on_report(self, view: RungView, number: int, step: int, value: float) -> Verdict:
        resource = view.resource_of(number)
        if resource is None or step < resource:
            return "continue"
        if not self.stops:
            return "pause"
        cohort, rung = view.place_of(number)
        seen = view.rung(cohort, rung).entries
        if seen < self.reduction_factor:
            return "continue"
        top = seen // self.reduction_factor
        return "continue" if view.among_best(cohort, rung, value, number, top) else "stop"

    def settle(self, view: RungView, closing: bool) -> Sequence[Transition]:
        return ()
