"""What the storm changes inside of hpweb's own processes when Django starts."""

import time
from datetime import UTC, datetime, timedelta

from django.apps import AppConfig
from django.conf import settings
from django.utils import timezone


class ChaosConfig(AppConfig):
    name = "tests.chaos"
    label = "chaos"

    def ready(self) -> None:
        from tuning.workers import frozen, launcher

        launcher.RUNNER = "tests.chaos.runner"
        if settings.CHAOS_FROZEN_SECONDS:
            frozen.FROZEN_SECONDS = settings.CHAOS_FROZEN_SECONDS
        if settings.CHAOS_CLOCK:
            shift_clock(settings.CHAOS_CLOCK)
        if not settings.CHAOS_FENCES:
            remove_fences()


def shift_clock(seconds: float) -> None:
    """Have this process believe in a time that is `seconds` off; the monotonic clock goes on as it is."""
    true = time.time
    time.time = lambda: true() + seconds
    time.time_ns = lambda: round(time.time() * 1e9)
    timezone.now = lambda: datetime.now(tz=UTC) + timedelta(seconds=seconds)


def remove_fences() -> None:
    """Take the fence out of every write and of the look at the claim: whoever ran a trial once may write to it."""
    from tuning.models import Trial
    from tuning.selectors import control
    from tuning.selectors.clock import after
    from tuning.services import endings, reporting, transitions
    from tuning.workers import trial_run

    moved = transitions.move_trial

    def hold(trial_id, fence):
        Trial.objects.filter(pk=trial_id).update(lease_until=after(settings.LEASE_SECONDS))

    def locked(trial_id, fence):
        study = transitions.lock_study(Trial.objects.values_list("study_id", flat=True).get(pk=trial_id))
        return study, Trial.objects.get(pk=trial_id)

    def move_trial(study, trial_id, old, new, *, fence=None, **changes):
        return moved(study, trial_id, old, new, **changes)

    def trial_control(trial_id, fence):
        found = control.trial_control(trial_id, fence)
        return control.Control(True, found.draining, found.words)

    for module, name, free in (
        (reporting, "hold", hold),
        (endings, "_locked", locked),
        (endings, "move_trial", move_trial),
        (trial_run, "trial_control", trial_control),
    ):
        if not hasattr(module, name):
            raise RuntimeError(f"{module.__name__} has no {name} any more: the fence check is somewhere else now")
        setattr(module, name, free)
