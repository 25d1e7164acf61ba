"""Reading which parameters mattered in a study, as it is stored, and which study is to be looked at next."""

from django.db.models import F, Q

from tuning.analysis.importance.sample import FEWEST
from tuning.models import ImportanceLook, Study
from tuning.selectors.clock import before

GROWTH = 20  # while a study runs: a twentieth more trials before the next look
ABANDONED = 120.0  # seconds after which a look that has not ended is another's turn as well
AT_WORK = (Study.State.RUNNING, Study.State.PAUSED)


def stored_look(study: Study) -> ImportanceLook | None:
    """The latest look at the study's present ranges and past; None before the first."""
    row = ImportanceLook.objects.filter(study=study, document__isnull=False).first()
    return row if row is not None and _is_of(row, study) else None


def is_current(row: ImportanceLook | None, study: Study) -> bool:
    """Whether no further look is due."""
    if row is None:
        return False
    least = 1 + row.finish_seq // GROWTH if study.state in AT_WORK else 1
    return study.finish_seq < row.finish_seq + least


def looked_until(study: Study) -> int | None:
    """How many ended trials the latest look at the study's present ranges and past has seen; None before the first."""
    looks = ImportanceLook.objects.filter(study=study, space_id=study.space_id, history_epoch=study.history_epoch)
    return looks.filter(document__isnull=False).values_list("finish_seq", flat=True).first()


def due_for_importance() -> Study | None:
    """The study that a look is due at, the one that was active last first; None without one."""
    same_space = Q(importance__space=F("space")) & Q(importance__history_epoch=F("history_epoch"))
    grown = Q(finish_seq__gt=F("importance__finish_seq"))
    much = Q(finish_seq__gte=F("importance__finish_seq") + 1 + F("importance__finish_seq") / GROWTH)
    wanted = Q(importance__isnull=True) | Q(importance__document__isnull=True) | ~same_space
    wanted |= grown & (much | ~Q(state__in=AT_WORK))
    free = Q(importance__taken__isnull=True) | Q(importance__taken__lt=before(ABANDONED))
    due = Study.objects.filter(wanted & free, space__isnull=False, finish_seq__gte=FEWEST)
    return due.select_related("space").order_by("-last_activity", "pk").first()


def _is_of(row: ImportanceLook, study: Study) -> bool:
    return (row.space_id, row.history_epoch) == (study.space_id, study.history_epoch)
