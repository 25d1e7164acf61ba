"""What the looks at a running study say of its next hour."""

from typing import Any

from django.db import models

from tuning.models.fields import JSONTextField
from tuning.models.study import SearchSpace, Study


class WorthLook(models.Model):
    """The latest look at a study, and the statement that the looks so far have come to."""

    study = models.OneToOneField(Study, on_delete=models.CASCADE, related_name="worth")
    # What the looks were at; where any of these has changed otherwise than by further trials, they count no more.
    space = models.ForeignKey(SearchSpace, on_delete=models.CASCADE, null=True, related_name="+")
    history_epoch = models.PositiveBigIntegerField(default=0)
    complete = models.PositiveIntegerField(default=0)  # the study's n_complete when the latest look began
    document: Any = JSONTextField(null=True)  # tuning.analysis.Worth; NULL until the first look has ended
    not_worth = models.BooleanField(default=False)  # the statement
    contrary = models.PositiveIntegerField(default=0)  # looks in a row that contradict it
    looked = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"what another hour of {self.study} promises"
