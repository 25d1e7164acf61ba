"""Successive halving, synchronous: a rung is cut when all of its cohort have arrived there.

Jamieson & Talwalkar, AISTATS 2016; the inner loop of Hyperband (Li et al., JMLR 18(185), 2018). A cohort's size is
fixed when it opens. A member that fails keeps its place, behind all others; where fewer have a value than may go on,
fewer go on. The next cohort opens rather than let a worker wait.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from tuning.engine.options import Option
from tuning.engine.schedulers.base import (
    BracketPlan,
    Decision,
    Plan,
    Scheduler,
    Start,
    Transition,
    Verdict,
    Wait,
    check_budget,
)
from tuning.engine.schedulers.brackets import highest_bracket, resource_used, rung_resources, rung_sizes
from tuning.engine.schedulers.view import Cohort, RungView, budget_left
from tuning.engine.trial import TrialState


class SuccessiveHalving(Scheduler):
    """Cohorts of one bracket, each halved (by reduction_factor) at every rung.

    max_resource is always set: `needs_max_resource`.
    """

    name = "successive_halving"
    title = "Successive halving"
    summary = (
        "Starts many trials small and lets the best of each rung go on. "
        "Waits at a rung until its whole cohort is there."
    )
    options: ClassVar[tuple[Option, ...]] = (
        Option(
            "cohort_size",
            "int",
            0,
            "Trials that compete with each other; 0: as many as leave one on the top rung.",
            low=0,
            high=1_000_000,
        ),
    )

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.top_resource: int = self.max_resource or self.min_resource
        self.s_max = highest_bracket(self.min_resource, self.top_resource, self.reduction_factor)

    @property
    def pauses(self) -> bool:
        return True

    # which cohorts there are: what Hyperband does differently

    def bracket_of(self, cohort: int) -> int:
        """The bracket of the study's cohort of this number, from 0."""
        return self.s_max

    def size_of(self, bracket: int) -> int:
        """How many trials start in a cohort of the bracket."""
        return int(self.settings["cohort_size"]) or self.reduction_factor**self.s_max

    def round_size(self) -> int:
        """How many cohorts make a round, after which the brackets come again."""
        return 1

    # the contract

    def plan(self, budget: int | None) -> Plan:
        """The brackets in order, each once with the trials of all its cohorts; budget None: one round."""
        trials = resource = 0
        brackets: dict[int, list[int]] = {}
        for bracket, size in self._cohorts(budget):
            sizes = rung_sizes(size, self.reduction_factor, bracket)
            trials += size
            resource += resource_used(sizes, self.ladder(bracket))
            known = brackets.setdefault(bracket, [0] * len(sizes))
            brackets[bracket] = [a + b for a, b in zip(known, sizes, strict=True)]
        return Plan(
            trials,
            resource,
            tuple(
                BracketPlan(bracket, tuple(zip(sizes, self.ladder(bracket), strict=True)))
                for bracket, sizes in brackets.items()
            ),
        )

    def _cohorts(self, budget: int | None) -> Iterator[tuple[int, int]]:
        """(bracket, size) of the cohorts that a budget pays."""
        number, left = 0, budget
        while (number < self.round_size()) if left is None else left > 0:
            bracket = self.bracket_of(number)
            size = self.size_of(bracket) if left is None else min(self.size_of(bracket), left)
            yield bracket, size
            number += 1
            left = None if left is None else left - size

    def ladder(self, bracket: int | None) -> tuple[int, ...]:
        return rung_resources(self.top_resource, self.reduction_factor, self.s_max if bracket is None else bracket)

    def next(self, view: RungView) -> Decision:
        if (done := check_budget(view)) is not None:
            return Wait("the trials of a rung are on their way") if view.running or view.waiting else done
        for cohort in view.open_cohorts():
            if not cohort.full and not self._decided(view, cohort):
                return Start(self.ladder(cohort.bracket)[0], cohort.bracket, cohort.number)
        number = view.cohort_count
        bracket = self.bracket_of(number)
        left = budget_left(view)
        planned = self.size_of(bracket) if left is None else min(self.size_of(bracket), left)
        return Start(self.ladder(bracket)[0], bracket, number, planned)

    def _decided(self, view: RungView, cohort: Cohort) -> bool:
        """Whether the bottom rung has been cut, with fewer members than planned because the budget was over."""
        if cohort.bracket == 0 or cohort.started == 0:
            return False
        counts = view.rung(cohort.number, 0)
        return counts.promoted + counts.cut + counts.complete > 0

    def on_report(self, view: RungView, number: int, step: int, value: float) -> Verdict:
        resource = view.resource_of(number)
        return "pause" if resource is not None and step >= resource else "continue"

    def settle(self, view: RungView, closing: bool) -> Sequence[Transition]:
        if closing:
            return ()
        over = check_budget(view) is not None
        return [
            transition
            for cohort in view.open_cohorts()
            if cohort.full or over
            for transition in self._halved(view, cohort)
        ]

    def _halved(self, view: RungView, cohort: Cohort) -> Iterator[Transition]:
        """What becomes of a full cohort's members that stand at a rung where nobody is expected any more."""
        for rung in range(cohort.bracket):
            counts = view.rung(cohort.number, rung)
            if counts.busy:
                return  # those below may still come
            if counts.reached == 0:
                continue
            ladder = self.ladder(cohort.bracket)
            keep = rung_sizes(min(cohort.planned, cohort.started), self.reduction_factor, cohort.bracket)
            size = counts.entries
            for place, entry in enumerate(view.ranked(cohort.number, rung, size), start=1):
                up = place <= keep[rung + 1]
                verb = "promoted" if up else "cut"
                yield Transition(
                    entry.number,
                    TrialState.WAITING if up else TrialState.PRUNED,
                    ladder[rung + 1] if up else None,
                    f"{verb} at {ladder[rung]}: place {place} of {size}, and {keep[rung + 1]} go on",
                )
            return  # who was promoted is on the way to the rung above
