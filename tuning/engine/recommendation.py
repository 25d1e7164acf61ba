"""The budget advisor: which method, how many trials and how far each, what that will cost, and what else there is.

The rules are those of `advice.advise` for the sampler; for the scheduler: Hyperband wherever trials can end early and
the search has more than one training to give, since on the tables of `bench advice` that were looked at for it the
Gaussian process on Hyperband led or came within 5 % of the best in nearly all cases, and where early results mislead
its later brackets start further up. Where so many trials run at once that a rung's cohort would be most of the study,
ASHA, which waits for nobody (Li et al., MLSys 2020). Where a handful of whole trials shows that an early order is not
the last one (its interval lies below 0.5), nobody is judged that early.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from tuning.engine import registry
from tuning.engine.advice import GP_PARAMETERS, GP_TRIALS, advise
from tuning.engine.agreement import USABLE, Agreement
from tuning.engine.errors import SpaceError
from tuning.engine.forecast import Forecast, Method, forecast
from tuning.engine.purse import Budget, Purse, Reserve
from tuning.engine.samplers.grid import Grid
from tuning.engine.schedulers.brackets import highest_bracket
from tuning.engine.space import SearchSpace
from tuning.engine.speed import Speed

ETA = 3
MANY_AT_ONCE = 0.25  # of the trainings that the search has: so many workers leave no cohort to wait for
CAPPED = ("asha", "median")  # what they train depends on how trials come out, so total_resource holds them


@dataclass(frozen=True)
class Alternative:
    """A method that can be chosen with its prediction; `affordable`: False where the budget does not pay for it."""

    method: Method
    why: str
    forecast: Forecast
    affordable: bool = True

    @property
    def title(self) -> str:
        sampler = registry.samplers()[self.method.sampler].title
        if self.method.scheduler == "none":
            return sampler
        return f"{sampler}, {registry.schedulers()[self.method.scheduler].title}"

    def to_json(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "method": self.method.to_json(),
            "why": self.why,
            "forecast": self.forecast.to_json(),
            "affordable": self.affordable,
        }


@dataclass(frozen=True)
class Recommendation:
    """What to do with a budget: the method, why in two sentences, its forecast, what is kept back, and what else there
    is. `method.to_json()` is the part of create_study's arguments that it decides."""

    choice: Alternative
    reserve: Reserve
    budget: Budget
    speed: Speed | None
    alternatives: tuple[Alternative, ...]

    @property
    def method(self) -> Method:
        return self.choice.method

    @property
    def why(self) -> str:
        return self.choice.why

    @property
    def forecast(self) -> Forecast:
        return self.choice.forecast

    def to_json(self) -> dict[str, Any]:
        return {
            **self.choice.to_json(),
            "reserve": self.reserve.to_json(),
            "budget": self.budget.to_json(),
            "speed": None if self.speed is None else asdict(self.speed),
            "alternatives": [one.to_json() for one in self.alternatives],
        }


def recommend(
    space: SearchSpace,
    budget: Budget,
    *,
    max_resource: int | None = None,
    speed: Speed | None = None,
    slots: int = 1,
    agreements: Sequence[Agreement] = (),
) -> Recommendation:
    """How to spend a budget on a space.

    max_resource: the steps of a full training, None where a trial is told as a whole. speed: of a step (without
    max_resource: of a whole trial); a budget of time needs it. slots: trials at once. agreements: between early steps
    and the last one, where some trials have been trained whole. Raises BudgetError where the budget does not pay for
    one trial and the reserve, with the least that would.
    """
    purse = Purse(budget, max_resource, speed, slots)
    advisor = _Advisor(space, purse, _first_look(max_resource, agreements))
    first, *rest = advisor.choices()
    return Recommendation(first, purse.reserve, budget, speed, tuple(rest))


def _first_look(max_resource: int | None, agreements: Sequence[Agreement]) -> int | None:
    """The step from which on trials are compared: after those that have been seen to mislead; None: never before the
    end, since the last step that was looked at misleads still."""
    misled = [one.step for one in agreements if one.step is not None and one.high < USABLE]
    if not misled:
        return 1
    later = [one.step for one in agreements if one.step is not None and one.step > max(misled)]
    at = min(later, default=None)
    return at if at is not None and at * ETA <= (max_resource or 1) else None


