"""Archiving a study: it leaves the list of studies, keeps all that it has, and can be brought back."""

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models.functions import Now

from tuning.models import Study
from tuning.services.audit import record
from tuning.services.errors import Conflict
from tuning.services.permissions import study_for_change
from tuning.services.transitions import count_change


@transaction.atomic
def archive_study(*, study_id: int, actor: AbstractBaseUser | None) -> Study:
    """Take a study out of the list; the same again changes nothing. Raises Forbidden, NotFound, Conflict."""
    study = study_for_change(study_id, actor)
    if study.archived is not None:
        return study
    if study.state == Study.State.RUNNING or study.n_running:
        raise Conflict("The study is running; pause or stop it before you archive it.")
    count_change(study, {}, historical=False, archived=Now())
    record(actor=actor, verb="archived", kind="study", object_id=study.pk, name=study.name)
    study.refresh_from_db()
    return study


@transaction.atomic
def unarchive_study(*, study_id: int, actor: AbstractBaseUser | None) -> Study:
    """Bring an archived study back into the list; one that is there stays. Raises Forbidden, NotFound."""
    study = study_for_change(study_id, actor)
    if study.archived is None:
        return study
    count_change(study, {}, historical=False, archived=None)
    record(actor=actor, verb="brought back", kind="study", object_id=study.pk, name=study.name)
    study.refresh_from_db()
    return study
