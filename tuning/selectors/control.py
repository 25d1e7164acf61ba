"""What a worker asks several times a second: is this claim still the newest, and does its host go on?"""

from dataclasses import dataclass

from django.db.models import Q
from django.db.models.functions import Now

from tuning.models import Job, Trial


@dataclass(frozen=True)
class Control:
    """`draining`: the trial (at its next checkpoint) or job is to go back to waiting, because its host goes out of
    service. `overdue`: it has missed its deadline."""

    held: bool
    draining: bool
    words: str
    overdue: bool = False


def trial_control(trial_id: int, fence: int) -> Control:
    """One query. `held` is False once the trial was stopped, paused, deleted or claimed by another."""
    row = (
        Trial.objects.filter(pk=trial_id)
        .annotate(overdue=Q(deadline__lt=Now()))
        .values_list("state", "fence", "reason", "slot__device__host__evacuating", "overdue")
        .first()
    )
    if row is None:
        return Control(False, False, "the study was deleted")
    state, newest, reason, evacuating, overdue = row
    running = state == Trial.State.RUNNING
    words = "it was given to another" if running else reason or f"it is {state.lower()}"
    return Control(running and newest == fence, bool(evacuating), words, bool(overdue))


def job_control(job_id: int, fence: int) -> Control:
    """One query. `held` is False once the job was cancelled, ended, deleted or claimed by another."""
    row = (
        Job.objects.filter(pk=job_id)
        .annotate(overdue=Q(deadline__lt=Now()))
        .values_list("state", "fence", "error", "slot__device__host__evacuating", "overdue")
        .first()
    )
    if row is None:
        return Control(False, False, "it was deleted")
    state, newest, error, evacuating, overdue = row
    running = state == Job.State.RUNNING
    words = "it was given to another" if running else error or f"it is {state.lower()}"
    return Control(running and newest == fence, bool(evacuating), words, bool(overdue))
