"""Who may change what: checked under the study's lock, by every service that a person calls."""

from django.contrib.auth.models import AbstractBaseUser

from tuning.models import Study, Trial
from tuning.selectors.studies import may_edit
from tuning.services.errors import Forbidden, NotFound
from tuning.services.transitions import lock_study


def study_for_change(study_id: int, actor: AbstractBaseUser | None) -> Study:
    """The study, locked, for its owner, an administrator or hpweb itself (None). Raises NotFound, Forbidden."""
    study = lock_study(study_id)
    if actor is not None and not may_edit(actor, study):
        raise Forbidden(f"Only {study.owner.get_username()} and administrators may do this to {study.name!r}.")
    return study


def trial_for_change(trial_id: int, actor: AbstractBaseUser | None) -> tuple[Study, Trial]:
    """The trial as it is now and its study, which is locked. Raises NotFound, Forbidden."""
    study_id = Trial.objects.filter(pk=trial_id).values_list("study_id", flat=True).first()
    if study_id is None:
        raise NotFound(f"There is no trial {trial_id}.")
    study = study_for_change(study_id, actor)
    trial = Trial.objects.filter(pk=trial_id).first()
    if trial is None:  # its study was deleted between the look and the lock
        raise NotFound(f"There is no trial {trial_id}.")
    return study, trial
