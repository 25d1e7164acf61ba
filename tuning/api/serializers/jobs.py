"""Jobs: what the workers do besides trials."""

from typing import Any

from rest_framework import serializers

STATES = ["WAITING", "RUNNING", "COMPLETE", "FAILED"]


class JobState(serializers.Serializer[Any]):
    """Work that is no trial, such as looking for workloads or counting data."""

    id = serializers.IntegerField(source="job.id")
    kind = serializers.CharField(source="job.kind")
    title = serializers.CharField(help_text="What it does, in words.")
    state = serializers.ChoiceField(source="job.state", choices=STATES)
    host = serializers.CharField(allow_blank=True, help_text="Which runs it, or alone may; empty where any may.")
    requested_by = serializers.CharField(
        source="job.requested_by.username", default=None, allow_null=True, help_text="Null where hpweb itself asked."
    )
    created = serializers.DateTimeField(source="job.created")
    started = serializers.DateTimeField(source="job.started", allow_null=True)
    deadline = serializers.DateTimeField(source="job.deadline", allow_null=True, help_text="While it runs.")
    completed = serializers.DateTimeField(source="job.completed", allow_null=True)
    retries = serializers.IntegerField(source="job.retries", help_text="How often its worker was lost.")
    error = serializers.CharField(allow_blank=True, help_text="Why it failed.")
    may_cancel = serializers.BooleanField(help_text="Whether it is open and the caller may end it.")


class JobList(serializers.Serializer[Any]):
    """Those that run first, then those that wait, then the newest that have ended; 50 at most."""

    results = JobState(many=True)
