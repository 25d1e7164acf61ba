"""Reading jobs: what waits and runs, what has failed lately, and who may cancel one."""

from dataclasses import dataclass

from django.contrib.auth.models import AbstractBaseUser
from django.db.models import Case, IntegerField, Q, Value, When

from tuning.models import Job
from tuning.selectors.clock import before
from tuning.selectors.job_kinds import kind_title, title_of

SHOWN = 50
FAILED_SECONDS = 3600.0  # how long the workers page shows a job that has failed


@dataclass(frozen=True)
class JobRow:
    """A job with what it does in words, the host that it is for or runs on, and what the person may do.

    Which workload a job is about, and with it which studies there are, is not everybody's to know.
    """

    job: Job
    title: str
    host: str
    error: str
    may_cancel: bool


def may_cancel(person: AbstractBaseUser, job: Job) -> bool:
    """Whether the person asked for the job, or is an administrator."""
    return bool(getattr(person, "is_staff", False)) or job.requested_by_id == person.pk


def jobs_overview(person: AbstractBaseUser, *, ended: bool = False) -> list[JobRow]:
    """Open jobs, those that run first, then what failed in the last hour (`ended`: what has ended); SHOWN at most."""
    open_ones = Q(state__in=[Job.State.WAITING, Job.State.RUNNING])
    recent = Q(state=Job.State.FAILED, completed__gt=before(FAILED_SECONDS))
    order = Case(
        When(state=Job.State.RUNNING, then=Value(0)),
        When(state=Job.State.WAITING, then=Value(1)),
        default=Value(2),
        output_field=IntegerField(),
    )
    rows = Job.objects.all() if ended else Job.objects.filter(open_ones | recent)
    rows = rows.select_related("slot__device__host", "requested_by").order_by(order, "-pk")
    return [job_row(person, job) for job in rows[:SHOWN]]


def job_row(person: AbstractBaseUser, job: Job) -> JobRow:
    """One job as the person sees it."""
    host = job.slot.device.host.name if job.slot else str(job.args.get("host", ""))
    is_open, own = job.state in (Job.State.WAITING, Job.State.RUNNING), may_cancel(person, job)
    if "workload" in job.args and not own:
        return JobRow(job, kind_title(job.kind), host, "", False)
    return JobRow(job, title_of(job), host, job.error, is_open and own)
