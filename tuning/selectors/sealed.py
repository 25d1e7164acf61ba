"""What trials have measured on the test set. Names and counts are for everybody, values for a reveal alone."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count

from tuning.models import SealedMetric, Study, Trial
from tuning.models.fields import NON_FINITE
from tuning.selectors.curves import valid_until


@dataclass(frozen=True)
class SealedValue:
    """One sealed number: the metric's name, the step it was measured at, the number (NaN and infinities allowed)."""

    name: str
    step: int
    value: float
    created: datetime


def sealed_of(trial: Trial) -> list[SealedValue]:
    """Every sealed number of the trial that counts, by name and step.

    The only reader of such values, and used by a reveal alone. As with curves, steps that a dead attempt reported
    beyond the checkpoint of the next one are left out, and of a step that two attempts reported the later one's counts.
    """
    limits = valid_until([trial.pk])
    found: dict[tuple[str, int], SealedValue] = {}
    for row in SealedMetric.objects.filter(trial=trial).order_by("fence", "pk"):
        limit = limits.get((trial.pk, row.fence))
        if limit is None or row.step <= limit:
            number = NON_FINITE[row.value_kind] if row.value is None else row.value
            found[row.name, row.step] = SealedValue(row.name, row.step, number, row.created)
    return [found[key] for key in sorted(found)]


def sealed_counts(trial: Trial) -> dict[str, int]:
    """How many steps of each sealed metric the trial has reported, by name; no value is read."""
    rows = SealedMetric.objects.filter(trial=trial).values_list("name").annotate(n=Count("step", distinct=True))
    return dict(rows.order_by("name"))


def sealed_names(study: Study) -> list[str]:
    """The sealed metrics that the study's trials have reported, in order of name; no value is read."""
    rows = SealedMetric.objects.filter(trial__study=study)
    return list(rows.order_by("name").values_list("name", flat=True).distinct())
