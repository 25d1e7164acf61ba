"""What supervisors compute of a study's trials beside their loop: the latest look, and whether somebody looks now."""

from typing import Any

from django.db import models

from tuning.models.fields import JSONTextField
from tuning.models.study import SearchSpace, Study


class Look(models.Model):
    """The latest look at a study, with what it was at: its ranges, its past, and how many of its trials had ended.

    FORMAT: of the document. One of another format is as if it were not there: whoever changes what a service writes
    raises the number, and every study is looked at again.
    """

    FORMAT = 1

    study = models.OneToOneField(Study, on_delete=models.CASCADE, related_name="%(class)s")
    space = models.ForeignKey(SearchSpace, on_delete=models.CASCADE, null=True, related_name="+")
    history_epoch = models.PositiveBigIntegerField(default=0)
    finish_seq = models.PositiveBigIntegerField(default=0)
    format = models.PositiveSmallIntegerField(default=0)
    document: Any = JSONTextField(null=True)  # NULL until the first look has ended
    begun = models.DateTimeField(null=True)  # when the look that is stored began
    taken = models.DateTimeField(null=True)  # since when a process looks; NULL: none does

    class Meta:
        abstract = True


class ImportanceLook(Look):
    """Which parameters mattered: by target, as `services.importance` writes it."""

    def __str__(self) -> str:
        return f"which parameters of {self.study} mattered"


class DiagnosisLook(Look):
    """What the learning curves say: as `services.diagnostics` writes it. A later preflight makes it outdated."""

    def __str__(self) -> str:
        return f"what the learning curves of {self.study} say"
