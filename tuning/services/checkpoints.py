"""Giving up checkpoints that nobody goes on from, to stay within the disk that checkpoints may take."""

from collections.abc import Callable

from django.db import transaction
from django.db.models import Q

from tuning.models import Host, Trial
from tuning.services.transitions import lock_study


@transaction.atomic
def give_up_checkpoints(*, trial_id: int, study_id: int, folder: str, delete: Callable[[], bool]) -> bool:
    """Delete the files of an ended trial, by `delete`, and forget its checkpoints; whether that was done.

    The study's lock is held meanwhile, so that no retry begins to count on the files and no trial becomes the best.
    Files first: after a crash in between the row names files that are gone, which the next look, and a retry, take for
    none. `folder` is the trial's below ARTIFACT_DIR; where another trial's checkpoint lies in it, nothing is done.
    Raises NotFound.
    """
    study = lock_study(study_id)
    inside = Q(checkpoint__startswith=f"{folder}/") | Q(best_checkpoint__startswith=f"{folder}/")
    rows = Trial.objects.filter(pk=trial_id, state__in=Trial.TERMINAL).exclude(pk=study.best_trial_id or 0)
    if not rows.exists() or Trial.objects.filter(inside, study=study).exclude(pk=trial_id).exists() or not delete():
        return False
    rows.update(checkpoint="", checkpoint_step=None, best_checkpoint="", best_checkpoint_step=None)
    return True


@transaction.atomic
def note_checkpoints(*, host_id: int, megabytes: float | None, trouble: str) -> None:
    """What a host's supervisor found about the disk that checkpoints take, for the workers page."""
    host = Host.objects.select_for_update(no_key=True).filter(pk=host_id).first()
    if host is not None:
        found = {"checkpoint_mb": megabytes, "checkpoint_trouble": trouble}
        Host.objects.filter(pk=host_id).update(facts={**host.facts, **found})
