"""Jobs: work that is no trial. They hold a slot as trials do, and go first."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Now

from tuning.models import Job, Slot
from tuning.models.fields import storable
from tuning.selectors.clock import after
from tuning.services import hints
from tuning.services.errors import StaleLease
from tuning.services.workloads import store_descriptions, store_split

State = Job.State
MAX_RETRIES = 3


def request_job(
    *, kind: str, actor: AbstractBaseUser | None, args: dict[str, Any] | None = None, dedupe: str = ""
) -> Job:
    """Queue a job; while one with the same `dedupe` is open, that one is returned."""
    try:
        with transaction.atomic():
            job = Job.objects.create(
                kind=kind, requested_by_id=actor.pk if actor else None, args=args or {}, dedupe=dedupe
            )
            hints.announce()
            return job
    except IntegrityError:
        open_job = Job.objects.filter(dedupe=dedupe, state__in=[State.WAITING, State.RUNNING]).first()
        if open_job is None:
            raise
        return open_job


def request_describe(*, actor: AbstractBaseUser | None) -> Job:
    """Let a worker look for workloads, and store what it finds."""
    return request_job(kind="describe", actor=actor, dedupe="describe")


def request_split(*, actor: AbstractBaseUser | None, workload: str) -> Job:
    """Let a worker count and fingerprint the workload's data splits."""
    return request_job(kind="split", actor=actor, args={"workload": workload}, dedupe=f"split:{workload}")


@transaction.atomic
def claim_job(*, slot: Slot) -> Job | None:
    """The oldest waiting job, now RUNNING on `slot`; None where there is none."""
    for job_id, fence in Job.objects.filter(state=State.WAITING).order_by("created", "pk").values_list("pk", "fence"):
        if Job.objects.filter(pk=job_id, state=State.WAITING, fence=fence).update(
            state=State.RUNNING, fence=fence + 1, slot=slot, started=Now(), lease_until=after(settings.LEASE_SECONDS)
        ):
            return Job.objects.get(pk=job_id)
    return None


def renew_job(*, job_id: int, fence: int) -> None:
    """A heartbeat. Raises StaleLease where the job is no longer held by this claim."""
    if not Job.objects.filter(pk=job_id, fence=fence, state=State.RUNNING).update(
        lease_until=after(settings.LEASE_SECONDS)
    ):
        raise StaleLease(f"Job {job_id} is no longer held by this claim.")


@transaction.atomic
def complete_job(*, job_id: int, fence: int, answer: dict[str, Any]) -> bool:
    """Put a job's answer where pages read it, and RUNNING -> COMPLETE, both or neither; an unusable one fails the job.

    False where the claim is no longer the newest: then nothing is stored.
    """
    job = Job.objects.select_for_update(no_key=True).filter(pk=job_id, fence=fence, state=State.RUNNING).first()
    if job is None:
        return False
    error = ""
    try:
        with transaction.atomic():
            _store(job, answer)
    except (KeyError, TypeError, AttributeError) as problem:
        error = f"The process's answer cannot be read ({type(problem).__name__}: {problem})."
    except OSError as problem:
        error = f"The answer cannot be stored: {problem}"
    summary = {key: value for key, value in answer.items() if key in ("sizes", "digest")}
    return finish_job(job_id=job_id, fence=fence, result=None if error else summary, error=error)


def _store(job: Job, answer: dict[str, Any]) -> None:
    if job.kind == "describe":
        store_descriptions(entries=answer["workloads"])
    elif job.kind == "split":
        store_split(workload=job.args["workload"], result=answer)


@transaction.atomic
def finish_job(*, job_id: int, fence: int, result: Any = None, error: str = "") -> bool:
    """RUNNING -> COMPLETE, or FAILED with `error`. False where the claim is no longer the newest."""
    return bool(
        Job.objects.filter(pk=job_id, fence=fence, state=State.RUNNING).update(
            state=State.FAILED if error else State.COMPLETE,
            result=result,
            error=storable(error),
            completed=Now(),
            slot=None,
            lease_until=None,
        )
    )


@transaction.atomic
def requeue_job(*, job_id: int, fence: int, why: str, lost: bool = True, expired: bool = False) -> bool:
    """RUNNING -> WAITING, and with `lost` FAILED once it was lost more than MAX_RETRIES times.

    With `expired`, only where the lease has really run out. False where the claim is no longer the newest.
    """
    held = Job.objects.filter(pk=job_id, fence=fence, state=State.RUNNING)
    if expired:
        held = held.filter(lease_until__lt=Now())
    again = held.filter(retries__lt=MAX_RETRIES) if lost else held
    moved = again.update(
        state=State.WAITING, retries=F("retries") + (1 if lost else 0), slot=None, lease_until=None
    ) or held.update(state=State.FAILED, error=why, completed=Now(), slot=None, lease_until=None)
    if moved:
        hints.announce()
    return bool(moved)
