"""What other schedulers would have made of a study's trials: how it is shown."""

from typing import Any

from rest_framework import serializers

from tuning.api.serializers.strict import Document


class RecordedTrialView(serializers.Serializer[Any]):
    """A trial and its objective value."""

    number = serializers.IntegerField()
    value = serializers.FloatField()


class RecordView(serializers.Serializer[Any]):
    """What the study has recorded."""

    trials = serializers.IntegerField(help_text="The trials that are replayed.")
    left_out = serializers.IntegerField(help_text="Trials that were cancelled, lost with their host, or retried.")
    steps = serializers.IntegerField(help_text="The steps of all of them; resumed trials count once.")
    seconds = serializers.FloatField(
        allow_null=True, help_text="With so many workers, by the recorded time of a step; null where none is known."
    )
    workers = serializers.IntegerField()
    winner = RecordedTrialView()


class GapView(serializers.Serializer[Any]):
    """Where the record ends and the scheduler went on."""

    trial = serializers.IntegerField()
    step = serializers.IntegerField(help_text="The last step that is recorded of it.")
    wanted = serializers.IntegerField(help_text="The step that it was to run to.")


class AlternativeView(serializers.Serializer[Any]):
    """A scheduler with its settings, as a study takes them, and what the record comes to with it."""

    scheduler = serializers.CharField()
    scheduler_options = Document()
    min_resource = serializers.IntegerField()
    max_resource = serializers.IntegerField()
    reduction_factor = serializers.IntegerField()
    steps = serializers.IntegerField(allow_null=True)
    share = serializers.FloatField(allow_null=True, help_text="Of the recorded steps, 0 to 1.")
    seconds = serializers.FloatField(allow_null=True)
    winner_kept = serializers.BooleanField(allow_null=True, help_text="Null where the record does not tell.")
    winner_cut_at = serializers.IntegerField(
        allow_null=True, help_text="The step after which the recorded winner was cut; 0 where it was never started."
    )
    best = RecordedTrialView(allow_null=True, help_text="What the replay ends with.")
    regret = serializers.FloatField(allow_null=True, help_text="By how much that is worse than the recorded winner.")
    gap = GapView(
        allow_null=True,
        help_text="Not null where some trial would have been trained further than it was: then nothing is claimed.",
    )


class WhatIfView(serializers.Serializer[Any]):
    """The recorded curves of a study through other schedulers."""

    study = serializers.IntegerField()
    history_version = serializers.IntegerField()
    problem = serializers.CharField(allow_blank=True, help_text="Why there is nothing to replay, in a sentence.")
    record = RecordView(allow_null=True)
    alternatives = AlternativeView(
        many=True, help_text="First those that keep the winner, by their steps; last those that cannot be told."
    )
