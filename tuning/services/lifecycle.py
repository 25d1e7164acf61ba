"""A study's states: start, pause, resume, stop. Doing the same again is no error and changes nothing."""

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from tuning.models import Attempt, Study, Trial
from tuning.models.fields import storable
from tuning.services import hints
from tuning.services.audit import record
from tuning.services.closing import close_if_done
from tuning.services.errors import Conflict
from tuning.services.permissions import study_for_change, trial_for_change
from tuning.services.pinning import want_data
from tuning.services.scheduling import settle_paused
from tuning.services.transitions import count_change, move_trial, renew_best

State = Study.State
POSSIBLE = {
    State.DRAFT: "complete its settings first",
    State.READY: "start or delete it",
    State.RUNNING: "pause or stop it",
    State.PAUSED: "resume or stop it",
    State.STOPPED: "it has ended; clone it, or make a new study, to go on",
    State.FINISHED: "it has ended; extend it, or make a new study, to go on",
}


def _refuse(study: Study, verb: str) -> Conflict:
    return Conflict(f"The study is {study.state.lower()}, so it cannot be {verb}: {POSSIBLE[State(study.state)]}.")


def _set_state(study: Study, actor: AbstractBaseUser | None, verb: str, state: str, **literal: object) -> Study:
    before = study.state
    count_change(study, {}, historical=False, state=state, **literal)
    record(
        actor=actor,
        verb=verb,
        kind="study",
        object_id=study.pk,
        name=study.name,
        before={"state": before},
        after={"state": state},
    )
    study.refresh_from_db()
    return study


@transaction.atomic
def start_study(*, study_id: int, actor: AbstractBaseUser | None) -> Study:
    """READY -> RUNNING. Raises Forbidden, NotFound, Conflict."""
    study = study_for_change(study_id, actor)
    if study.state == State.RUNNING:
        return study
    if study.state != State.READY:
        raise _refuse(study, "started")
    study = _set_state(study, actor, "started", State.RUNNING, started=Now(), state_reason="")
    want_data(study, actor)
    close_if_done(study)  # all that its budget pays may have been queued, and cancelled, before it started
    hints.announce()
    return study


@transaction.atomic
def pause_study(*, study_id: int, actor: AbstractBaseUser | None, reason: str = "") -> Study:
    """RUNNING -> PAUSED: running trials go back to waiting at their last checkpoint, and their processes are ended.

    `reason` is shown with the study where hpweb itself pauses it.
    """
    study = study_for_change(study_id, actor)
    if study.state == State.PAUSED:
        return study
    if study.state != State.RUNNING:
        raise _refuse(study, "paused")
    end_script_attempts("the study was paused", study_id=study.pk)
    for trial_id in list(Trial.objects.filter(study=study, state=Trial.State.RUNNING).values_list("pk", flat=True)):
        move_trial(study, trial_id, Trial.State.RUNNING, Trial.State.WAITING, reason="the study was paused")
    return _set_state(study, actor, "paused", State.PAUSED, state_reason=storable(reason))


@transaction.atomic
def resume_study(*, study_id: int, actor: AbstractBaseUser | None) -> Study:
    """PAUSED -> RUNNING: waiting trials go on from their checkpoints."""
    study = study_for_change(study_id, actor)
    if study.state == State.RUNNING:
        return study
    if study.state != State.PAUSED:
        raise _refuse(study, "resumed")
    anew = {"failed_in_a_row": 0, "infeasible_in_a_row": 0}
    study = _set_state(study, actor, "resumed", State.RUNNING, state_reason="", **anew)
    close_if_done(study)  # the last open trial may have been cancelled while the study was paused
    hints.announce()
    return study


@transaction.atomic
def stop_study(*, study_id: int, actor: AbstractBaseUser | None) -> Study:
    """RUNNING, PAUSED or READY -> STOPPED: running and waiting trials FAILED (cancelled), paused ones PRUNED."""
    study = study_for_change(study_id, actor)
    if study.state in (State.STOPPED, State.FINISHED):
        return study
    if study.state == State.DRAFT:
        raise _refuse(study, "stopped")
    end_script_attempts("the study was stopped", study_id=study.pk)
    for state in (Trial.State.RUNNING, Trial.State.WAITING):
        for trial_id in list(Trial.objects.filter(study=study, state=state).values_list("pk", flat=True)):
            move_trial(
                study,
                trial_id,
                state,
                Trial.State.FAILED,
                reason_code=Trial.Reason.CANCELLED,
                reason="the study was stopped",
            )
    settle_paused(study)
    ended = _set_state(
        study,
        actor,
        "stopped",
        State.STOPPED,
        finished=Now(),
        state_reason=f"stopped by {actor.get_username()}" if actor else "stopped",
    )
    if ended.best_trial_id is None:
        renew_best(ended)
    return ended


@transaction.atomic
def cancel_trial(*, trial_id: int, actor: AbstractBaseUser | None) -> Trial:
    """WAITING, RUNNING or PAUSED -> FAILED (cancelled); a trial that has ended is left as it is."""
    study, trial = trial_for_change(trial_id, actor)
    if trial.is_open:
        end_script_attempts("the trial was cancelled", pk=trial.pk)
        move_trial(
            study,
            trial.pk,
            trial.state,
            Trial.State.FAILED,
            reason_code=Trial.Reason.CANCELLED,
            reason=f"cancelled by {actor.get_username()}" if actor else "cancelled",
        )
        record(actor=actor, verb="cancelled", kind="trial", object_id=trial.pk, name=f"{study.name} #{trial.number}")
        close_if_done(study)
        hints.announce()
        trial.refresh_from_db()
    return trial


def end_script_attempts(outcome: str, **trials: int) -> None:
    """Note the end of attempts that no worker will note: a script may never call again."""
    held = Trial.objects.filter(state=Trial.State.RUNNING, **trials).exclude(lease_hash="")
    Attempt.objects.filter(trial__in=held, fence=F("trial__fence"), ended__isnull=True).update(
        ended=Now(), outcome=outcome
    )