class _Advisor:
    def __init__(self, space: SearchSpace, purse: Purse, first_look: int | None) -> None:
        self.space, self.purse, self.first_look = space, purse, first_look
        self.early = (
            purse.max_resource is not None
            and first_look is not None
            and highest_bracket(first_look, purse.max_resource, ETA) > 0
        )

    def choices(self) -> list[Alternative]:
        """The recommended one and the others, each method once."""
        found: dict[tuple[str, str], Alternative] = {}
        for one in self._offers():
            found.setdefault((one.method.sampler, one.method.scheduler), one)
        return list(found.values())

    def _offers(self) -> Iterator[Alternative]:
        whole = self._fitted("none")
        if whole.sampler == "grid":
            yield self._offer(whole, self._why_whole(whole))
        if self.early:
            many = self.purse.slots >= MANY_AT_ONCE * self.purse.full and self.purse.slots > 1
            for scheduler in ("asha", "hyperband") if many else ("hyperband", "asha"):
                method = self._fitted(scheduler)
                yield self._offer(method, self._why_early(method))
        yield self._offer(whole, self._why_whole(whole))
        if self.early:
            method = self._fitted("median")
            yield self._offer(method, self._why_early(method))
        for sampler in ("qmc", "random"):
            method = self._fitted("none", sampler)
            yield self._offer(method, PLAIN[sampler])
        if (grid := self._grid()) is not None:
            yield grid

    def _offer(self, method: Method, why: str) -> Alternative:
        return Alternative(method, why, forecast(method, self.purse.speed))

    def _fitted(self, scheduler: str, sampler: str = "") -> Method:
        """The method with as many trials as the search pays; without a sampler's name with the one that is advised."""
        purse = self.purse
        blank = Method(
            sampler=sampler or "random",
            scheduler=scheduler,
            max_resource=purse.max_resource,
            min_resource=self.first_look or 1 if scheduler != "none" else 1,
            reduction_factor=ETA,
            parallel=purse.slots,
            total_resource=purse.steps if scheduler in CAPPED else None,
            device_seconds=purse.device_seconds,
            study_seconds=purse.study_seconds,
        )
        trials = purse.most_trials(blank)
        sampler = sampler or self._sampler(scheduler, trials)
        if sampler == "grid":
            trials = min(trials, Grid().plan_size(self.space) or trials)
        return replace(blank, sampler=sampler, n_trials=trials, parallel=min(purse.slots, trials))

    def _sampler(self, scheduler: str, trials: int) -> str:
        """The one that "auto" would take; of a grid, whose neighbours resemble each other, no cohorts are made."""
        advised = advise(self.space, trials, self.purse.slots).sampler
        if advised != "grid" or scheduler == "none":
            return advised
        return advise(self.space, None, trials=trials).sampler

    def _grid(self) -> Alternative | None:
        """All configurations, told also where the budget does not pay for them; None where they are infinite."""
        if self.space.continuous():
            return None
        try:
            size = Grid().plan_size(self.space) or 0
        except SpaceError:
            return None
        method = replace(self._fitted("none", "random"), sampler="grid", n_trials=size)
        method = replace(method, parallel=min(self.purse.slots, size))
        found = forecast(method, self.purse.speed)
        pays = self.purse.pays_for(found)
        cost = f"{size:,} {_trainings(size)}"
        if found.device_seconds is not None:
            cost += f", {hours(found.device_seconds.expected)} of device time"
        verdict = "which the budget pays" if pays else "which the budget does not pay"
        return Alternative(
            method,
            f"Every configuration once: {cost}, {verdict}. A grid spends most of its runs on parameters that matter "
            "little.",
            found,
            pays,
        )

    def _why_whole(self, method: Method) -> str:
        full = f"The search can pay {method.n_trials:,} {_trainings(method.n_trials or 0)} to the end"
        if self.purse.max_resource is None:
            full += ", and a trial cannot be judged before its end"
        elif self.first_look is None:
            full += ", and early results have been seen to mislead, so no trial is ended early"
        return f"{full}. {self._why_sampler(method)}"

    def _why_early(self, method: Method) -> str:
        full = forecast(method).steps.expected / method.steps
        trainings = f"the price of {full:,.0f} full {_trainings(round(full))}"
        together = f", and of {method.parallel} at once none waits for the slowest of its rung"
        begun = f"{method.n_trials:,} trials"
        how = {
            "hyperband": f"For {trainings} Hyperband pays {begun}, most of them ended early, in brackets that first "
            "look at different steps in case early results mislead",
            "asha": f"For {trainings} ASHA pays {begun}, most of them ended early"
            f"{together if method.parallel > 1 else ''}",
            "median": f"For {trainings} median stopping pays about {begun}: it ends only what is worse than half of "
            "the others",
        }[method.scheduler]
        looked = f" and none before step {method.min_resource}" if method.min_resource > 1 else ""
        return f"{how}{looked}. {self._why_sampler(method)}"

    def _why_sampler(self, method: Method) -> str:
        trials, varied = method.n_trials or 0, sum(parameter.size != 1 for parameter in self.space.parameters)
        if trials == 1:
            return "A single trial has nothing to learn from, so any method would do."
        if method.sampler == "gp":
            return f"A Gaussian process chooses them, since {trials:,} are few and each should count."
        if method.sampler == "tpe":
            many = f"{varied} parameters" if varied > GP_PARAMETERS else f"more than {GP_TRIALS} trials"
            return f"TPE chooses them, since {many} are many for a Gaussian process."
        if method.sampler == "grid":
            return "That is every configuration of the space, so nothing is left to chance."
        return PLAIN[method.sampler]


PLAIN = {
    "qmc": "Quasi-random points fill the space evenly, where a model would learn too late. All can run at once.",
    "random": "Random configurations, each to its end. The plainest comparison, which every other should beat.",
}


def _trainings(count: int) -> str:
    return "training" if count == 1 else "trainings"


def hours(seconds: float) -> str:
    """A duration as a person says it: 41 s, 6.5 min, 2.2 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:,.1f} h"
