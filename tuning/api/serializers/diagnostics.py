"""Verdicts on learning curves, as they are shown."""

from typing import Any

from rest_framework import serializers

from tuning.api.serializers.advice_tests import AdviceRecordView
from tuning.api.serializers.strict import Document


class AdviceView(serializers.Serializer[Any]):
    """One change to try next."""

    action = serializers.CharField(help_text="Its stable name, such as lower_learning_rate.")
    says = serializers.CharField()
    parameters = serializers.ListField(
        child=serializers.CharField(), help_text="The study's own parameters that it moves."
    )
    change = Document(help_text="Other values for the trial's parameters; empty where it takes more than that.")


class VerdictView(serializers.Serializer[Any]):
    """What a trial's learning curves say."""

    rule = serializers.CharField(
        help_text="diverged, train_rises, spikes, underfit, overfit_turning, overfit, noise, plateau, negative_gap, "
        "healthy, or unclear: the first of these that holds."
    )
    title = serializers.CharField()
    epoch = serializers.IntegerField(allow_null=True, help_text="Where it happened, such as the turn; else null.")
    says = serializers.CharField()
    evidence = Document(help_text="The numbers that it rests on.")
    also = serializers.ListField(child=serializers.CharField(), help_text="Other rules that hold as well.")
    advice = AdviceView(many=True)


class DiagnosisView(serializers.Serializer[Any]):
    """A trial and its verdict."""

    trial = serializers.IntegerField(source="trial_id")
    number = serializers.IntegerField()
    value = serializers.FloatField(allow_null=True)
    gap = serializers.FloatField(allow_null=True, help_text="Validation loss less training loss, at the end.")
    verdict = VerdictView()


class CorrelationView(serializers.Serializer[Any]):
    """A partial rank correlation with its 95 % interval."""

    value = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()


class RegulariserView(serializers.Serializer[Any]):
    """What goes with more of a regulariser."""

    parameter = serializers.CharField()
    role = serializers.CharField()
    trials = serializers.IntegerField()
    gap = CorrelationView(help_text="With the gap.")
    worse = CorrelationView(help_text="With a worse score, whichever way that is.")
    closes = serializers.BooleanField()
    hurts = serializers.BooleanField()
    says = serializers.CharField()


class SizeView(serializers.Serializer[Any]):
    """The best strength of a regulariser at one size."""

    sizes = serializers.DictField(
        child=serializers.FloatField(), help_text="By axis: parameters of the model, examples to learn from."
    )
    trials = serializers.IntegerField()
    best = serializers.FloatField()
    low = serializers.FloatField(help_text="Of its 95 % bootstrap interval.")
    high = serializers.FloatField()
    edge = serializers.CharField(
        allow_blank=True, help_text="low or high where it lies at that end of what was searched, else empty."
    )
    told = serializers.BooleanField(help_text="Whether the strength makes a difference here beyond chance.")


class SlopeView(serializers.Serializer[Any]):
    """By how much the best strength moves for a factor of ten along an axis."""

    axis = serializers.CharField()
    value = serializers.FloatField(help_text="In decades; of a dropout rate in shares of the units.")
    low = serializers.FloatField(help_text="Of its 95 % bootstrap interval.")
    high = serializers.FloatField()
    claimed = serializers.BooleanField(help_text="Whether the interval leaves zero out.")


class StrengthView(serializers.Serializer[Any]):
    """Whether the best strength of a regulariser moves with the model or the training set."""

    parameter = serializers.CharField()
    role = serializers.CharField()
    unit = serializers.CharField(help_text="What its values are, such as a decoupled weight decay.")
    trials = serializers.IntegerField()
    says = serializers.CharField(help_text="What is claimed with its interval, or why nothing is.")
    scale = serializers.CharField(source="found.scale", help_text="log or linear.")
    sizes = SizeView(many=True, source="found.sizes")
    slopes = SlopeView(many=True, source="found.slopes")


class StudyDiagnosticsView(serializers.Serializer[Any]):
    """The verdicts on a study's trials."""

    study = serializers.IntegerField()
    ready = serializers.BooleanField(help_text="False while workers look: ask again.")
    history_version = serializers.IntegerField()
    problem = serializers.CharField(allow_blank=True, help_text="Why there are no verdicts, in a sentence.")
    counts = serializers.DictField(child=serializers.IntegerField(), help_text="How many trials have which verdict.")
    cut = serializers.IntegerField(help_text="Trials that were pruned before they could tell; they are left out.")
    pending = serializers.IntegerField(help_text="Trials that have ended since the workers looked.")
    base = serializers.FloatField(allow_null=True, help_text="The loss of knowing nothing; null where not measured.")
    regularisers = RegulariserView(many=True)
    records = serializers.DictField(
        child=AdviceRecordView(), help_text="By verdict: how often advice after it was tried here, and what came of it."
    )
    strengths = StrengthView(many=True)
    trials = DiagnosisView(many=True)
