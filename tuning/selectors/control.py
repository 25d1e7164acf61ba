"""What a worker asks several times a second: is this claim still the newest, and does its host go on?"""

from dataclasses import dataclass

from django.db.models import Q
from django.db.models.functions import Now

from tuning.models import Trial


@dataclass(frozen=True)
class TrialControl:
    """`draining`: the trial is to go back to waiting at its next checkpoint, because its host goes out of service.
    `overdue`: it has missed its deadline."""

    held: bool
    draining: bool
    words: str
    overdue: bool = False


def trial_control(trial_id: int, fence: int) -> TrialControl:
    """One query. `held` is False once the trial was stopped, paused, deleted or claimed by another."""
    row = (
        Trial.objects.filter(pk=trial_id)
        .annotate(overdue=Q(deadline__lt=Now()))
        .values_list("state", "fence", "reason", "slot__device__host__evacuating", "overdue")
        .first()
    )
    if row is None:
        return TrialControl(False, False, "the study was deleted")
    state, newest, reason, evacuating, overdue = row
    running = state == Trial.State.RUNNING
    words = "it was given to another" if running else reason or f"it is {state.lower()}"
    return TrialControl(running and newest == fence, bool(evacuating), words, bool(overdue))
