"""Workloads, samplers, schedulers, workers."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from tuning.api.endpoint import Endpoint, shown
from tuning.api.serializers.catalogue import (
    SamplerList,
    SchedulerList,
    SpaceTemplateList,
    TemplateQuery,
    WorkerOverview,
    WorkloadList,
)
from tuning.engine.registry import describe
from tuning.selectors.hosts import hosts_overview, queue_counts
from tuning.selectors.offerings import differences
from tuning.selectors.space_templates import templates_for
from tuning.selectors.studies import visible_studies
from tuning.selectors.workloads import workload_list

TAGS = ["catalogue"]


class Workloads(Endpoint):
    """What can be trained."""

    @extend_schema(
        operation_id="workloads",
        summary="List workloads",
        description=(
            "The training problems that the workers found, each with its default search space, its metrics "
            "and, where it cannot be loaded, its error."
        ),
        tags=TAGS,
        responses=WorkloadList,
    )
    def get(self, request: Request) -> Response:
        self.query()
        return Response(shown(WorkloadList, {"results": workload_list()}))


class SpaceTemplates(Endpoint):
    """Parts of search spaces that fit a kind of model."""

    @extend_schema(
        operation_id="space_templates",
        summary="List space templates",
        description=(
            "Parameters with ranges for a multilayer perceptron, a convolutional and a residual network, a "
            "transformer, an optimizer with its schedule, and regularisation that follows capacity and data: to "
            "copy and edit."
        ),
        tags=TAGS,
        parameters=[TemplateQuery],
        responses=SpaceTemplateList,
    )
    def get(self, request: Request) -> Response:
        return Response(shown(SpaceTemplateList, {"results": templates_for(**self.query(TemplateQuery))}))


class Samplers(Endpoint):
    """How configurations are chosen."""

    @extend_schema(
        operation_id="samplers",
        summary="List samplers",
        description=(
            "The methods that choose configurations, the default first, each with the schema of its options."
        ),
        tags=TAGS,
        responses=SamplerList,
    )
    def get(self, request: Request) -> Response:
        self.query()
        return Response(shown(SamplerList, {"results": describe()["samplers"]}))


class Schedulers(Endpoint):
    """How much of a trial is run."""

    @extend_schema(
        operation_id="schedulers",
        summary="List schedulers",
        description=(
            "The policies that stop or pause trials early, the default first, each with the schema of its "
            "options."
        ),
        tags=TAGS,
        responses=SchedulerList,
    )
    def get(self, request: Request) -> Response:
        self.query()
        return Response(shown(SchedulerList, {"results": describe()["schedulers"]}))


class Workers(Endpoint):
    """Where trials run."""

    @extend_schema(
        operation_id="workers",
        summary="List workers",
        description=(
            "The hosts that run workers, their devices and slots, what runs there, what waits for a slot, and which "
            "studies a host does not run because its code or data differ."
        ),
        tags=TAGS,
        responses=WorkerOverview,
    )
    def get(self, request: Request) -> Response:
        self.query()
        hosts = hosts_overview()
        names = {row.host.pk: row.host.name for row in hosts}
        found = differences(visible_studies(self.person))
        apart = [{"host": names[pk], "difference": row} for pk in names for row in found.get(pk, [])]
        return Response(shown(WorkerOverview, {"results": hosts, "apart": apart, "queue": queue_counts()}))
