"""The final look at the test set."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from tuning.api.serializers.lint import FindingView
from tuning.api.serializers.strict import Choice, Document, Integer, MetricValue, StrictSerializer, Text
from tuning.selectors.reveals import LONGEST_REASON, MOST_SEEDS, findings_of, scores_of

RETRAIN = ["train", "train+validation"]


class Finalisation(StrictSerializer):
    """What is to be sealed and measured."""

    trial = Integer(
        required=False,
        allow_null=True,
        min_value=0,
        help_text="The number of the configuration's trial; null: the best.",
    )
    seeds = Integer(
        required=False,
        allow_null=True,
        min_value=1,
        max_value=MOST_SEEDS,
        help_text="How many fresh trainings, 3 by default. Not for functions, programs and scripts.",
    )
    retrain = Choice(
        RETRAIN,
        required=False,
        help_text="What they train on, train by default; with train+validation to the best step of the trial. Not for "
        "functions, programs and scripts.",
    )
    reason = Text(
        required=False,
        allow_blank=True,
        max_length=LONGEST_REASON,
        help_text="Why a test set that was looked at before is looked at again; it is kept.",
    )


class SealedChoiceView(serializers.Serializer[Any]):
    """A choice, written down before anything is measured."""

    id = serializers.IntegerField()
    trial = serializers.IntegerField(source="trial.number")
    sealed_by = serializers.CharField(source="actor_name")
    created = serializers.DateTimeField()
    params = Document()
    params_digest = serializers.CharField(help_text="sha256 of the configuration.")
    retrain = serializers.ChoiceField([*RETRAIN, "none"])
    seeds = serializers.ListField(child=serializers.IntegerField())
    epochs = serializers.IntegerField(allow_null=True, help_text="Of each training; null where nothing is trained.")
    validation = serializers.DictField(
        child=MetricValue(), help_text="What chose it: the trial's scores at the step of its value."
    )
    workload = serializers.CharField(allow_blank=True)
    workload_digest = serializers.CharField(allow_blank=True)
    data_digest = serializers.CharField(allow_blank=True)
    version = serializers.CharField(allow_blank=True, help_text="The commit of hpweb, where it is known.")
    n_trials = serializers.IntegerField(help_text="Trials that had ended in the study.")
    n_trials_all = serializers.IntegerField(help_text="And in all studies that share its test set.")
    looks_before = serializers.IntegerField(help_text="Looks at the test set before this choice, by any study.")
    reason = serializers.CharField(allow_blank=True)


class TestScore(serializers.Serializer[Any]):
    """One score on the test set; what cannot be said is null."""

    name = serializers.CharField()
    goal = serializers.CharField(allow_blank=True, help_text="minimize, maximize, or empty where nobody has said.")
    test = serializers.ListField(child=MetricValue(), help_text="One a seed that did not diverge.")
    validation = serializers.ListField(child=MetricValue(), help_text="One a seed; empty where it was trained on.")
    mean = MetricValue(allow_null=True)
    error = MetricValue(allow_null=True, help_text="The standard error of the mean: over seeds and test examples.")
    low = MetricValue(allow_null=True, help_text="The 95 % interval of the mean.")
    high = MetricValue(allow_null=True)
    chosen = MetricValue(allow_null=True, help_text="The validation score that chose the configuration.")
    optimism = MetricValue(allow_null=True, help_text="By how much the test is worse than that.")
    optimism_error = MetricValue(allow_null=True)
    worse = serializers.BooleanField(help_text="Whether it is worse by more than two standard errors.")


class RevealView(serializers.Serializer[Any]):
    """What a sealed choice scored on the test set; kept for ever."""

    id = serializers.IntegerField()
    at = serializers.DateTimeField()
    choice = SealedChoiceView(source="seal")
    looks_before = serializers.IntegerField(help_text="The test set was reused so many times.")
    test_digest = serializers.CharField(allow_blank=True, help_text="Of the test examples, by a key of this server.")
    scores = serializers.SerializerMethodField()
    findings = serializers.SerializerMethodField(help_text="TEST-REUSED, SEED-DIVERGED, TEST-WORSE.")
    result = Document(help_text="As it was measured: scores by seed, errors for want of examples, sizes, device.")

    @extend_schema_field(TestScore(many=True))
    def get_scores(self, reveal: Any) -> list[dict[str, Any]]:
        return [dict(row) for row in TestScore(scores_of(reveal), many=True).data]

    @extend_schema_field(FindingView(many=True))
    def get_findings(self, reveal: Any) -> list[dict[str, Any]]:
        return [dict(row) for row in FindingView(findings_of(reveal, scores_of(reveal)), many=True).data]


class FinalStanding(serializers.Serializer[Any]):
    """How a study stands before its test set."""

    state = serializers.ChoiceField(
        ["none", "waits", "runs", "broken", "revealed"], help_text="Of the newest sealed choice; broken: run it again."
    )
    choice = SealedChoiceView(source="seal", allow_null=True)
    looks = serializers.IntegerField(help_text="At the test set by any study, those under way among them.")
    hindrance = serializers.CharField(allow_blank=True, help_text="Why nothing can be sealed now.")
    error = serializers.CharField(allow_blank=True, help_text="Why a broken one has no result.")


class Reveals(serializers.Serializer[Any]):
    """Every look of the study, the newest first."""

    reveals = RevealView(many=True)
