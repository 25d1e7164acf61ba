"""A study's states: start, pause, resume, stop. Doing the same again is no error and changes nothing."""

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from tuning.models import Attempt, Preflight, Study, Trial
from tuning.models.fields import storable
from tuning.selectors.preflights import Standing, standing_of
from tuning.services import hints
from tuning.services.audit import record
from tuning.services.closing import close_if_done
from tuning.services.errors import Conflict, Forbidden
from tuning.services.forecasts import forecast_of
from tuning.services.paired import settle_test
from tuning.services.permissions import study_for_change, trial_for_change
from tuning.services.pinning import adopt_code, has_newer_code, want_data
from tuning.services.preflights import request_preflight
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
def start_study(*, study_id: int, actor: AbstractBaseUser | None, despite: str = "") -> Study:
    """READY -> RUNNING; a PyTorch workload's study stays READY until its preflight has passed, and then starts itself.

    It runs the code that its workload has now: what was mended since it was made is what a start after it is for.
    `despite`: the reason to start it without one, which is kept. Raises Forbidden, NotFound, Conflict.
    """
    study = study_for_change(study_id, actor)
    if study.state == State.RUNNING:
        return study
    if study.state != State.READY:
        raise _refuse(study, "started")
    if has_newer_code(study):
        study = adopt_code(study_id=study.pk, actor=actor)
    standing, despite = standing_of(study), storable(despite.strip())
    if not standing.open and not despite:
        return _await_preflight(study, actor, standing)
    verb = "started" if standing.open else "started without a passed preflight"
    waiver = "" if standing.open else despite
    expected = forecast_of(study)
    study = _set_state(
        study,
        actor,
        verb,
        State.RUNNING,
        started=Now(),
        state_reason="",
        starts_for=None,
        waiver=waiver,
        forecast=expected,
    )
    want_data(study, actor)
    close_if_done(study)  # all that its budget pays may have been queued, and cancelled, before it started
    hints.announce()
    return study


def _await_preflight(study: Study, actor: AbstractBaseUser | None, standing: Standing) -> Study:
    """Have the preflight run where it has not, and the study start after it. Raises Conflict where it has failed."""
    if standing.state == Preflight.State.FAILED:
        raise Conflict(
            f"{standing.words()} Mend the workload and press Refresh on the workloads page, or start the study despite "
            "that, with a reason."
        )
    request_preflight(actor=actor, workload=study.workload)
    who = actor.pk if actor is not None else study.owner_id
    if study.starts_for_id != who:
        words = "It starts by itself once its preflight has passed."
        count_change(study, {}, historical=False, starts_for_id=who, state_reason=words)
        record(actor=actor, verb="asked to start", kind="study", object_id=study.pk, name=study.name)
        hints.announce()
        study.refresh_from_db()
    return study


@transaction.atomic
def hold_study(*, study_id: int, actor: AbstractBaseUser | None) -> Study:
    """A READY study that would start after its preflight does not. Raises Forbidden, NotFound, Conflict."""
    study = study_for_change(study_id, actor)
    if study.state != State.READY:
        raise _refuse(study, "held back")
    if study.starts_for_id is not None:
        count_change(study, {}, historical=False, starts_for=None, state_reason="")
        record(actor=actor, verb="held back", kind="study", object_id=study.pk, name=study.name)
        study.refresh_from_db()
    return study


def start_awaiting() -> int:
    """Start the studies whose preflight they waited for has passed, and say of others why not; returns how many began.

    Called after a preflight's end, and again and again by supervisors, so that none is forgotten. Each study has a
    transaction of its own: a preflight that is being stored holds locks in the other order.
    """
    waiting = Study.objects.filter(state=State.READY, starts_for__isnull=False)
    return sum(_start_awaiting(study_id) for study_id in list(waiting.order_by("pk").values_list("pk", flat=True)))


@transaction.atomic
def _start_awaiting(study_id: int) -> bool:
    study = Study.objects.select_for_update(no_key=True).select_related(None).filter(pk=study_id).first()
    if study is None or study.state != State.READY or study.starts_for_id is None:
        return False  # somebody was quicker
    standing, words = standing_of(study), ""
    if standing.open:
        try:
            return start_study(study_id=study.pk, actor=study.starts_for).state == State.RUNNING
        except Forbidden as error:  # who asked for it may start it no more
            words = error.message
    elif standing.state in (Preflight.State.FAILED, Preflight.State.BROKEN):
        words = standing.words()
    elif standing.preflight is None:  # the code has changed since it was asked for
        request_preflight(actor=study.starts_for, workload=study.workload)
    if words:
        reason = storable(f"It has not started. {words}")
        count_change(study, {}, historical=False, starts_for=None, state_reason=reason)
    return False


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
    settle_test(ended)
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
