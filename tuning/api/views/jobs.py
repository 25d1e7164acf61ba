"""Jobs: what the workers do besides trials, and ending one."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from tuning.api.endpoint import Endpoint, shown
from tuning.api.serializers.jobs import JobList, JobState
from tuning.api.views.control import control_schema
from tuning.selectors.jobs import job_row, jobs_overview
from tuning.services.job_endings import cancel_job


class Jobs(Endpoint):
    """What runs, waits, and has ended."""

    @extend_schema(
        operation_id="jobs",
        summary="List jobs",
        description="What the workers do besides trials: those that run first, then those that wait, then the newest "
        "that have ended.",
        tags=["jobs"],
        responses=JobList,
    )
    def get(self, request: Request) -> Response:
        self.query()
        return Response(shown(JobList, {"results": jobs_overview(self.person, ended=True)}))


class CancelJob(Endpoint):
    """The end of an open job."""

    @control_schema(
        "jobs_cancel",
        "Cancel a job",
        "A waiting or running job ends as FAILED; one that has ended is left as it is. For the person who asked for "
        "it and administrators.",
        responses=JobState,
    )
    def post(self, request: Request, job_id: int) -> Response:
        self.body()
        return Response(shown(JobState, job_row(self.person, cancel_job(job_id=job_id, actor=self.person))))
