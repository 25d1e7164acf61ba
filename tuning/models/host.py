"""Hosts that run workers, their devices, and the slots that hold one trial or one job each."""

from typing import Any

from django.conf import settings
from django.db import models

from tuning.models.fields import JSONTextField


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
    uuid = models.CharField(max_length=80)  # the GPU's UUID, or "cpu"
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
    """A place on a device where one process may run at a time."""

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="slots")
    index = models.PositiveIntegerField()
    threads = models.PositiveIntegerField(default=1)
    hinted = models.DateTimeField(null=True)  # when the newest hint was sent that no task has taken up yet
    unheard = models.DateTimeField(null=True)  # when the first of those was sent
    enabled = models.BooleanField(default=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["device", "index"], name="slot_device_index")]

    def __str__(self) -> str:
        return f"{self.device} slot {self.index}"
