"""Workloads as a trial process described them, what each host has of them, and the data splits they make."""

from typing import Any

from django.db import models

from tuning.models.fields import JSONTextField
from tuning.models.host import Host


class Workload(models.Model):
    name = models.CharField(max_length=120, unique=True)
    digest = models.CharField(max_length=64, blank=True)
    document = JSONTextField(default=dict)  # the describe entry of the runner
    memory = models.PositiveBigIntegerField(null=True)  # bytes that a device must have to run its trials
    labels: Any = JSONTextField(default=list)  # what a host must offer to run them
    error = models.TextField(blank=True)
    described = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return self.name


class Split(models.Model):
    """Sizes and keyed content hashes of a workload's data; the examples themselves stay on the workers."""

    workload = models.CharField(max_length=120)
    digest = models.CharField(max_length=64)
    sizes = JSONTextField(default=dict)
    artifact = models.CharField(max_length=500, blank=True)  # the keyed hashes, below ARTIFACT_DIR
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workload", "digest"], name="split_workload_digest")]


class Offering(models.Model):
    """What one host has under a workload's name: which code, and which data. Studies are pinned to both."""

    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="offerings")
    workload = models.CharField(max_length=120)
    digest = models.CharField(max_length=64, blank=True)  # of the code; empty: nothing there that works
    data_digest = models.CharField(max_length=64, blank=True)  # of the data; empty: not fingerprinted yet
    data_error = models.TextField(blank=True)  # why they could not be
    described = models.DateTimeField(null=True)  # when the host last looked; NULL where a trial found out
    counted = models.DateTimeField(null=True)  # when it last found out about the data, by a count or by a trial

    class Meta:
        constraints = [
            # also serves claims: what a host has of a study's workload
            models.UniqueConstraint(fields=["host", "workload"], name="offering_host_workload")
        ]
