"""What a running trial reports: metrics, checkpoints, heartbeats. Each write is fenced before anything is stored."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from tuning.models import Attempt, Study, Trial
from tuning.selectors.clock import after, before
from tuning.selectors.control import trial_control
from tuning.selectors.curves import curve_rows
from tuning.services.endings import objective_of
from tuning.services.errors import StaleLease
from tuning.services.metrics import Point, append_points, rebuild_summaries
from tuning.services.scheduling import decide_report, judges_while_running
from tuning.services.sealing import seal_points
from tuning.services.transitions import lock_study, value_columns

State = Trial.State
VERSION_SECONDS = 1.0  # pages look every two seconds; metrics need not raise the version more often


@dataclass(frozen=True)
class CheckpointNote:
    """A checkpoint that the trial process has written: kind "last" or "best", its step, its stored path."""

    kind: str
    step: int
    path: str


def hold(trial_id: int, fence: int) -> None:
    """Renew the lease of a running trial's claim. Raises StaleLease where the claim is no longer the newest."""
    if not Trial.objects.filter(pk=trial_id, fence=fence, state=State.RUNNING).update(
        lease_until=after(settings.LEASE_SECONDS)
    ):
        words = trial_control(trial_id, fence).words
        raise StaleLease(f"This trial is no longer held by this claim: {words}.")


def raise_version(study_id: int) -> None:
    """Tell pages that metrics came, at most once in VERSION_SECONDS."""
    Study.objects.filter(pk=study_id, last_activity__lt=before(VERSION_SECONDS)).update(
        version=F("version") + 1, last_activity=Now()
    )


def record_points(
    *, trial_id: int, fence: int, points: Sequence[Point], checkpoints: Sequence[CheckpointNote] = ()
) -> str:
    """Store metric points and accepted checkpoints of a claim, and return the scheduler's decision for the newest step.

    Metrics of the test set are sealed (services.sealing): what is only of them moves no trial on.

    Points and the checkpoint that follows them are stored together, so a resume never misses a point before its
    start. Returns "continue", "pause" or "stop". Raises StaleLease, Invalid.
    """
    study, decision = _store(trial_id, fence, points, checkpoints)
    # After the commit: endings lock the study's row first and the trial's second, and this would be the other order.
    if points or checkpoints:
        raise_version(study.pk)
    return decision


@transaction.atomic
def _store(
    trial_id: int, fence: int, points: Sequence[Point], checkpoints: Sequence[CheckpointNote]
) -> tuple[Study, str]:
    study = Study.objects.filter(trials=trial_id).first()
    if study is not None and points and judges_while_running(study):
        study = lock_study(study.pk)  # before the trial's row: a decision at a rung changes what all compete for
    hold(trial_id, fence)
    trial = Trial.objects.get(pk=trial_id)
    study = study or trial.study
    trial.study = study
    points = seal_points(study, trial, fence, points)
    if points:
        append_points(study, trial, fence, points)
    changes: dict[str, object] = {}
    for note in checkpoints:
        if note.kind == "last":
            changes |= {"checkpoint": note.path, "checkpoint_step": note.step}
        else:
            changes |= {"best_checkpoint": note.path, "best_checkpoint_step": note.step}
    decision = "continue"
    if points:
        step = max(point.step for point in points)
        value, value_step = objective_of(study, trial)
        decision = decide_report(study, trial, points)
        changes |= {"resource_done": max(trial.resource_done, step), "value_step": value_step, **value_columns(value)}
    if changes:
        Trial.objects.filter(pk=trial_id).update(**changes)
    return study, decision


def rebuild_progress(study: Study, trial: Trial) -> None:
    """Make summaries and value of a trial anew from its valid points, after a start that left later steps behind."""
    rebuild_summaries(study, trial, curve_rows(trial))
    value, step = objective_of(study, trial)
    columns = {**value_columns(value), "value_step": step}
    Trial.objects.filter(pk=trial.pk).update(**columns)
    for name, column in columns.items():
        setattr(trial, name, column)


@transaction.atomic
def forget_checkpoint(*, trial_id: int, fence: int) -> None:
    """The checkpoint's file is gone: this attempt starts anew, and earlier steps count no more. Raises StaleLease."""
    hold(trial_id, fence)
    trial = Trial.objects.select_related("study").get(pk=trial_id)
    Trial.objects.filter(pk=trial_id).update(checkpoint="", checkpoint_step=None, resource_done=0)
    Attempt.objects.filter(trial_id=trial_id, fence=fence).update(start_step=0)
    rebuild_progress(trial.study, trial)


def forget_dropped(*, trial_id: int) -> None:
    """The checkpoints of a trial that its scheduler has cut are deleted."""
    rows = Trial.objects.filter(pk=trial_id, state=State.PRUNED)
    rows.update(checkpoint="", checkpoint_step=None, best_checkpoint="", best_checkpoint_step=None)


def renew(*, trial_id: int, fence: int) -> None:
    """A heartbeat: renew the lease, and let pages see metrics that came within the last version's second."""
    hold(trial_id, fence)
    raise_version(Trial.objects.values_list("study_id", flat=True).get(pk=trial_id))
