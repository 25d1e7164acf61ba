"""Which parameters mattered, as REST shows it."""

from typing import Any

from rest_framework import serializers

from tuning.api.serializers.strict import StrictSerializer
from tuning.api.serializers.surrogates import Values

TARGETS = ["score", "seconds", "stability"]


class ImportanceQuery(StrictSerializer):
    """What is to be explained."""

    target = serializers.ChoiceField(TARGETS, default="score", help_text="The score, the time or the stability.")


class ParameterImportance(serializers.Serializer[Any]):
    """One parameter by one method."""

    parameter = serializers.CharField()
    importance = serializers.FloatField(help_text="fanova: its raw share of the variance.")
    std = serializers.FloatField(allow_null=True, help_text="Spread over the trees, or over repeated shuffles.")
    active = serializers.FloatField(help_text="Share of the trials in which the parameter takes part.")
    within = serializers.FloatField(
        allow_null=True, help_text="fanova, conditional parameters: the share where it takes part."
    )
    sign = serializers.IntegerField(allow_null=True, help_text="correlation: 1 the value rises with it, -1 it falls.")


class PairImportance(serializers.Serializer[Any]):
    """What two parameters do together beyond what each does alone."""

    parameters = serializers.ListField(child=serializers.CharField())
    importance = serializers.FloatField()


class HiddenParameter(serializers.Serializer[Any]):
    """A conditional parameter that too few trials have."""

    parameter = serializers.CharField()
    trials = serializers.IntegerField()


class MarginalCurve(serializers.Serializer[Any]):
    """The mean value along one parameter, all others averaged over the space."""

    parameter = serializers.CharField()
    numeric = serializers.BooleanField()
    log = serializers.BooleanField()
    values = Values()
    mean = serializers.ListField(child=serializers.FloatField())
    std = serializers.ListField(child=serializers.FloatField(), help_text="Spread over the trees.")


class PairMap(serializers.Serializer[Any]):
    """The mean value over two parameters, all others averaged over the space."""

    parameters = serializers.ListField(child=serializers.CharField())
    x = Values()
    y = Values()
    mean = serializers.ListField(
        child=serializers.ListField(child=serializers.FloatField()), help_text="mean[i][j] at x[i] and y[j]."
    )


class MethodImportance(serializers.Serializer[Any]):
    """One method: its question, and its answer or the reason why it has none."""

    method = serializers.ChoiceField(["fanova", "ped_anova", "permutation", "correlation"])
    question = serializers.CharField()
    n = serializers.IntegerField(help_text="The trials that it read.")
    n_adaptive = serializers.IntegerField(help_text="How many of them a sampler chose that learns from results.")
    r2 = serializers.FloatField(allow_null=True, help_text="Out-of-bag R² of the forest.")
    reason = serializers.CharField(allow_blank=True, help_text="Why there are no numbers.")
    parameters = ParameterImportance(many=True)
    pairs = PairImportance(many=True)
    remainder = serializers.FloatField(allow_null=True, help_text="fanova: higher interactions and noise.")
    hidden = HiddenParameter(many=True)
    curves = MarginalCurve(many=True)
    maps = PairMap(many=True, help_text="fanova: of the strongest pairs.")


class ImportanceView(serializers.Serializer[Any]):
    """What mattered in a study at one moment."""

    study = serializers.IntegerField()
    target = serializers.ChoiceField(TARGETS)
    ready = serializers.BooleanField(help_text="False while it is being computed for the first time.")
    history_version = serializers.IntegerField()
    n_complete = serializers.IntegerField(help_text="Complete trials by now.")
    basis = serializers.CharField(allow_blank=True, help_text="What was measured of each trial.")
    n_trials = serializers.IntegerField(help_text="The trials that it rests on.")
    n_left_out = serializers.IntegerField(help_text="Ended trials that do not count: pruned, failed, or no value.")
    n_adaptive = serializers.IntegerField(help_text="Trials of these that a sampler chose which learns from results.")
    adaptive = serializers.BooleanField(help_text="Whether shares may be biased towards where the sampler searched.")
    problem = serializers.CharField(allow_blank=True)
    methods = MethodImportance(many=True)
