"""Trying a failed trial again.

A FAILED trial has been reported once and stays as it is: its place in the order of endings, and what the sampler made
of it, are part of the study's past. A retry is therefore a new trial of the same configuration. Where the failed one
has left a checkpoint, the new one goes on from it with the same seed and the curves up to there; after a divergence it
starts anew with a seed of its own, because the checkpoint leads to the same end.
"""

from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.utils import timezone

from tuning.engine.transfer import Misfit, fitted
from tuning.models import Attempt, Study, Trial
from tuning.selectors.budget import trial_limit
from tuning.selectors.curves import trial_curves
from tuning.selectors.schedulers import has_rungs
from tuning.services import hints
from tuning.services.audit import record
from tuning.services.errors import Conflict
from tuning.services.history import assumed_values
from tuning.services.metrics import Point, append_points
from tuning.services.permissions import trial_for_change
from tuning.services.proposing import engine_space
from tuning.services.reporting import rebuild_progress
from tuning.services.scheduling import next_start, remedy_of_limit
from tuning.services.sealing import carry_sealed
from tuning.services.starting import create_trial
from tuning.services.transitions import reopen_study

State = Study.State
ORIGIN = "retry"
CARRIED = 0  # the fence of the points that a retry takes over; claims count from 1


@transaction.atomic
def retry_trial(*, trial_id: int, actor: AbstractBaseUser) -> Trial:
    """A new trial of a FAILED one's configuration, WAITING; a FINISHED study runs again for it.

    It counts against the budget. A trial is retried once: the same again returns the same new trial. Raises Forbidden,
    NotFound, and Conflict with the remedy.
    """
    study, failed = trial_for_change(trial_id, actor)
    earlier = Trial.objects.filter(clone_of=failed, origin=ORIGIN).first()
    if earlier is not None:
        return earlier
    _check(study, failed)
    goes_on = bool(failed.checkpoint) and failed.reason_code != Trial.Reason.DIVERGED
    where = f"goes on from {failed.checkpoint_step}" if goes_on else "starts anew"
    before = study.state
    reopen_study(study)
    start = next_start(study)  # in any study: it raises where the steps do not pay for one more trial
    trial = create_trial(
        study,
        dict(failed.params),
        origin=ORIGIN,
        why=f"Retry of trial {failed.number} ({failed.get_reason_code_display() or 'failed'}) by "
        f"{actor.get_username()}: it {where}.",
        start=start if has_rungs(study) else None,
        resource=failed.resource,
        fixed_params=failed.fixed_params,
    )
    columns: dict[str, Any] = {
        "clone_of": failed,
        "space_id": failed.space_id,
        "distributions": failed.distributions,
        "priority": failed.priority,
    }
    Trial.objects.filter(pk=trial.pk).update(**columns)
    if goes_on:
        _go_on(study, trial, failed)
    after: dict[str, Any] = {"trial": trial.number}
    if study.state != before:
        after["state"] = study.state
    record(
        actor=actor,
        verb="retried",
        kind="trial",
        object_id=failed.pk,
        name=f"{study.name} #{failed.number}",
        before={"state": before} if study.state != before else None,
        after=after,
    )
    hints.announce()
    trial.refresh_from_db()
    return trial


def _check(study: Study, failed: Trial) -> None:
    if failed.is_open:
        raise Conflict(f"Trial {failed.number} is {failed.state.lower()} still; cancel it, or wait for its end.")
    if failed.state != Trial.State.FAILED:
        raise Conflict(
            f"Trial {failed.number} is {failed.state.lower()}, so there is nothing to try again; queue its "
            "configuration to run it a second time."
        )
    if study.state in (State.DRAFT, State.STOPPED):
        raise Conflict(f"The study is {study.state.lower()}, so nothing runs in it again; clone it to go on.")
    limit = trial_limit(study)
    if limit is not None and study.n_counted >= limit:
        raise Conflict(
            f"All {limit:,} trials of this study are taken, and a retry is one more: {remedy_of_limit(study)} first."
        )
    space = engine_space(study)
    if space is not None:
        try:
            fitted(space, failed.params, assumed_values(study, space))
        except Misfit as misfit:
            raise Conflict(
                f"Trial {failed.number} lies outside the present search space: {misfit}. Change the ranges so that it "
                "fits, or queue a configuration that does."
            ) from misfit


def _go_on(study: Study, trial: Trial, failed: Trial) -> None:
    """Let `trial` start at the checkpoint of `failed`, with the points that it had reported until then."""
    step = failed.checkpoint_step or 0
    columns: dict[str, Any] = {
        "seed": failed.seed,
        "checkpoint": failed.checkpoint,
        "checkpoint_step": step,
        "resource_done": step,
    }
    if failed.best_checkpoint_step is not None and failed.best_checkpoint_step <= step:
        columns |= {"best_checkpoint": failed.best_checkpoint, "best_checkpoint_step": failed.best_checkpoint_step}
    Trial.objects.filter(pk=trial.pk).update(**columns)
    trial.refresh_from_db()
    rows: dict[int, dict[str, float]] = {}
    walls: dict[int, float] = {}
    for name, curve in trial_curves(failed).items():
        for at, value, wall in zip(curve.steps, curve.values, curve.wall_times, strict=True):
            if at <= step:
                rows.setdefault(at, {})[name] = value
                walls[at] = max(wall, walls.get(at, wall))
    # An attempt of its own: should the checkpoint's file be gone, the next one starts at 0 and these points go with it.
    Attempt.objects.create(
        trial=trial,
        fence=CARRIED,
        ended=timezone.now(),
        outcome=f"taken over from trial {failed.number}, up to {step}",
    )
    append_points(study, trial, CARRIED, [Point(at, rows[at], walls[at]) for at in sorted(rows)])
    carry_sealed(failed, trial, CARRIED, step)
    rebuild_progress(study, trial)
