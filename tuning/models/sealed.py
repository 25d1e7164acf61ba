"""What was measured on the test set before the choice was made: kept apart from every table that a page reads."""

from dataclasses import dataclass, field

from django.db import models

from tuning.models.trial import Trial


class SealedMetric(models.Model):
    """A number of the test set that one attempt of a trial reported. Read by a reveal alone (selectors.sealed)."""

    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="sealed_metrics")
    name = models.CharField(max_length=120)  # "test/accuracy": tuning.sealed.is_sealed
    fence = models.PositiveIntegerField()  # the attempt: of what a later one reported anew, that one's counts
    step = models.PositiveIntegerField()
    value = models.FloatField(null=True)  # finite, or NULL with value_kind "nan", "inf", "-inf"
    value_kind = models.CharField(max_length=4, blank=True)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            # the first number that an attempt reported of a step stays; also serves "what has this trial sealed"
            models.UniqueConstraint(fields=["trial", "name", "fence", "step"], name="sealedmetric_unique")
        ]

    def __str__(self) -> str:
        return f"{self.name} of {self.trial} at step {self.step}, sealed"


@dataclass(frozen=True)
class SealedTable:
    """A table whose columns `values` nobody may read before a reveal.

    Attributes:
        study: the lookup from a row to its study.
        still: which rows are sealed still; a reveal makes its own readable.
    """

    model: type[models.Model]
    study: str
    values: tuple[str, ...]
    still: models.Q = field(default_factory=models.Q)


# Every such table of the installation: `manage.py seal_audit` looks for their values everywhere else.
SEALED_TABLES = (
    SealedTable(
        SealedMetric, study="trial__study", values=("value",), still=models.Q(trial__reveals__isnull=True)
    ),
)
