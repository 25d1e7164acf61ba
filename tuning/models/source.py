"""The earlier studies that a study learns from."""

from typing import Any

from django.db import models

from tuning.models.fields import JSONTextField
from tuning.models.study import Study


class StudySource(models.Model):
    """The trials of an earlier study that a study learns from, copied when it was created.

    A copy, so that the study's suggestions can be repeated whatever becomes of the source: it may go on, get another
    space, become private or be deleted.
    """

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="sources")
    position = models.PositiveIntegerField()
    source = models.ForeignKey(Study, on_delete=models.SET_NULL, null=True, related_name="learners")
    name = models.CharField(max_length=120)  # the source's, then
    assumed: Any = JSONTextField(default=dict)  # what its trials ran with of parameters that they do not have
    n_finished = models.PositiveIntegerField()  # trials that the source had finished then
    n_used = models.PositiveIntegerField()
    left_out: Any = JSONTextField(default=dict)  # reason -> number of trials
    trials: Any = JSONTextField()  # the n_used ones, by finish, with all parameters that they had

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["study", "position"], name="studysource_study_position"),
            models.UniqueConstraint(fields=["study", "source"], name="studysource_study_source"),
        ]
