"""The learning-rate finder: asking for a test, and what it found."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from tuning.api.endpoint import Endpoint, shown
from tuning.api.serializers.lr_ranges import LRRangeList, LRRangeRequest, LRRangeView
from tuning.selectors.lr_ranges import curves_of, lr_range_job, lr_range_jobs
from tuning.selectors.workloads import workload_named
from tuning.services.lr_ranges import request_lr_range

TAGS = ["learning rates"]
OVERLAID = OpenApiExample(
    "three batch sizes over each other",
    value={"overlay": {"batch_size": [16, 64, 256]}, "steps": 100},
    request_only=True,
)


class LRRanges(Endpoint):
    """The learning-rate tests of a workload."""

    @extend_schema(
        operation_id="lr_ranges",
        summary="List learning-rate tests",
        description="The caller's own tests of a workload, the newest first, with the curves of complete ones.",
        tags=TAGS,
        responses=LRRangeList,
    )
    def get(self, request: Request, name: str) -> Response:
        self.query()
        jobs = lr_range_jobs(self.person, workload_named(name).name)
        return Response(shown(LRRangeList, {"results": [_row(job) for job in jobs]}))

    @extend_schema(
        operation_id="lr_ranges_create",
        summary="Test learning rates",
        description=(
            "Trains a fresh model for a few steps at learning rates that rise by equal factors, and reads from the "
            "loss which of them train. A worker does it before waiting trials. While the same test is open, it is the "
            "answer."
        ),
        tags=TAGS,
        request=LRRangeRequest,
        examples=[OVERLAID],
        responses={201: LRRangeView},
    )
    def post(self, request: Request, name: str) -> Response:
        given = self.body(LRRangeRequest)
        job = request_lr_range(actor=self.person, workload=name, study_id=given.pop("study", None), **given)
        return Response(shown(LRRangeView, _row(job)), status=status.HTTP_201_CREATED)


class OneLRRange(Endpoint):
    """One test."""

    @extend_schema(
        operation_id="lr_range",
        summary="Show a learning-rate test",
        description="A test with its curves, for the person who asked for it and administrators.",
        tags=TAGS,
        responses=LRRangeView,
    )
    def get(self, request: Request, job_id: int) -> Response:
        self.query()
        return Response(shown(LRRangeView, _row(lr_range_job(self.person, job_id))))


def _row(job: Any) -> dict[str, Any]:
    return {"job": job, "curves": curves_of(job)}
