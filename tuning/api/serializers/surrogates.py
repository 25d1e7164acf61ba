"""The model of a study: how a cut through it is asked for, and how it is shown."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from tuning.api.serializers.strict import Document, StrictSerializer, finite_json


class SurrogateQuery(StrictSerializer):
    """Which cut through the model."""

    x = serializers.CharField(
        required=False, max_length=200, help_text="A parameter; left out: the one that moves the value most."
    )
    y = serializers.CharField(required=False, max_length=200, help_text="A second parameter, for a map.")
    at = serializers.CharField(
        default="best",
        max_length=20,
        help_text='What all other parameters are held at: the number of a trial, "best" or "next".',
    )


@extend_schema_field({"type": "array", "items": {}})
class Values(serializers.Field[Any, Any, Any, Any]):
    """Values of a parameter, of any JSON type."""

    def to_representation(self, value: Any) -> Any:
        return finite_json(value)


class Numbers(serializers.ListField):
    """One number for each point; null where a parameter of the cut takes no part."""

    child = serializers.FloatField(allow_null=True)


class Grid(serializers.Serializer[Any]):
    """The points of the cut in columns of one length, as for a data frame: a row a point."""

    x = Values()
    y = Values(allow_null=True)
    mean = Numbers(help_text="What the model expects (the median, in the objective's own scale).")
    sd = Numbers(help_text="Its standard deviation; half of the central 68 %.")
    low = Numbers(help_text="Lower end of the 95 % band of the mean.")
    high = Numbers()
    trial_low = Numbers(help_text="Lower end of the 95 % band of a trial's value, noise included.")
    trial_high = Numbers()
    acquisition = Numbers(help_text="Larger is better; ei and pi as natural logarithms.")


class Held(serializers.Serializer[Any]):
    """The configuration that the cut goes through."""

    trial = serializers.IntegerField(help_text="Its number; for at=next the number that the trial would get.")
    params = Document()


class ModelParameter(serializers.Serializer[Any]):
    """A parameter of the model."""

    name = serializers.CharField()
    effect = serializers.FloatField(
        help_text="Standard deviation of the expectation along it, in standard deviations of all values."
    )
    length_scale = serializers.FloatField(
        allow_null=True, help_text="In widths of its range; null for a categorical one."
    )


class ModelQuality(serializers.Serializer[Any]):
    """Every complete trial predicted by the model of the others."""

    n = serializers.IntegerField()
    rank_correlation = serializers.FloatField(allow_null=True)
    coverage = serializers.FloatField(allow_null=True, help_text="Share of the trials inside their 95 % band.")
    verdict = serializers.ChoiceField(["good", "fair", "poor", "unclear"])


class SurrogateCut(serializers.Serializer[Any]):
    """The model and one cut through it."""

    n_model = serializers.IntegerField(help_text="The trials in the model; of very many, some stand for all.")
    acquisition = serializers.ChoiceField(["ei", "pi", "ucb"])
    parameters = ModelParameter(many=True)
    quality = ModelQuality()
    x = serializers.CharField()
    y = serializers.CharField(allow_null=True)
    held = Held()
    grid = Grid()


class NextSuggestion(serializers.Serializer[Any]):
    """What the study's sampler would suggest now; nothing is created."""

    number = serializers.IntegerField()
    params = Document()
    why = serializers.CharField(allow_blank=True)
    problem = serializers.CharField(allow_blank=True, help_text="Why nothing can be suggested.")
    uses_model = serializers.BooleanField(help_text="Whether the sampler chooses by this model.")
    mean = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True, help_text="Lower end of the 95 % band of the trial's value.")
    high = serializers.FloatField(allow_null=True)


class SurrogateView(serializers.Serializer[Any]):
    """The model of a study at one moment."""

    study = serializers.IntegerField()
    history_version = serializers.IntegerField()
    n_finished = serializers.IntegerField()
    problem = serializers.CharField(allow_blank=True, help_text="Why there is no model, in a sentence.")
    model = SurrogateCut(allow_null=True)
    next = NextSuggestion(allow_null=True)
