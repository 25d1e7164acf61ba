"""The end of a study whose time is up: what it has found so far stands, and it has a best trial.

Steps need nothing of the kind: no trial starts that they might not pay for (services.scheduling).
"""

from django.db import transaction
from django.db.models import Q

from tuning.models import Study, Trial
from tuning.selectors.budget import time_is_up
from tuning.services.endings import objective_of
from tuning.services.errors import NotFound
from tuning.services.lifecycle import end_script_attempts
from tuning.services.scheduling import settle_paused
from tuning.services.transitions import finish_study, lock_study, move_trial, value_columns

State = Trial.State


def end_timed_out() -> int:
    """End every running study whose time, or time on devices, is used up; returns how many."""
    timed = Q(study_seconds__isnull=False) | Q(device_seconds__isnull=False)
    ended = 0
    for study in Study.objects.filter(timed, state=Study.State.RUNNING):
        if time_is_up(study) is not None:
            try:
                ended += end_if_timed_out(study_id=study.pk)
            except NotFound:
                continue  # it was deleted between the look and the lock
    return ended


@transaction.atomic
def end_if_timed_out(*, study_id: int) -> bool:
    """RUNNING -> FINISHED where the study's time is used up; False, and nothing changed, where it is not.

    Raises NotFound.
    """
    study = lock_study(study_id)
    if study.state != Study.State.RUNNING or (words := time_is_up(study)) is None:
        return False
    cut_short(study, words, words)
    return True


def cut_short(study: Study, words: str, brief: str) -> None:
    """RUNNING -> FINISHED of a locked study with whatever trials are open, for a reason in words, and in brief.

    Trials that run or wait are PRUNED with what they had reported; those that had not begun are FAILED (cancelled).
    Workers notice and end their processes.
    """
    reason = f"cut short: {brief}"  # an attempt keeps 120 characters of it
    end_script_attempts(reason, study_id=study.pk)
    for trial in Trial.objects.filter(study=study, state__in=(State.RUNNING, State.WAITING)).order_by("number"):
        if trial.resource_done == 0:
            code = Trial.Reason.CANCELLED
            move_trial(study, trial.pk, trial.state, State.FAILED, reason_code=code, reason=reason)
            continue
        value, step = objective_of(study, trial)
        columns = {**value_columns(value), "value_step": step}
        move_trial(study, trial.pk, trial.state, State.PRUNED, reason=reason, **columns)
    settle_paused(study)
    finish_study(study, words)
