"""Hosts that run workers, their devices, and the slots that hold one trial or one job each."""

from typing import Any

from django.conf import settings
from django.db import models

from tuning.models.fields import JSONTextField

NO_DEVICE = "none"  # the UUID of a host's row for places without a device, where its short jobs run


class Host(models.Model):
    name = models.CharField(max_length=120, unique=True)
    boot_id = models.CharField(max_length=36, blank=True)
    last_seen = models.DateTimeField(null=True)
    draining = models.BooleanField(default=False)  # claims nothing more; what runs goes on to its end
    evacuating = models.BooleanField(default=False)  # what runs goes back to waiting at its next checkpoint, too
    drained_by = models.CharField(max_length=150, blank=True)  # the person; a supervisor's own shutdown has no name
    facts = models.JSONField(default=dict)  # cores, memory, versions
    labels: Any = JSONTextField(default=list)  # what workloads may require of a host, by HPWEB_LABELS

    def __str__(self) -> str:
        return self.name


class Device(models.Model):
    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="devices")
    uuid = models.CharField(max_length=80)  # the GPU's UUID, "cpu", or NO_DEVICE
    kind = models.CharField(max_length=120)
    memory = models.PositiveBigIntegerField(null=True)  # bytes
    unavailable = models.CharField(max_length=300, blank=True)  # why it takes no work now: held, disk full
    # Until then only this person's trials start here; a reservation whose time is over counts as none.
    reserved_until = models.DateTimeField(null=True)
    reserved_for = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    reserved_reason = models.CharField(max_length=200, blank=True)
    reserved_by = models.CharField(max_length=150, blank=True)  # who did it; the name stays when the account is gone

    class Meta:
        constraints = [models.UniqueConstraint(fields=["host", "uuid"], name="device_host_uuid")]

    def __str__(self) -> str:
        return f"{self.host.name}, {self.kind}"


class Slot(models.Model):
    """A place on a device where one process may run at a time. What may run there is its lane."""

    class Lane(models.TextChoices):
        DEVICE = "device", "on a device"  # trials, and jobs that train: those go first
        QUICK = "quick", "quick looks"  # jobs of seconds that a person waits for
        BULK = "bulk", "whole data"  # jobs that read whole data sets, without a device

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="slots")
    index = models.PositiveIntegerField()
    lane = models.CharField(max_length=8, choices=Lane.choices, default=Lane.DEVICE)
    threads = models.PositiveIntegerField(default=1)
    hinted = models.DateTimeField(null=True)  # when the newest hint was sent that no task has taken up yet
    unheard = models.DateTimeField(null=True)  # when the first of those was sent
    enabled = models.BooleanField(default=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["device", "index"], name="slot_device_index")]

    def __str__(self) -> str:
        return f"{self.device} slot {self.index}"
