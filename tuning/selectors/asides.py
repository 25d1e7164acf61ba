"""Reading what supervisors have computed aside of studies, as it is stored, and which study is to be looked at next."""

from typing import TypeVar

from django.db.models import Exists, F, OuterRef, Q

from tuning.analysis.importance.sample import FEWEST
from tuning.models import DiagnosisLook, ImportanceLook, Look, Metric, Preflight, Study
from tuning.selectors.clock import before

L = TypeVar("L", bound=Look)

GROWTH = 20  # while a study runs: a twentieth more trials before the next look
ABANDONED = 120.0  # seconds after which a look that has not ended is another's turn as well
AT_WORK = (Study.State.RUNNING, Study.State.PAUSED)


def stored_look(kind: type[L], study: Study, *, with_document: bool = True) -> L | None:
    """The latest look at the study's present ranges and past; None before the first. A large document may be left in
    the database until somebody reads it."""
    rows = kind._default_manager.filter(study=study, document__isnull=False, format=kind.FORMAT)
    row = (rows if with_document else rows.defer("document")).first()
    return row if row is not None and _is_of(row, study) else None


def is_current(row: Look | None, study: Study) -> bool:
    """Whether no further look is due."""
    if row is None:
        return False
    least = 1 + row.finish_seq // GROWTH if study.state in AT_WORK else 1
    return study.finish_seq < row.finish_seq + least


def looked_until(kind: type[Look], study: Study) -> int | None:
    """How many ended trials the latest look at the study's present ranges and past has seen; None before the first."""
    looks = kind._default_manager.filter(study=study, space_id=study.space_id, history_epoch=study.history_epoch)
    return looks.filter(document__isnull=False, format=kind.FORMAT).values_list("finish_seq", flat=True).first()


def due_for_importance() -> Study | None:
    """The study that a look at what mattered is due at, the one that was active last first; None without one."""
    same_space = Q(importancelook__space=F("space"))
    return _due(ImportanceLook, same_space, Q(space__isnull=False, finish_seq__gte=FEWEST))


def due_for_diagnosis() -> Study | None:
    """The study whose learning curves are to be looked at next, likewise, of those that have any of training. What they
    are measured against comes in part from the preflight: one that ended after the look had begun makes it outdated."""
    same_space = Q(diagnosislook__space=F("space")) | Q(diagnosislook__space__isnull=True, space__isnull=True)
    later = Preflight.objects.filter(
        workload=OuterRef("workload"),
        digest=OuterRef("workload_digest"),
        completed__gt=OuterRef("diagnosislook__begun"),
    )
    trained = Metric.objects.filter(study=OuterRef("pk"), name__startswith="train/")
    return _due(DiagnosisLook, same_space, Q(Exists(trained), finish_seq__gt=0), Q(Exists(later), ~Q(workload="")))


def _due(look: type[Look], same_space: Q, enough: Q, outdated: Q = Q(pk__in=())) -> Study | None:  # noqa: B008 (immutable)
    kind = look._meta.model_name
    same = same_space & Q(**{f"{kind}__history_epoch": F("history_epoch"), f"{kind}__format": look.FORMAT})
    seen = F(f"{kind}__finish_seq")
    grown = Q(finish_seq__gt=seen) & (Q(finish_seq__gte=seen + 1 + seen / GROWTH) | ~Q(state__in=AT_WORK))
    wanted = Q(**{f"{kind}__isnull": True}) | Q(**{f"{kind}__document__isnull": True}) | ~same | grown | outdated
    free = Q(**{f"{kind}__taken__isnull": True}) | Q(**{f"{kind}__taken__lt": before(ABANDONED)})
    due = Study.objects.filter(wanted & free & enough)
    return due.select_related("space").order_by("-last_activity", "pk").first()


def _is_of(row: Look, study: Study) -> bool:
    return (row.space_id, row.history_epoch) == (study.space_id, study.history_epoch)
