"""The checks before tuning of a workload's present code."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from tuning.api.endpoint import Endpoint, shown
from tuning.api.serializers.preflight import NewestPreflight
from tuning.selectors.preflights import newest_preflight
from tuning.selectors.workloads import workload_named
from tuning.services.preflights import request_preflight

TAGS = ["catalogue"]


class WorkloadPreflight(Endpoint):
    """The newest preflight, and another."""

    @extend_schema(
        operation_id="workloads_preflight",
        summary="Read the checks of a workload",
        description="Of its present code: those that have ended so far, and the verdict. A study of a PyTorch workload "
        "starts once none of them has failed.",
        tags=TAGS,
        responses=NewestPreflight,
    )
    def get(self, request: Request, name: str) -> Response:
        self.query()
        workload = workload_named(name)
        return Response(shown(NewestPreflight, {"preflight": newest_preflight(name, workload.digest)}))

    @extend_schema(
        operation_id="workloads_check",
        summary="Check a workload",
        description="Asks for a new preflight of its present code; while one is open, that one is answered.",
        tags=TAGS,
        request=None,
        responses=NewestPreflight,
    )
    def post(self, request: Request, name: str) -> Response:
        self.body()
        found = request_preflight(actor=self.person, workload=name, again=True)
        return Response(shown(NewestPreflight, {"preflight": found}))
