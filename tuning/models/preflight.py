"""The checks before tuning, and what people have typed of a study that is not created yet."""

from typing import Any

from django.conf import settings
from django.db import models

from tuning.models.fields import JSONTextField
from tuning.models.job import Job
from tuning.models.study import Study


class Preflight(models.Model):
    """What the checks found out about a workload's code and data with its default parameters."""

    class State(models.TextChoices):
        OPEN = "OPEN", "waits or runs"
        PASSED = "PASSED", "passed"
        FAILED = "FAILED", "failed"
        BROKEN = "BROKEN", "could not run to its end"

    workload = models.CharField(max_length=120)
    digest = models.CharField(max_length=64, blank=True)  # of the code
    data_digest = models.CharField(max_length=64, blank=True)  # of the examples that it read; empty: not told
    state = models.CharField(max_length=6, choices=State.choices, default=State.OPEN)
    job = models.OneToOneField(Job, on_delete=models.SET_NULL, null=True, related_name="preflight")
    fence = models.PositiveIntegerField(default=0)  # the job's claim that the checks are of
    checks: Any = JSONTextField(default=list)  # documents of tuning.training.preflight, as they ended
    facts: Any = JSONTextField(default=dict)  # seconds_per_epoch, parameters, seconds, device
    error = models.TextField(blank=True)
    created = models.DateTimeField(auto_now_add=True)
    completed = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            # the newest of a workload
            models.Index(fields=["workload", "-id"], name="preflight_workload"),
        ]

    def __str__(self) -> str:
        return f"preflight of {self.workload}"


class Draft(models.Model):
    """A study's form as its owner has typed it, valid or not."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="drafts")
    workload = models.CharField(max_length=120, blank=True)  # empty: trials are run by scripts
    source = models.ForeignKey(Study, on_delete=models.SET_NULL, null=True, related_name="+")  # that it is a clone of
    fields: Any = JSONTextField(default=dict)  # name in the form -> the values that were sent
    created = models.DateTimeField(auto_now_add=True)
    changed = models.DateTimeField(auto_now=True)

    class Meta:
        indexes = [models.Index(fields=["owner", "-changed"], name="draft_owner_changed")]

    def __str__(self) -> str:
        return f"draft of {self.owner}"
