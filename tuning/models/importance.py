"""Which parameters mattered, as the latest look at a study's trials has found."""

from typing import Any

from django.db import models

from tuning.models.fields import JSONTextField
from tuning.models.study import SearchSpace, Study


class ImportanceLook(models.Model):
    """The latest look at a study, and whether somebody looks at present."""

    study = models.OneToOneField(Study, on_delete=models.CASCADE, related_name="importance")
    # What the look was at: the study's ranges, its past, and how many of its trials had ended.
    space = models.ForeignKey(SearchSpace, on_delete=models.CASCADE, null=True, related_name="+")
    history_epoch = models.PositiveBigIntegerField(default=0)
    finish_seq = models.PositiveBigIntegerField(default=0)
    document: Any = JSONTextField(null=True)  # by target (services.importance); NULL until the first look has ended
    taken = models.DateTimeField(null=True)  # since when a process looks; NULL: none does

    def __str__(self) -> str:
        return f"which parameters of {self.study} mattered"
