"""What a method will cost and how long it will take, before the first trial: by its scheduler's plan, with a range.

Steps are what the scheduler divides (epochs, mostly); a training is max_resource of them, and a workload without
max_resource has trainings of one step. With p workers, W steps in all and R steps from a trial's start to its end,
nobody is done before max(W / p, R), and a schedule in which no worker waits while something could run takes at most
W / p + (1 - 1 / p) R (Graham, SIAM J. Appl. Math. 17, 1969): a cohort's rungs are such a schedule, since the next
cohort opens rather than let a worker wait. `simulation` plays inside these bounds (tests/engine/test_forecast.py).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from tuning.engine import registry
from tuning.engine.schedulers.base import Scheduler
from tuning.engine.speed import Range, Speed

MEDIAN_USES = 0.5  # of all that its trials could train; 0.35 to 0.8 on the tables of `bench advice`


@dataclass(frozen=True)
class Method:
    """A sampler and a scheduler with their settings: the arguments of create_study that say how it searches."""

    sampler: str
    scheduler: str = "none"
    n_trials: int | None = None
    max_resource: int | None = None
    min_resource: int = 1
    reduction_factor: int = 3
    parallel: int = 1
    total_resource: int | None = None
    device_seconds: int | None = None
    study_seconds: int | None = None
    sampler_options: Mapping[str, Any] = field(default_factory=dict)
    scheduler_options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        """Of a full training."""
        return self.max_resource or 1

    def made(self) -> Scheduler:
        """The scheduler, of trainings of one step where nobody knows their steps."""
        return registry.make_scheduler(
            self.scheduler,
            self.scheduler_options,
            min_resource=self.min_resource,
            max_resource=self.steps,
            reduction_factor=self.reduction_factor,
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Forecast:
    """Trials, steps of all of them together, `rounds`: the time from the start to the end in steps of one worker; and
    seconds of devices and on the clock, None where nobody has measured how long a step takes."""

    trials: int
    steps: Range
    rounds: Range
    device_seconds: Range | None
    seconds: Range | None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Forecast:
        """What `to_json` wrote. Raises KeyError or TypeError for anything else."""
        steps, rounds = Range(**document["steps"]), Range(**document["rounds"])
        timed = [None if document[name] is None else Range(**document[name]) for name in ("device_seconds", "seconds")]
        return cls(document["trials"], steps, rounds, *timed)


def forecast(method: Method, speed: Speed | None = None) -> Forecast:
    """What the method will take, where no trial fails; what it is limited to, it does not pass.

    Raises OptionError for settings that are none, ValueError for a study without an end.
    """
    scheduler = method.made()
    trials = _trials(method, scheduler)
    steps = _steps(method, scheduler, trials)
    rounds = _rounds(method, trials, steps)
    if speed is None:
        return Forecast(trials, steps, rounds, None, None)
    each = speed.range()
    return Forecast(
        trials,
        steps,
        rounds,
        steps.times(each).below(method.device_seconds),
        rounds.times(each).below(method.study_seconds),
    )


def _trials(method: Method, scheduler: Scheduler) -> int:
    """How many there will be: n_trials, or about so many as the steps pay, whichever is less."""
    if method.n_trials is None and method.total_resource is None:
        raise ValueError("nobody can say what a study without an end costs: give n_trials or total_resource")
    if method.total_resource is None or (method.n_trials is not None and not scheduler.plan(1).exact):
        return method.n_trials or 0  # the others do not know beforehand what they will train
    paid = scheduler.trials_for(method.total_resource)
    return paid if method.n_trials is None else min(method.n_trials, paid)


def _steps(method: Method, scheduler: Scheduler, trials: int) -> Range:
    """Of all trials together, and no more than total_resource.

    ASHA trains its plan at least, and more where good trials come late; median stopping what its first trials need and
    a look at each of the others at least.
    """
    planned, whole = float(scheduler.plan(trials).resource or 0), float(trials * method.steps)
    low, expected, high = planned, planned, planned
    if method.scheduler == "asha":
        high = whole
    elif method.scheduler == "median":
        first = min(trials, scheduler.settings["n_startup_trials"])
        low = float(first * method.steps + (trials - first) * scheduler.ladder(None)[0])
        expected = max(low, MEDIAN_USES * whole)
    cap = math.inf if method.total_resource is None else float(method.total_resource)
    return Range(min(expected, cap), min(low, cap), min(high, cap))


def _rounds(method: Method, trials: int, steps: Range) -> Range:
    """From the start to the end, in steps of one worker: between the bounds; for trials that run alone as counted."""
    p, top = method.parallel, float(method.steps)
    low = max(steps.low / p, min(top, steps.low))
    high = steps.high / p + (1 - 1 / p) * min(top, steps.high)
    if method.scheduler == "none":
        exact = float(-(-trials // p) * method.steps)
        return Range(exact, exact, exact)
    middle = (max(steps.expected / p, min(top, steps.expected)) + steps.expected / p + (1 - 1 / p) * top) / 2
    return Range(middle, low, max(high, middle))
