"""The time limit of trials: how long each may run, over all its attempts together, by the database's clock.

A claim gets the deadline that the trial's earlier runs leave. Its worker looks at it several times a second, a script
whenever it calls, and the reaper for those that do neither. A trial that missed it is FAILED.
"""

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db import transaction

from tuning.models import Study, Trial
from tuning.selectors.budget import time_words
from tuning.selectors.clock import after, database_now
from tuning.selectors.workloads import unit_of
from tuning.services.endings import fail_trial
from tuning.services.errors import StaleLease
from tuning.services.transitions import lock_study

State = Trial.State


def deadline_of_claim(study: Study, trial: Trial) -> Any:
    """The deadline of a run that begins now, as an expression for an UPDATE; None without a time limit."""
    return None if study.trial_seconds is None else after(study.trial_seconds - trial.run_seconds)


def renew_deadlines(study: Study) -> None:
    """Let a changed time limit of a locked study hold for the trials that run."""
    limit = study.trial_seconds
    running = Trial.objects.filter(study=study, state=State.RUNNING)
    for trial_id, claimed, spent in running.values_list("pk", "claimed", "run_seconds"):
        deadline = claimed + timedelta(seconds=limit - spent) if claimed and limit is not None else None
        Trial.objects.filter(pk=trial_id).update(deadline=deadline)


@transaction.atomic
def fail_overdue(*, trial_id: int, fence: int, facts: Mapping[str, Any] | None = None) -> bool:
    """RUNNING -> FAILED where the deadline is over; False, and nothing changed, where it is not. Raises StaleLease."""
    study_id = Trial.objects.filter(pk=trial_id).values_list("study_id", flat=True).first()
    if study_id is None:
        raise StaleLease(f"There is no trial {trial_id} any more; its study was deleted.")
    study = lock_study(study_id)
    trial = Trial.objects.get(pk=trial_id)
    if trial.deadline is None or trial.deadline >= database_now():
        return False  # also where it runs no more: then it has no deadline
    fail_trial(
        trial_id=trial.pk,
        fence=fence,
        reason_code=Trial.Reason.DEADLINE,
        reason=missed_words(study, trial),
        facts=facts,
    )
    return True


def missed_words(study: Study, trial: Trial) -> str:
    """How far a trial came within its time limit, and what to raise or lower."""
    limit, unit = study.trial_seconds or 0, unit_of(study)
    first = trial.attempts.filter(fence__gt=0).order_by("fence").values_list("start_step", flat=True).first() or 0
    done, planned = trial.resource_done, trial.resource
    ran = f"It has run for {time_words(limit)}, the study's time limit for a trial,"
    if done <= first:
        return (
            f"{ran} and had not finished its first {unit.removesuffix('s')}. Raise the time limit, or make the trial "
            "smaller: a smaller model, fewer examples."
        )
    if planned is None:
        return f"{ran} and had done {done} {unit}. Raise the time limit, or let the trial do less."
    whole = math.ceil((planned - first) / (done - first) * limit)
    return (
        f"{ran} and had done {done} of {planned} {unit}. At this pace all of them take {time_words(whole)}: raise the "
        f"time limit to that, or lower the {unit} to {done}."
    )
