"""Learning-rate tests: how one is asked for, and what it found."""

from typing import Any

from rest_framework import serializers

from tuning.api.serializers.jobs import STATES
from tuning.api.serializers.strict import Document, Integer, Number, StrictSerializer
from tuning.selectors.lr_ranges import HIGH, LOW, STEPS


class LRRangeRequest(StrictSerializer):
    """A learning-rate test; every field may be left out."""

    params = Document(required=False, help_text="Values in place of those in the middle of the search space.")
    low = Number(required=False, help_text=f"The first learning rate, {LOW:g} where nothing is said.")
    high = Number(required=False, help_text=f"The last one, {HIGH:g} where nothing is said; at least ten times that.")
    steps = Integer(required=False, help_text=f"Training steps of each curve, 20 to 1,000; {STEPS} is usual.")
    seed = Integer(required=False, min_value=0, help_text="Of weights, batches and dropout; the same for all curves.")
    overlay = Document(
        required=False, help_text='One parameter with 2 to 6 values, each a curve: {"batch_size": [16, 64, 256]}.'
    )
    study = Integer(required=False, help_text="A study of this workload, whose search space is then taken.")


class LRCurveView(serializers.Serializer[Any]):
    """One configuration's test."""

    # DRF's fields have a label of their own, which a declared field of that name does not touch
    label = serializers.CharField(  # type: ignore[assignment]
        allow_blank=True, help_text="Which value is laid over, such as batch_size 64."
    )
    params = Document()
    lrs = serializers.ListField(child=serializers.FloatField())
    losses = serializers.ListField(child=serializers.FloatField(), help_text="Of the batch before the step.")
    smoothed = serializers.ListField(child=serializers.FloatField())
    bracket = serializers.ListField(
        child=serializers.FloatField(),
        allow_null=True,
        help_text="From where the loss begins to fall to where it falls fastest; null where `reason` says why not.",
    )
    reason = serializers.CharField(allow_blank=True)
    note = serializers.CharField(allow_blank=True)
    lowest = serializers.FloatField(allow_null=True, help_text="The learning rate at the least smoothed loss.")
    ended = serializers.CharField(help_text='"at the end", "diverged", "not finite" or "stopped".')
    seconds = serializers.FloatField()


class LRRangeView(serializers.Serializer[Any]):
    """A test: its job, what was asked for, and the curves once it is complete."""

    id = serializers.IntegerField(source="job.id", help_text="Of the job, which jobs/{id}/cancel/ ends.")
    workload = serializers.CharField(source="job.args.workload")
    state = serializers.ChoiceField(source="job.state", choices=STATES)
    error = serializers.CharField(source="job.error", allow_blank=True)
    parameter = serializers.CharField(source="job.args.parameter", allow_null=True, help_text="What was tested.")
    low = serializers.FloatField(source="job.args.low")
    high = serializers.FloatField(source="job.args.high")
    steps = serializers.IntegerField(source="job.args.steps")
    seed = serializers.IntegerField(source="job.args.seed")
    created = serializers.DateTimeField(source="job.created")
    completed = serializers.DateTimeField(source="job.completed", allow_null=True)
    curves = LRCurveView(many=True)


class LRRangeList(serializers.Serializer[Any]):
    """The caller's tests of a workload, the newest first; 20 at most."""

    results = LRRangeView(many=True)
