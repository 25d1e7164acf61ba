"""How a job ends: with an answer, which is put where pages read it, with an error, or lost and waiting again.

A job that its worker lost waits again, at most MAX_RETRIES times; one that a host gives back in order, because it
drains or shuts down, waits again as often as that happens.
"""

from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from tuning.models import Job
from tuning.models.fields import storable
from tuning.selectors.budget import time_words
from tuning.selectors.clock import database_now
from tuning.selectors.job_kinds import KINDS, limit_of, title_of
from tuning.selectors.jobs import may_cancel
from tuning.selectors.offerings import host_named
from tuning.services import hints
from tuning.services.audit import record
from tuning.services.errors import Forbidden, NotFound
from tuning.services.jobs import request_counts
from tuning.services.lr_curves import check_curves
from tuning.services.offerings import note_data
from tuning.services.preflights import break_preflight, store_preflight
from tuning.services.revealing import store_reveal
from tuning.services.workloads import store_descriptions, store_split

State = Job.State
MAX_RETRIES = 3
KEPT = {  # of an answer, with the job itself; the rest has its own tables or is not kept
    "split": ("sizes", "digest"),
    "lr_range": ("curves", "device", "seconds", "stopped"),
}


@transaction.atomic
def complete_job(*, job_id: int, fence: int, answer: dict[str, Any], error: str = "") -> bool:
    """Put a job's answer where pages read it, and RUNNING -> COMPLETE, both or neither; an unusable one fails the job.

    With `error` the answer is what there was of it when the job failed: it is stored beside what is known already.
    False where the claim is no longer the newest: then nothing is stored.
    """
    held = Job.objects.filter(pk=job_id, fence=fence, state=State.RUNNING)
    job = held.select_for_update(no_key=True, of=("self",)).select_related("slot__device__host").first()
    if job is None:
        return False
    try:
        with transaction.atomic():
            _store(job, answer, partial=bool(error))
    except (KeyError, TypeError, AttributeError) as problem:
        error = f"The process's answer cannot be read ({type(problem).__name__}: {problem})."
    except OSError as problem:
        error = f"The answer cannot be stored: {problem}"
    kept = {key: value for key, value in answer.items() if key in KEPT.get(job.kind, ())}
    return finish_job(job_id=job_id, fence=fence, result=None if error else kept, error=error)


def _store(job: Job, answer: dict[str, Any], *, partial: bool) -> None:
    host = job.slot.device.host if job.slot else None
    if job.kind == "describe":
        store_descriptions(entries=answer["workloads"], host=host, partial=partial)
        if host is not None:
            request_counts(host=host)
    elif job.kind == "split":
        store_split(workload=job.args["workload"], result=answer, host=host)
    elif job.kind == "preflight":
        store_preflight(job, answer)
    elif job.kind == "finalise":
        store_reveal(job, answer)
    elif job.kind == "lr_range":
        check_curves(answer, expected=len(job.args["curves"]))


@transaction.atomic
def finish_job(*, job_id: int, fence: int, result: Any = None, error: str = "") -> bool:
    """RUNNING -> COMPLETE, or FAILED with `error`. False where the claim is no longer the newest."""
    if error:
        _note_failure(job_id, error)
    return bool(
        Job.objects.filter(pk=job_id, fence=fence, state=State.RUNNING).update(
            state=State.FAILED if error else State.COMPLETE,
            result=result,
            error=storable(error),
            completed=Now(),
            slot=None,
            lease_until=None,
            deadline=None,
        )
    )


@transaction.atomic
def fail_overdue_job(*, job_id: int, fence: int, answer: dict[str, Any] | None = None, doing: str = "") -> bool:
    """RUNNING -> FAILED where the deadline is over, with the words what to do; False where it is not, or not held.

    `answer` is what there is of one, `doing` what the process was at, such as "It was importing slow.py."
    """
    job = Job.objects.filter(pk=job_id, fence=fence, state=State.RUNNING).first()
    if job is None or job.deadline is None or job.deadline >= database_now():
        return False
    ran = (job.deadline - job.started).total_seconds() if job.started else limit_of(job.kind) or 0.0
    words = f"It has run for {time_words(ran)}, the limit for a job of kind {job.kind}, and was ended."
    remedy = KINDS[job.kind].remedy if job.kind in KINDS else ""
    error = " ".join(word for word in (words, doing, remedy) if word)
    if answer is None:
        return finish_job(job_id=job_id, fence=fence, error=error)
    return complete_job(job_id=job_id, fence=fence, answer=answer, error=error)


@transaction.atomic
def cancel_job(*, job_id: int, actor: AbstractBaseUser) -> Job:
    """An open job ends as FAILED; one that has ended is left as it is. Its process ends when its worker looks next.

    Raises NotFound, and Forbidden for everybody but the person who asked for it and administrators.
    """
    job = Job.objects.select_for_update(no_key=True, of=("self",)).filter(pk=job_id).first()
    if job is None:
        raise NotFound(f"There is no job {job_id}.")
    if not may_cancel(actor, job):
        who = "the person who asked for it and administrators" if job.requested_by_id else "administrators"
        raise Forbidden(f"Only {who} may cancel this job.")
    if job.state not in (State.WAITING, State.RUNNING):
        return job
    error = cancelled_words(actor)
    _note_failure(job.pk, error)
    before = {"state": job.state}
    job.state, job.error, job.slot, job.lease_until, job.deadline = State.FAILED, error, None, None, None
    Job.objects.filter(pk=job.pk).update(
        state=job.state, error=error, slot=None, lease_until=None, deadline=None, completed=Now()
    )
    record(
        actor=actor,
        verb="cancelled",
        kind="job",
        object_id=job.pk,
        name=title_of(job)[:200],
        before=before,
        after={"state": job.state},
    )
    hints.announce()  # its slot may take something else
    job.refresh_from_db()
    return job


def cancelled_words(actor: AbstractBaseUser) -> str:
    return f"Cancelled by {actor.get_username()}."


def _note_failure(job_id: int, error: str) -> None:
    """Where pages look for the job's answer, its error stands instead."""
    _note_failed_split(job_id, error)
    break_preflight(job_id, error)


def _note_failed_split(job_id: int, error: str) -> None:
    """The workers page says why a host could not count a workload's data; it is not asked again by itself."""
    job = Job.objects.filter(pk=job_id, kind="split").select_related("slot__device__host").first()
    if job is None:
        return
    host = job.slot.device.host if job.slot is not None else host_named(job.args.get("host", ""))
    if host is not None:
        note_data(host=host, workload=job.args["workload"], digest="", error=error)


@transaction.atomic
def requeue_job(*, job_id: int, fence: int, why: str, lost: bool = True, expired: bool = False) -> bool:
    """RUNNING -> WAITING, and with `lost` FAILED once it was lost more than MAX_RETRIES times.

    With `expired`, only where the lease has really run out. False where the claim is no longer the newest.
    """
    held = Job.objects.filter(pk=job_id, fence=fence, state=State.RUNNING)
    if expired:
        held = held.filter(lease_until__lt=Now())
    again = held.filter(retries__lt=MAX_RETRIES) if lost else held
    if lost and held.filter(retries__gte=MAX_RETRIES).exists():
        _note_failure(job_id, why)
    free: dict[str, Any] = {"slot": None, "lease_until": None, "deadline": None}
    moved = again.update(state=State.WAITING, retries=F("retries") + (1 if lost else 0), **free) or held.update(
        state=State.FAILED, error=why, completed=Now(), **free
    )
    if moved:
        hints.announce()
    return bool(moved)
