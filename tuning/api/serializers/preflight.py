"""The checks before tuning."""

from typing import Any

from rest_framework import serializers

from tuning.api.serializers.strict import Document


class Check(serializers.Serializer[Any]):
    """One check, as the panel shows it."""

    rule = serializers.CharField(help_text="Its stable name, such as INIT-LOSS.")
    title = serializers.CharField()
    status = serializers.ChoiceField(["passed", "info", "warning", "failed", "skipped"])
    says = serializers.CharField(allow_blank=True, help_text="What was measured.")
    means = serializers.CharField(allow_blank=True, default="")
    todo = serializers.CharField(allow_blank=True, default="", help_text="What to do.")
    evidence = Document(default=dict)
    seconds = serializers.FloatField(default=0.0)


class PreflightState(serializers.Serializer[Any]):
    """A preflight: the checks that have ended so far, and its verdict."""

    id = serializers.IntegerField()
    workload = serializers.CharField()
    digest = serializers.CharField(allow_blank=True, help_text="Of the code that was checked.")
    data_digest = serializers.CharField(allow_blank=True)
    state = serializers.ChoiceField(
        ["OPEN", "PASSED", "FAILED", "BROKEN"], help_text="BROKEN: it could not run to its end; see `error`."
    )
    checks = Check(many=True)
    facts = Document(help_text="seconds_per_epoch, parameters, seconds, device.")
    error = serializers.CharField(allow_blank=True)
    created = serializers.DateTimeField()
    completed = serializers.DateTimeField(allow_null=True)


class NewestPreflight(serializers.Serializer[Any]):
    """The newest of a workload's present code; null where there is none."""

    preflight = PreflightState(allow_null=True)
