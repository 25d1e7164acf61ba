"""A look at a study's trials, computed aside and stored: by one process at a time, with what it rests on.

Supervisors look, one study at a time, in a thread of their own; what they find is stored with the trials that it rests
on, for all web processes and beyond their restarts. No page computes or waits. While a study runs a look is due after
every twentieth more trials, and until then the last one is shown with its number of trials; once the study rests, the
look is at all that it has.
"""

import logging
from collections.abc import Callable
from typing import Any

from django.db import DatabaseError, transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from tuning.models import Look, Study
from tuning.selectors.asides import ABANDONED
from tuning.selectors.clock import before
from tuning.services.errors import NotFound
from tuning.services.transitions import lock_study

logger = logging.getLogger(__name__)


def no_worker(what: str) -> str:
    """Why there is nothing yet, where nobody is there to compute it."""
    return (
        f"Not computed yet, and no worker is alive to do it: {what} by the workers, so that no page waits for it. "
        "Start one with `manage.py worker`."
    )


def look(
    kind: type[Look], study: Study, find: Callable[[Study], dict[str, Any]], failed: Callable[[str], dict[str, Any]]
) -> bool:
    """Look at this study, as it is, unless another process does; what it raises is stored as the reason.

    find: the document to be stored. failed: the one that tells a reason. False where another process looks, or where
    the study was deleted meanwhile.
    """
    if not _take_turn(kind, study):
        return False
    try:
        document = find(study)
    except DatabaseError:
        kind._default_manager.filter(study=study).update(taken=None)
        raise
    except Exception as error:  # one study's trials must not take the workers away from all others
        logger.exception("%s of study %s could not be computed", kind.__name__, study.pk)
        document = failed(f"It could not be computed: {type(error).__name__}: {error}.")
    try:
        _store(kind, study, document)
    except NotFound:
        return False
    return True


def _take_turn(kind: type[Look], study: Study) -> bool:
    """Whether this look at the study is ours, by a conditional update: of several supervisors one looks."""
    row, _ = kind._default_manager.get_or_create(study_id=study.pk)
    free = Q(taken__isnull=True) | Q(taken__lt=before(ABANDONED))
    return kind._default_manager.filter(free, pk=row.pk).update(taken=Now()) == 1


@transaction.atomic
def _store(kind: type[Look], seen: Study, document: dict[str, Any]) -> None:
    """Store what a look has found at the study as it was `seen`; the pages' version rises. Raises NotFound."""
    lock_study(seen.pk)
    kind._default_manager.filter(study_id=seen.pk).update(
        begun=F("taken"),
        format=kind.FORMAT,
        document=document,
        space_id=seen.space_id,
        history_epoch=seen.history_epoch,
        finish_seq=seen.finish_seq,
        taken=None,
    )
    Study.objects.filter(pk=seen.pk).update(version=F("version") + 1)  # nobody was active: only the pages change
