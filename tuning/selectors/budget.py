"""What a study may spend beside its number of trials, what it has spent, and how many trials that pays.

Three limits, each optional: the steps (epochs, mostly) of all trials together, the time that its trials hold slots, and
the time from its start. Whichever is used up first ends the study (services.budget).
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.db.models import F, Sum
from django.db.models.functions import Coalesce, Greatest

from tuning.engine import registry
from tuning.models import DeviceTime, Study, Trial
from tuning.selectors.clock import SecondsSince, database_now
from tuning.selectors.schedulers import has_rungs, scheduler_of

State = Trial.State
LIMITS = ("total_resource", "device_seconds", "study_seconds")  # the columns


@dataclass(frozen=True)
class Limit:
    """One limit: its column, what is spent of it, and all of it; steps, or seconds."""

    name: str
    spent: float
    total: int

    @property
    def left(self) -> float:
        return max(0.0, self.total - self.spent)


def has_limit(study: Study) -> bool:
    """Whether anything but a grid's end ends the study."""
    return study.budget_total is not None or any(getattr(study, name) is not None for name in LIMITS)


def limits_of(study: Study) -> list[Limit]:
    """The limits that the study has, each with what is spent. A query for each at most."""
    spent = {"total_resource": steps_trained, "device_seconds": device_seconds, "study_seconds": seconds_since_start}
    return [
        Limit(name, spent[name](study), total) for name in LIMITS if (total := getattr(study, name)) is not None
    ]


def steps_trained(study: Study) -> int:
    """The steps that the study's trials have come to."""
    return Trial.objects.filter(study=study).aggregate(steps=Sum("resource_done"))["steps"] or 0


def steps_committed(study: Study) -> int:
    """The steps that the study's trials have come to, those that wait or run with all that they may still go.

    A trial that failed before its first step counts as one, or a study whose every trial does would never end. Those
    that rest or have ended are counted already, in the study's row: only the few at work are looked at.
    """
    goes_to = F("resource") if pauses(study) else study.max_resource
    may_go = Greatest(F("resource_done"), Coalesce(goes_to, 0))
    at_work = Trial.objects.filter(study=study, state__in=(State.WAITING, State.RUNNING))
    return study.steps_settled + (at_work.aggregate(steps=Sum(may_go))["steps"] or 0)


def pauses(study: Study) -> bool:
    """Whether a trial of the study stops at its rung until it is promoted."""
    return has_rungs(study) and scheduler_of(study).pauses


def cost_of(study: Study, resource: int | None, done: int = 0) -> int:
    """The steps that a trial may train from `done` on where the scheduler lets it run to `resource`."""
    goes_to = resource if pauses(study) else study.max_resource
    return max(0, (goes_to or 0) - done)


def device_seconds(study: Study) -> float:
    """The seconds that the study's trials have held slots, those that run included."""
    over = DeviceTime.objects.filter(study=study).aggregate(seconds=Sum("seconds"))["seconds"] or 0.0
    running = Trial.objects.filter(study=study, state=State.RUNNING, slot__isnull=False)
    return over + (running.aggregate(seconds=Sum(SecondsSince("claimed")))["seconds"] or 0.0)


def seconds_since_start(study: Study) -> float:
    """The seconds since the study was started; until its end where it has ended, 0 before its start."""
    if study.started is None:
        return 0.0
    return max(0.0, ((study.finished or database_now()) - study.started).total_seconds())


def is_timed(study: Study) -> bool:
    """Whether time alone may end the study."""
    return study.study_seconds is not None or study.device_seconds is not None


def time_is_up(study: Study) -> str | None:
    """Which of the study's limits of time is used up, in words; None while it may go on."""
    if study.study_seconds is not None and seconds_since_start(study) >= study.study_seconds:
        return f"the time of {time_words(study.study_seconds)} since its start is over"
    if study.device_seconds is not None and device_seconds(study) >= study.device_seconds:
        return f"the budget of {time_words(study.device_seconds)} of device time is used"
    return None


def time_words(seconds: float) -> str:
    """Seconds as a person says them, rounded up to what is shown: 41 s, 6 min, 2 h 10 min."""
    if seconds < 90:
        return f"{math.ceil(seconds)} s"
    minutes = math.ceil(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours:,} h {rest} min" if rest else f"{hours:,} h"


# --- in trials --------------------------------------------------------------------------------------------------------
def trial_limit(study: Study) -> int | None:
    """The most trials that the study creates: its number of trials, or fewer where its steps pay fewer. None: no limit.

    Only a scheduler whose cohorts have their sizes from the start must know beforehand what its steps pay, so that a
    cohort is not cut down in the middle. Of others trials are started as long as there are steps for one more.
    """
    if study.total_resource is None or not (has_rungs(study) and _plans_exactly(study)):
        return study.budget_total
    return _least(study.budget_total, paid_by(study))


def expected_trials(study: Study) -> int | None:
    """How many trials the study will have, by its number of trials and by its steps; None where neither says so."""
    return _least(study.budget_total, None if study.total_resource is None else paid_by(study))


def _least(*numbers: int | None) -> int | None:
    known = [number for number in numbers if number is not None]
    return min(known) if known else None


def _plans_exactly(study: Study) -> bool:
    scheduler = scheduler_of(study)
    return scheduler.pauses and scheduler.plan(1).exact


def paid_by(study: Study) -> int:
    """The trials that the study's steps pay, by its scheduler's plan; where it is an expectation, about so many."""
    return _paid(
        study.scheduler,
        tuple(sorted(study.scheduler_options.items())),
        study.min_resource,
        study.max_resource,
        study.reduction_factor,
        study.total_resource or 0,
    )


@lru_cache(maxsize=1024)
def _paid(
    name: str,
    options: tuple[tuple[str, Any], ...],
    min_resource: int,
    max_resource: int | None,
    reduction_factor: int,
    steps: int,
) -> int:
    scheduler = registry.make_scheduler(
        name,
        dict(options),
        min_resource=min_resource,
        max_resource=max_resource,
        reduction_factor=reduction_factor,
    )
    return scheduler.trials_for(steps)
