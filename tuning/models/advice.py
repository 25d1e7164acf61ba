"""Advice that was put to the test."""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q

from tuning.models.fields import JSONTextField
from tuning.models.study import Study
from tuning.models.trial import Trial


class AdviceTest(models.Model):
    """One advice after a trial's verdict, tried with and without it on the same seeds, and what came of it.

    It outlives its trial and its runs: how often an advice has helped is counted over all that was ever tried here.
    """

    class Outcome(models.TextChoices):
        OPEN = "", "running"
        HELPED = "helped", "helped"
        WORSE = "worse", "made it worse"
        UNDECIDED = "undecided", "undecided"

    trial = models.ForeignKey(Trial, on_delete=models.SET_NULL, null=True, related_name="advice_tests")
    # the study of kind "paired" whose trials are the runs
    study = models.OneToOneField(Study, on_delete=models.SET_NULL, null=True, related_name="advice_test")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    rule = models.CharField(max_length=40)  # the verdict's
    action = models.CharField(max_length=40)  # the advice's
    says = models.TextField()  # as it was given
    change: Any = JSONTextField(default=dict)  # other values of the configuration
    resource = models.PositiveIntegerField(null=True)  # the step that the advice trains to, or stops at
    horizon = models.PositiveIntegerField(null=True)  # the longest training of the trial's study, for schedules
    stops = models.BooleanField(default=False)  # one run a seed: its value at `resource` is held against its last
    pairs = models.PositiveIntegerField()

    counted = models.PositiveIntegerField(default=0)  # pairs that tell; 0 while it runs, or where it never ran
    differences: Any = JSONTextField(
        default=list
    )  # by pair, positive where it was better; None where a side is missing
    mean = models.FloatField(null=True)
    low = models.FloatField(null=True)  # of the 95 % interval
    high = models.FloatField(null=True)
    outcome = models.CharField(max_length=10, choices=Outcome.choices, blank=True, default=Outcome.OPEN)

    created = models.DateTimeField(auto_now_add=True)
    ended = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            # the same advice is tried once at a time
            models.UniqueConstraint(
                fields=["trial", "action"], condition=Q(ended__isnull=True), name="advicetest_open_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} after {self.rule}"
