"""What an export holds."""

from typing import Any

from rest_framework import serializers

from tuning.api.serializers.strict import Document, MetricValue, StrictSerializer


class ExportQuery(StrictSerializer):
    """Which file."""

    format = serializers.ChoiceField(["json", "yaml", "csv"], default="json")


class BestConfiguration(serializers.Serializer[Any]):
    """All that is needed to train the best configuration again."""

    study = serializers.CharField()
    study_id = serializers.IntegerField()
    trial = serializers.IntegerField(help_text="Its number in the study.")
    metric = serializers.CharField()
    direction = serializers.ChoiceField(["minimize", "maximize"])
    objective = serializers.ChoiceField(["best", "last"])
    value = MetricValue()
    step = serializers.IntegerField(allow_null=True)
    params = Document()
    seed = serializers.IntegerField()
    epochs = serializers.IntegerField(allow_null=True)
    workload = serializers.CharField(allow_blank=True)
    workload_digest = serializers.CharField(allow_blank=True)
    environment = Document()
