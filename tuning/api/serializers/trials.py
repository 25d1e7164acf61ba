"""Trials and their curves, as they are shown, and how lists of them are asked for."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from tuning.api.serializers.diagnostics import VerdictView
from tuning.api.serializers.strict import Document, MetricValue, StrictSerializer, finite_json
from tuning.selectors.diagnostics import trial_verdict

STATES = ("WAITING", "RUNNING", "PAUSED", "COMPLETE", "PRUNED", "FAILED")
REASONS = ("diverged", "out_of_memory", "code_error", "deadline", "cancelled", "lost_host", "disk_full")
ORDERINGS = ("value", "-value", "number", "-number")


class TrialQuery(StrictSerializer):
    """Which trials, in which order, from where."""

    state = serializers.MultipleChoiceField(choices=STATES, required=False, help_text="May be given several times.")
    ordering = serializers.ChoiceField(
        ORDERINGS,
        default="number",
        help_text="value: the best first, whatever the direction; trials without a value come last.",
    )
    cursor = serializers.CharField(
        required=False, allow_blank=True, max_length=500, help_text="`next_cursor` of the page before."
    )
    limit = serializers.IntegerField(default=50, min_value=1, max_value=500)


class LeaderboardQuery(StrictSerializer):
    """How many of the best."""

    limit = serializers.IntegerField(default=20, min_value=1, max_value=500)


class Exclusion(serializers.Serializer[Any]):
    """Why a trial counts no longer for the best, the leaderboard, the charts and the sampler."""

    at = serializers.DateTimeField(source="excluded_at")
    by = serializers.CharField(source="excluded_by")
    reason = serializers.CharField(source="excluded_reason")


class TrialRow(serializers.Serializer[Any]):
    """A trial in a list."""

    id = serializers.IntegerField()
    number = serializers.IntegerField()
    state = serializers.ChoiceField(STATES)
    params = Document()
    value = serializers.SerializerMethodField()
    value_step = serializers.IntegerField(allow_null=True, help_text="The step that the value comes from.")
    reason_code = serializers.ChoiceField(REASONS, allow_blank=True)
    reason = serializers.CharField(allow_blank=True)
    infeasible = serializers.BooleanField(help_text="A constraint was above 0, such as a limit on the model; no value.")
    resource = serializers.IntegerField(allow_null=True, help_text="The step that the trial is to reach.")
    resource_done = serializers.IntegerField()
    origin = serializers.CharField()
    excluded = serializers.SerializerMethodField(help_text="Null where the trial counts.")
    created = serializers.DateTimeField()
    started = serializers.DateTimeField(allow_null=True)
    completed = serializers.DateTimeField(allow_null=True)

    def get_value(self, trial: Any) -> float | str | None:
        """The objective value; "nan", "inf" or "-inf" where it is not finite."""
        return trial.value if trial.value is not None else trial.value_kind or None

    @extend_schema_field(Exclusion(allow_null=True))
    def get_excluded(self, trial: Any) -> Any:
        return Exclusion(trial).data if trial.is_excluded else None


class RankedTrial(TrialRow):
    """A trial on the leaderboard."""

    rank = serializers.IntegerField()


class Leaderboard(serializers.Serializer[Any]):
    """The best complete trials, best first."""

    results = RankedTrial(many=True)


class TrialPage(serializers.Serializer[Any]):
    """One page of a study's trials."""

    results = TrialRow(many=True, source="rows")
    next_cursor = serializers.CharField(allow_blank=True, help_text="Empty on the last page.")


class TrialDetail(TrialRow):
    """A trial with why it was proposed and what came of it."""

    study = serializers.IntegerField(source="study_id")
    metric = serializers.CharField(source="study.metric")
    direction = serializers.ChoiceField(["minimize", "maximize"], source="study.direction")
    why = serializers.CharField(allow_blank=True)
    sampler_used = serializers.CharField(allow_blank=True)
    fixed_params = Document(allow_null=True)
    constraints = serializers.SerializerMethodField()
    clone_of = serializers.IntegerField(
        source="clone_of_id", allow_null=True, help_text="The failed trial that this one tries again."
    )
    seed = serializers.IntegerField()
    retries = serializers.IntegerField()
    run_seconds = serializers.FloatField(help_text="How long its earlier runs lasted, without the present one.")
    deadline = serializers.DateTimeField(allow_null=True, help_text="When the present run must be over.")
    traceback = serializers.CharField(allow_blank=True)
    facts = Document(
        help_text="From the trial process: device, number of model parameters, peak memory; with limits, its footprint."
    )
    verdict = serializers.SerializerMethodField()

    def get_constraints(self, trial: Any) -> list[float | str] | None:
        """What `tell` said about constraints, or what the model has above each limit of the study, as a share of it, in
        the order parameters, memory, flops; above 0 is infeasible."""
        return finite_json(trial.constraints) if trial.constraints is not None else None

    @extend_schema_field(VerdictView(allow_null=True))
    def get_verdict(self, trial: Any) -> Any:
        """What its learning curves say; null where it has no pair of training and validation losses."""
        verdict = trial_verdict(trial)
        return None if verdict is None else VerdictView(verdict).data


class CurveRow(serializers.Serializer[Any]):
    """One metric of one trial; the lists have one length."""

    steps = serializers.ListField(child=serializers.IntegerField())
    values = serializers.ListField(child=MetricValue())
    wall_times = serializers.ListField(child=serializers.FloatField(), help_text="Unix times in seconds.")


class Curves(serializers.Serializer[Any]):
    """Every metric of a trial by name."""

    trial = serializers.IntegerField()
    curves = serializers.DictField(child=CurveRow())
