"""What the lint says of a search space: how it is asked and shown."""

from typing import Any

from rest_framework import serializers

from tuning.api.serializers.strict import Document, Integer, StrictSerializer, Text
from tuning.api.serializers.studies import SPACE_HELP


class LintRequest(StrictSerializer):
    """A search space, and of the study that it is for as much as is known; the fields of POST studies/."""

    space = Document(help_text=SPACE_HELP)
    n_trials = Integer(required=False, allow_null=True, min_value=1, help_text="For the rules about budgets.")
    sampler = Text(required=False, max_length=40, help_text="A name from samplers/, for the rules about grids.")
    scheduler = Text(required=False, max_length=40, help_text="A name from schedulers/, for the rule about epochs.")
    metric = Text(required=False, allow_blank=True, max_length=120)


class FindingView(serializers.Serializer[Any]):
    """What a rule found."""

    rule = serializers.CharField(help_text="Its stable name, such as LOG-LR.")
    severity = serializers.ChoiceField(["info", "warning", "error"], help_text="None of them forbids anything.")
    message = serializers.CharField()
    evidence = Document()
    fix = Document(allow_null=True, help_text="The parameter's new entry in the space; null where a person decides.")
    parameter = serializers.CharField(allow_null=True, help_text="Null where it is about the whole.")


class LintView(serializers.Serializer[Any]):
    """All findings."""

    findings = FindingView(many=True)
