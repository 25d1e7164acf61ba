"""What another hour of a study promises, as scripts read it."""

from typing import Any

from rest_framework import serializers

from tuning.api.serializers.lint import FindingView


class WorthView(serializers.Serializer[Any]):
    """What the latest look says of the next hour of device time; numbers are null where they are not known."""

    study = serializers.IntegerField()
    looked = serializers.DateTimeField(allow_null=True, help_text="Null before the first look.")
    trials = serializers.IntegerField(allow_null=True, help_text="Complete trials that it rests on.")
    hour = serializers.IntegerField(allow_null=True, help_text="Trials that an hour of device time pays.")
    gain = serializers.FloatField(
        allow_null=True, help_text="By how much they better the best true value, on average; never below 0."
    )
    low = serializers.FloatField(allow_null=True, help_text="The gain is above this with 95 %.")
    high = serializers.FloatField(allow_null=True, help_text="The gain is below this with 95 %.")
    method = serializers.CharField(allow_blank=True, help_text="model or records (the values alone).")
    noise = serializers.FloatField(
        allow_null=True, help_text="The standard deviation that a seed gives a configuration near the best."
    )
    noise_of = serializers.CharField(allow_blank=True, help_text="model or repeats (configurations that ran twice).")
    problem = serializers.CharField(allow_blank=True, help_text="What is missing where it cannot be judged.")
    not_worth = serializers.BooleanField(
        help_text="Whether another hour is said not to be worth it; two looks in a row have to agree on it."
    )
    findings = FindingView(many=True, help_text="WORTH, while the study runs and that is said.")
