"""Work that is no trial: describing workloads, splitting data, and the checks and analyses that come later."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from tuning.models.fields import JSONTextField
from tuning.models.host import Slot
from tuning.models.study import Study
from tuning.models.trial import Trial


class Job(models.Model):
    class State(models.TextChoices):
        WAITING = "WAITING", "waiting"
        RUNNING = "RUNNING", "running"
        COMPLETE = "COMPLETE", "complete"
        FAILED = "FAILED", "failed"

    kind = models.CharField(max_length=20)
    study = models.ForeignKey(Study, on_delete=models.CASCADE, null=True, related_name="jobs")
    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, null=True, related_name="jobs")
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    args = JSONTextField(default=dict)
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    fence = models.PositiveIntegerField(default=0)
    retries = models.PositiveIntegerField(default=0)
    slot = models.ForeignKey(Slot, on_delete=models.SET_NULL, null=True, related_name="jobs")
    lease_until = models.DateTimeField(null=True)
    deadline = models.DateTimeField(null=True)  # of the newest claim, by its kind's limit
    result = JSONTextField(null=True)
    error = models.TextField(blank=True)
    dedupe = models.CharField(max_length=200, blank=True)
    created = models.DateTimeField(auto_now_add=True)
    started = models.DateTimeField(null=True)
    completed = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            # the same request twice while one is open is one job
            models.UniqueConstraint(
                fields=["dedupe"],
                condition=Q(state__in=["WAITING", "RUNNING"]) & ~Q(dedupe=""),
                name="job_dedupe_open",
            ),
            models.UniqueConstraint(
                fields=["slot"], condition=Q(state="RUNNING", slot__isnull=False), name="job_slot_running"
            ),
        ]
        indexes = [
            # claims: open jobs, oldest first
            models.Index(fields=["state", "created"], name="job_state_created"),
        ]
