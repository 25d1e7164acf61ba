"""Advice after a trial's verdict, and what trying it has shown."""

from typing import Any

from rest_framework import serializers

from tuning.api.serializers.strict import Document, Integer, StrictSerializer, Text
from tuning.selectors.advice_tests import PAIRS


class AdviceTrying(StrictSerializer):
    """Which advice to try."""

    action = Text(max_length=40, help_text="Of the trial's verdict, such as more_weight_decay.")
    pairs = Integer(required=False, min_value=2, max_value=20, default=PAIRS, help_text="Seeds, each with and without.")


class AdviceRecordView(serializers.Serializer[Any]):
    """How often advice was tried on this installation, and what came of it."""

    tried = serializers.IntegerField()
    helped = serializers.IntegerField()
    worse = serializers.IntegerField()
    undecided = serializers.IntegerField()


class AdviceTestView(serializers.Serializer[Any]):
    """One test of an advice: pairs of runs on the same seeds."""

    id = serializers.IntegerField(source="test.pk")
    study = serializers.IntegerField(source="test.study_id", allow_null=True, help_text="Whose trials are the runs.")
    pairs = serializers.IntegerField(source="test.pairs")
    done = serializers.IntegerField(source="comparison.n", help_text="Pairs that tell.")
    differences = Document(
        source="comparison.differences",
        help_text='By pair, positive where it was better with the advice; null where a side is missing, "inf" or '
        '"-inf" where one side alone diverged.',
    )
    mean = serializers.FloatField(source="comparison.mean", allow_null=True)
    low = serializers.FloatField(source="comparison.low", allow_null=True, help_text="Of the 95 % t interval.")
    high = serializers.FloatField(source="comparison.high", allow_null=True)
    outcome = serializers.CharField(
        source="comparison.outcome", help_text="helped, worse, or undecided: the interval contains 0. So far."
    )
    says = serializers.CharField()
    ended = serializers.DateTimeField(source="test.ended", allow_null=True)


class TriedAdviceView(serializers.Serializer[Any]):
    """One advice, what trying it costs, and what trying it has shown."""

    action = serializers.CharField(source="advice.action")
    says = serializers.CharField(source="advice.says")
    parameters = serializers.ListField(child=serializers.CharField(), source="advice.parameters")
    change = Document(source="advice.change", help_text="Other values for the trial's configuration.")
    resource = serializers.IntegerField(
        source="advice.resource", allow_null=True, help_text="The step to train to, or to stop at."
    )
    untested = serializers.CharField(allow_blank=True, help_text="Why it cannot be tried by runs; empty where it can.")
    runs = serializers.IntegerField(source="cost.runs", default=None, allow_null=True, help_text="What trying costs.")
    seconds = serializers.FloatField(
        source="cost.seconds", default=None, allow_null=True, help_text="Of device time, by the trial's own."
    )
    record = AdviceRecordView(help_text="Of this advice after this verdict, on the whole installation.")
    follow_up = Document(
        help_text="What a study that searches where the advice points has else than this one: clone it with these."
    )
    test = serializers.SerializerMethodField(help_text="The newest test on this trial; null where there is none.")

    def get_test(self, row: Any) -> "dict[str, Any] | None":
        return None if row.test is None else dict(AdviceTestView(row).data)


class TrialAdviceView(serializers.Serializer[Any]):
    """All advice after a trial's verdict."""

    trial = serializers.IntegerField()
    rule = serializers.CharField(allow_null=True, help_text="The verdict's; null without a pair of curves.")
    advice = TriedAdviceView(many=True)
