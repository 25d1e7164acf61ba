"""Reading what another hour of a study promises, and which study is to be looked at next."""

from collections.abc import Iterator
from typing import Any

from django.db.models import F, Q, Sum

from tuning.analysis.worth import APART, FEWEST, Worth, finding, gain_words
from tuning.findings import Finding
from tuning.models import Study, Trial, WorthLook

NO_LOOK = f"Nobody has looked yet: supervisors look at a running study from {FEWEST} complete trials on."


def worth_look(study: Study) -> WorthLook | None:
    """The latest look at the study as it is, its ranges and what counts of its past; None before the first."""
    row = WorthLook.objects.filter(study=study, document__isnull=False).first()
    return row if row is not None and is_of(row, study) else None


def is_of(row: WorthLook, study: Study) -> bool:
    """Whether the looks were at the study's present ranges and past, but for further trials."""
    return (row.space_id, row.history_epoch) == (study.space_id, study.history_epoch)


def worth_of(row: WorthLook) -> Worth:
    return Worth.from_json(row.document)


def worth_words(study: Study, row: WorthLook | None) -> str:
    """What a running study's next hour promises, in a sentence; empty where nothing is known of it."""
    if row is None or study.state != Study.State.RUNNING:
        return ""
    worth = worth_of(row)
    return f"Next hour of device time: {gain_words(worth)}." if worth.gain is not None else worth.problem


def worth_findings(study: Study, row: WorthLook | None) -> list[Finding]:
    """The finding that another hour of a running study is not worth it, where its looks agree on that."""
    if row is None or study.state != Study.State.RUNNING or not row.not_worth or not worth_of(row).not_worth:
        return []  # the latest look may be the first of two to take it back: then it has no reason to give
    return [finding(worth_of(row), stops=study.stop_when_not_worth)]


def worth_document(study: Study) -> dict[str, Any]:
    """All of the latest look, for scripts; before it, with a problem that says so."""
    row = worth_look(study)
    worth = worth_of(row) if row is not None else Worth(0, problem=NO_LOOK)
    return {
        "study": study.pk,
        "looked": row.looked if row is not None else None,
        **worth.to_json(),
        "trials": worth.trials if row is not None else None,
        "not_worth": row is not None and row.not_worth,
        "findings": [found.to_json() for found in worth_findings(study, row)],
    }


def due_for_a_look() -> Study | None:
    """The running study that has waited longest since enough trials have completed for a look; None without one."""
    enough = Q(worth__isnull=True) | Q(n_complete__gte=F("worth__complete") + APART)
    changed = ~Q(worth__history_epoch=F("history_epoch"))
    changed |= Q(worth__space__isnull=False) & ~Q(worth__space=F("space"))  # NULL is not equal to NULL
    due = Study.objects.filter(enough | changed, state=Study.State.RUNNING, n_complete__gte=FEWEST)
    due = due.exclude(kind=Study.PAIRED)
    return due.select_related("space").order_by(F("worth__looked").asc(nulls_first=True), "pk").first()


def seconds_per_trial(study: Study) -> float | None:
    """The time that a trial takes on average, those that ended early or stand at a rung among them."""
    total = Trial.objects.filter(study=study).aggregate(seconds=Sum("run_seconds"))["seconds"] or 0.0
    settled = study.n_ended + study.n_paused
    return total / settled if settled and total > 0 else None


def complete_values(study: Study) -> Iterator[tuple[dict[str, Any], float | None]]:
    """Parameters and value of the complete trials that count, the earlier first."""
    rows = Trial.objects.filter(study=study, state=Trial.State.COMPLETE, excluded_at__isnull=True)
    return rows.order_by("finish_seq").values_list("params", "value").iterator()
