"""Trials that a script runs: asking, suggesting, reporting, telling."""

from typing import Any

from django.conf import settings
from rest_framework import serializers

from tuning.api.serializers.strict import Choice, Document, Integer, MetricValue, StrictSerializer, Text

LARGEST_STEP = 2**31 - 1
ASK_LIMIT = 100
ENDINGS = ("complete", "failed", "pruned")


class Lease(Text):
    """The token that came with the trial."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("max_length", 200)
        options.setdefault("help_text", "The lease token that `ask` gave.")
        super().__init__(**options)


class AskRequest(StrictSerializer):
    """How many trials to take."""

    n = Integer(default=1, min_value=1, max_value=ASK_LIMIT)


class EnqueueRequest(StrictSerializer):
    """A configuration to try."""

    params = Document(help_text="Values by parameter; those left out are sampled.")


class SuggestRequest(StrictSerializer):
    """One parameter that the study's space does not have."""

    lease = Lease()
    name = Text(max_length=120)
    distribution = Document(help_text='As in a search space: {"type": "float", "low": 0.0, "high": 1.0}.')


class ReportRequest(StrictSerializer):
    """What one step measured."""

    lease = Lease()
    step = Integer(min_value=0, max_value=LARGEST_STEP, help_text="Counts from 1; epochs, mostly.")
    metrics = serializers.DictField(
        child=MetricValue(),
        allow_empty=False,
        help_text='Values by metric, such as {"train/loss": 0.31, "validation/loss": "nan"}.',
    )


class HeartbeatRequest(StrictSerializer):
    """Which lease to renew."""

    lease = Lease()


class TellRequest(StrictSerializer):
    """How the trial ended: with a value; with a state; with neither, by the metric that it reported."""

    lease = Lease()
    value = MetricValue(required=False, allow_null=True)
    state = Choice(ENDINGS, required=False, allow_null=True)
    reason = Text(
        required=False,
        allow_blank=True,
        max_length=2_000,
        help_text=(
            "diverged, out_of_memory, code_error and deadline teach the sampler; other words are kept as they are."
        ),
    )
    constraints = serializers.ListField(
        child=MetricValue(),
        required=False,
        max_length=100,
        help_text="A value above 0 makes the trial infeasible.",
    )


class AskedTrial(serializers.Serializer[Any]):
    """A trial to run in the caller's own process."""

    id = serializers.IntegerField(source="trial.id")
    number = serializers.IntegerField(source="trial.number")
    params = Document(source="trial.params")
    resource = serializers.IntegerField(allow_null=True, help_text="The step to reach.")
    resume_step = serializers.IntegerField(source="trial.resource_done", help_text="Steps up to here are done.")
    seed = serializers.IntegerField(source="trial.seed")
    why = serializers.CharField(source="trial.why", allow_blank=True)
    deadline = serializers.DateTimeField(
        source="trial.deadline", allow_null=True, help_text="After it the trial has failed and its calls get a 409."
    )
    lease = serializers.CharField(help_text="Shown this once.")
    lease_seconds = serializers.SerializerMethodField(
        help_text="A report or heartbeat must come within this time.",
    )

    def get_lease_seconds(self, _asked: Any) -> float:
        """How long the lease holds."""
        return float(settings.LEASE_SECONDS)


class AskedTrials(serializers.Serializer[Any]):
    """Up to as many trials as were asked for; none where the study has nothing to give now."""

    trials = AskedTrial(many=True)


class Suggestion(serializers.Serializer[Any]):
    """The parameter's value in this trial."""

    value = serializers.JSONField()


class Decision(serializers.Serializer[Any]):
    """What to do after a report."""

    decision = serializers.ChoiceField(["continue", "pause", "stop"])
