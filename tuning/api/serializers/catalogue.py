"""What there is to choose from and where it runs: workloads, samplers, schedulers, workers."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from tuning.api.serializers.strict import Document, StrictSerializer


class WorkloadRow(serializers.Serializer[Any]):
    """A training problem as the workers described it."""

    name = serializers.CharField()
    digest = serializers.CharField(allow_blank=True)
    document = Document(
        help_text="title, doc, space, metric, direction, metrics, max_resource, resource_unit, kind, memory, labels.",
    )
    error = serializers.CharField(allow_blank=True, help_text="Why it cannot be used.")
    described = serializers.DateTimeField()


class WorkloadList(serializers.Serializer[Any]):
    """All workloads, usable ones first."""

    results = WorkloadRow(many=True)


class TemplateQuery(StrictSerializer):
    """What the regularisation is to follow."""

    workload = serializers.CharField(
        required=False, allow_blank=True, max_length=120, help_text="Whose examples to learn from count."
    )
    parameters = serializers.IntegerField(required=False, min_value=1, help_text="That the model may have.")


class SpaceTemplate(serializers.Serializer[Any]):
    """A part of a search space, to insert and edit."""

    name = serializers.CharField()
    title = serializers.CharField()
    why = serializers.CharField()
    build = serializers.CharField(help_text="How a model uses the parameters.")
    space = Document(help_text="The parameters in the JSON form of a space.")


class SpaceTemplateList(serializers.Serializer[Any]):
    """All templates."""

    results = SpaceTemplate(many=True)


class MethodOption(serializers.Serializer[Any]):
    """One setting of a sampler or scheduler."""

    name = serializers.CharField()
    type = serializers.ChoiceField(["bool", "int", "float", "text"])
    default = serializers.JSONField(allow_null=True)
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)
    choices = serializers.ListField(child=serializers.JSONField(), allow_null=True)
    help = serializers.CharField()


class SamplerRow(serializers.Serializer[Any]):
    """A method that chooses configurations."""

    name = serializers.CharField()
    title = serializers.CharField()
    summary = serializers.CharField()
    options = MethodOption(many=True)


class SchedulerRow(SamplerRow):
    """A policy that stops or pauses trials early."""

    needs_max_resource = serializers.BooleanField()


class SamplerList(serializers.Serializer[Any]):
    """All samplers, the default first."""

    results = SamplerRow(many=True)


class SchedulerList(serializers.Serializer[Any]):
    """All schedulers, the default first."""

    results = SchedulerRow(many=True)


class SlotState(serializers.Serializer[Any]):
    """A place for one process, and what runs there: a trial, a job, or nothing."""

    index = serializers.IntegerField(source="slot.index")
    trial = serializers.IntegerField(source="trial.id", default=None, allow_null=True)
    study = serializers.IntegerField(source="trial.study_id", default=None, allow_null=True)
    job = serializers.CharField(source="job.kind", default=None, allow_null=True, help_text="The kind of the job.")


class PlaceState(serializers.Serializer[Any]):
    """A place for short jobs, which need no device and never wait behind trials."""

    lane = serializers.ChoiceField(
        ["quick", "bulk"], source="slot.lane", help_text="Jobs of seconds, or those that read whole data sets."
    )
    job = serializers.CharField(source="job.kind", default=None, allow_null=True, help_text="The kind of the job.")


class Reservation(serializers.Serializer[Any]):
    """For whom a device is kept: nothing of others starts there."""

    person = serializers.CharField(source="reserved_for.username")
    until = serializers.DateTimeField(source="reserved_until")
    reason = serializers.CharField(source="reserved_reason")
    made_by = serializers.CharField(source="reserved_by")


class WorkerDevice(serializers.Serializer[Any]):
    """A GPU, or the CPU, of a host."""

    id = serializers.IntegerField(source="device.id")
    uuid = serializers.CharField(source="device.uuid")
    kind = serializers.CharField(source="device.kind")
    memory = serializers.IntegerField(source="device.memory", allow_null=True, help_text="Bytes.")
    unavailable = serializers.CharField(
        source="device.unavailable", allow_blank=True, help_text="Why it takes no new work; empty where it does."
    )
    reservation = serializers.SerializerMethodField(help_text="Null where nobody keeps it for himself.")
    slots = SlotState(many=True)

    @extend_schema_field(Reservation(allow_null=True))
    def get_reservation(self, row: Any) -> Any:
        return Reservation(row.device).data if row.reserved else None


class WorkerHost(serializers.Serializer[Any]):
    """A host that runs workers."""

    id = serializers.IntegerField(source="host.id")
    name = serializers.CharField(source="host.name")
    alive = serializers.BooleanField()
    age_seconds = serializers.FloatField(allow_null=True, help_text="Seconds since its last heartbeat.")
    draining = serializers.BooleanField(source="host.draining", help_text="It claims nothing more.")
    evacuating = serializers.BooleanField(
        source="host.evacuating", help_text="Its trials go back to waiting at their next checkpoint."
    )
    drained_by = serializers.CharField(
        source="host.drained_by", allow_blank=True, help_text="Empty where its own shutdown drains it."
    )
    facts = Document(source="host.facts")
    labels = serializers.ListField(
        child=serializers.CharField(), source="host.labels", help_text="What it offers to workloads that require it."
    )
    devices = WorkerDevice(many=True)
    places = PlaceState(many=True)


class Apart(serializers.Serializer[Any]):
    """A running study that a host does not run, because it has other code or data than the study was made with."""

    host = serializers.CharField()
    study = serializers.IntegerField(source="difference.study.id")
    why = serializers.CharField(source="difference.words", help_text="What the host has instead.")
    adoptable = serializers.BooleanField(
        source="difference.adoptable", help_text="Its owner could let it take over what the workers have now."
    )


class Queue(serializers.Serializer[Any]):
    """What waits for a slot."""

    waiting_trials = serializers.IntegerField()
    waiting_jobs = serializers.IntegerField()


class WorkerOverview(serializers.Serializer[Any]):
    """The hosts with their devices and slots, and the queue."""

    results = WorkerHost(many=True)
    apart = Apart(many=True, help_text="Of the studies that you may see.")
    queue = Queue()
