"""The budget advisor."""

from typing import Any

from rest_framework import serializers

from tuning.api.serializers.strict import Document, Integer, StrictSerializer, Text


class AdviceQuestion(StrictSerializer):
    """What is to be searched, and what may be spent; of several limits the tightest binds."""

    workload = Text(required=False, allow_blank=True, max_length=120, help_text="Empty: your own scripts.")
    space = Document(required=False, allow_null=True, help_text="Null: the workload's default space.")
    max_resource = Integer(
        required=False,
        allow_null=True,
        min_value=1,
        max_value=10_000_000,
        help_text="The steps of a full training. Null: the workload's.",
    )
    slots = Integer(
        required=False, min_value=1, max_value=10_000, help_text="Trials at once; as many as live slots where left out."
    )
    trials = Integer(
        required=False,
        allow_null=True,
        min_value=1,
        max_value=1_000_000,
        help_text="As much as so many full trainings.",
    )
    device_seconds = Integer(
        required=False, allow_null=True, min_value=1, max_value=1_000_000_000, help_text="Seconds of devices, in all."
    )
    seconds = Integer(
        required=False, allow_null=True, min_value=1, max_value=1_000_000_000, help_text="Seconds from start to end."
    )


class AdvisedMethod(serializers.Serializer[Any]):
    """A method with what it will take."""

    title = serializers.CharField()
    method = Document(help_text="The fields with which a study of it is created.")
    why = serializers.CharField()
    forecast = Document(help_text="trials, steps, rounds, device_seconds, seconds: expected, low and high.")
    affordable = serializers.BooleanField(help_text="False where the budget does not pay for it.")


class Agreement(serializers.Serializer[Any]):
    """How the order of trials at a step agrees with that at their end: Spearman's rank correlation."""

    step = serializers.IntegerField(allow_null=True)
    rho = serializers.FloatField()
    low = serializers.FloatField(help_text="Of its 95 % interval.")
    high = serializers.FloatField()
    n = serializers.IntegerField()


class EarlyOrder(serializers.Serializer[Any]):
    """What an earlier study says about judging trials early."""

    study = serializers.IntegerField(source="study.id")
    n_trials = serializers.IntegerField()
    agreements = Agreement(many=True)


class AdviceAnswer(AdvisedMethod):
    """The advised method, what is kept back to confirm its answer, and what else there is."""

    reserve = Document(help_text="share, top, seeds, trainings, steps, device_seconds, seconds.")
    budget = Document()
    speed = Document(allow_null=True, help_text="Seconds of a step, as the checks measured; null: not known.")
    alternatives = AdvisedMethod(many=True)
    early = EarlyOrder(allow_null=True, help_text="Null: no study of the workload has told yet.")
