"""What a scheduler is: which trial gets how much of the resource, decided from counts alone.

The driver (the in-memory `Optimizer`, or the services) asks `next` when something could run, calls
`on_report` for each new intermediate value, and after every change carries out what `settle` returns.
Decisions are pure: the same view gives the same answer, and carrying out `settle` twice changes nothing.

How the driver and the scheduler share the work at a rung: when a trial's step reaches its resource, the
driver enters its value in the view and then calls `on_report`. "continue" gives the trial the next resource
of its bracket's `ladder`, "pause" leaves the decision to `settle` or `next`, "stop" prunes it. At
max_resource the trial is complete and nobody is asked.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from tuning.engine.errors import OptionError
from tuning.engine.options import Option, check_options, whole_setting
from tuning.engine.schedulers.view import View
from tuning.engine.trial import Direction, TrialState

MOST_TRIALS = 1_000_000  # that anybody plans
Verdict = Literal["continue", "pause", "stop"]


@dataclass(frozen=True)
class Start:
    """Start a new trial and let it run to `resource` (None: to its end).

    `cohort` is the number of an open cohort to join; the number after the last one opens a new cohort of
    `planned` members. Without cohort the trial competes with nobody.
    """

    resource: int | None
    bracket: int | None = None
    cohort: int | None = None
    planned: int | None = None


@dataclass(frozen=True)
class Promote:
    """Let a PAUSED trial go on, on the next rung, to `resource`."""

    number: int
    resource: int


@dataclass(frozen=True)
class Wait:
    """Nothing can start now, but a running trial may change that."""

    reason: str


@dataclass(frozen=True)
class Done:
    """Nothing will ever start again."""

    reason: str


Decision = Start | Promote | Wait | Done


@dataclass(frozen=True)
class Transition:
    """A PAUSED trial becomes WAITING with the next `resource`, or PRUNED; `reason` is a sentence."""

    number: int
    state: TrialState
    resource: int | None
    reason: str


@dataclass(frozen=True)
class BracketPlan:
    """The rungs of a bracket: (number of trials, resource) each, ascending in resource."""

    bracket: int
    rungs: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Plan:
    """What a study will do: trials that start, and the resource that they use if none fails (None: not known).

    exact: False where the decisions depend on the order in which trials report, so that it is an expectation.
    """

    trials: int | None
    resource: int | None
    brackets: tuple[BracketPlan, ...] = ()
    exact: bool = True


class Scheduler(ABC):
    """Divides the resource among trials. A subclass gives `name`, `title`, `summary`, `options` and the
    decisions.

    min_resource, max_resource: the least and the most a trial gets, in whole steps; max_resource None: not
    known, which only schedulers with `needs_max_resource` False take. reduction_factor: eta, at least 2.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str]
    options: ClassVar[tuple[Option, ...]] = ()
    needs_max_resource: ClassVar[bool] = True
    uses: ClassVar[tuple[str, ...]] = ("min_resource", "reduction_factor")  # settings of the study that matter to it
    needs_rungs: ClassVar[bool] = True  # True: the decisions read a RungView, False: a View is enough

    @property
    def pauses(self) -> bool:
        """Whether a trial pauses when it has come to its resource, so that it never runs past it unasked."""
        return False

    def __init__(
        self,
        min_resource: int = 1,
        max_resource: int | None = None,
        reduction_factor: int = 3,
        direction: str = "minimize",
        **options: Any,
    ) -> None:
        """Raises OptionError naming what does not exist or is out of range."""
        self.min_resource = whole_setting("min_resource", min_resource, 1)
        if max_resource is None and self.needs_max_resource:
            raise OptionError("max_resource", f"{self.name} needs it: write the number of steps of a full training")
        self.max_resource = None if max_resource is None else whole_setting("max_resource", max_resource, 1)
        if self.max_resource is not None and self.max_resource < self.min_resource:
            raise OptionError(
                "max_resource",
                f"{self.max_resource} is below min_resource, {self.min_resource}: write at least that",
            )
        self.reduction_factor = whole_setting("reduction_factor", reduction_factor, 2)
        self.direction = Direction.of(direction)
        self.settings = check_options(self.name, self.options, options)

    @abstractmethod
    def plan(self, budget: int | None) -> Plan:
        """What a budget of this many trials (None: open) will do."""

    def trials_for(self, resource: int) -> int:
        """The most trials whose plan uses at most so many steps in all; 0 where not even one trial is paid, and no
        more than MOST_TRIALS.

        Raises ValueError where nobody knows how many steps a trial takes.
        """
        if self.max_resource is None:
            raise ValueError("without max_resource nobody knows how many steps a trial takes")
        most = min(max(0, resource // self.min_resource), MOST_TRIALS)
        low, high = 0, min(1, most)
        while high < most and (self.plan(high).resource or 0) <= resource:
            low, high = high, min(2 * high, most)
        while low < high:  # more trials never use fewer steps
            middle = (low + high + 1) // 2
            if (self.plan(middle).resource or 0) <= resource:
                low = middle
            else:
                high = middle - 1
        return low

    @abstractmethod
    def ladder(self, bracket: int | None) -> tuple[int, ...]:
        """The resources of a bracket's rungs, ascending, the last one max_resource; empty where not known."""

    @abstractmethod
    def next(self, view: Any) -> Decision:
        """What to run next, given a `View` (a `RungView` where `needs_rungs`)."""

    def start(self, view: Any) -> Start | None:
        """Where a trial begins that somebody wants to have now, whoever could be promoted; None where none may."""
        decision = self.next(view)
        return decision if isinstance(decision, Start) else None

    @abstractmethod
    def on_report(self, view: Any, number: int, step: int, value: float) -> Verdict:
        """Whether a running trial that reported a finite value goes on."""

    def settle(self, view: Any, closing: bool) -> Sequence[Transition]:
        """What becomes of PAUSED trials; `closing`: no trial will be promoted any more, so all end."""
        return ()


def check_budget(view: View) -> Done | None:
    """Done where the budget pays no new trial."""
    if view.budget is not None and view.created >= view.budget:
        return Done(f"the budget of {view.budget} trials is used")
    return None
