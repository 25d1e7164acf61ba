"""Trials that a person takes out of what counts, and puts back: a broken disk, a wrong data set, a test run.

An excluded trial keeps its state, its value and its place in the budget; it stays visible with the reason. It counts
no longer for the best, the leaderboard, the charts and the sampler.
"""

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models.functions import Now

from tuning.models import Study, Trial
from tuning.models.fields import storable
from tuning.services.audit import record
from tuning.services.errors import Invalid
from tuning.services.lifecycle import cancel_trial
from tuning.services.permissions import trial_for_change
from tuning.services.transitions import count_change, renew_best

LONGEST_REASON = 500


@transaction.atomic
def exclude_trial(*, trial_id: int, actor: AbstractBaseUser, reason: str) -> Trial:
    """Let a trial count no more; an open one is cancelled first. The same again changes nothing.

    Raises Invalid (without a reason), Forbidden, NotFound.
    """
    words = storable(reason).strip()
    study, trial = trial_for_change(trial_id, actor)
    if not 1 <= len(words) <= LONGEST_REASON:
        raise Invalid({"reason": [f"Say in 1 to {LONGEST_REASON} characters why this trial is not to count."]})
    if trial.is_excluded and trial.excluded_reason == words:
        return trial
    if trial.is_open:
        cancel_trial(trial_id=trial.pk, actor=actor)
        study, trial = trial_for_change(trial_id, actor)
    before = {"reason": trial.excluded_reason} if trial.is_excluded else None
    Trial.objects.filter(pk=trial.pk).update(excluded_at=Now(), excluded_by=actor.get_username(), excluded_reason=words)
    _count_anew(study)
    record(
        actor=actor,
        verb="excluded",
        kind="trial",
        object_id=trial.pk,
        name=f"{study.name} #{trial.number}",
        before=before,
        after={"reason": words},
    )
    trial.refresh_from_db()
    return trial


@transaction.atomic
def include_trial(*, trial_id: int, actor: AbstractBaseUser) -> Trial:
    """Let an excluded trial count again; one that counts is left as it is. Raises Forbidden, NotFound."""
    study, trial = trial_for_change(trial_id, actor)
    if not trial.is_excluded:
        return trial
    reason = trial.excluded_reason
    Trial.objects.filter(pk=trial.pk).update(excluded_at=None, excluded_by="", excluded_reason="")
    _count_anew(study)
    record(
        actor=actor,
        verb="included",
        kind="trial",
        object_id=trial.pk,
        name=f"{study.name} #{trial.number}",
        before={"reason": reason},
    )
    trial.refresh_from_db()
    return trial


def _count_anew(study: Study) -> None:
    """The past of a locked study has changed: its best trial, and every history that a process has kept of it."""
    renew_best(study)
    count_change(study, {}, historical=True, history_epoch=study.history_epoch + 1)
