"""Jobs: work that is no trial. Each holds a slot of its kind's lane (selectors.job_kinds) as trials do, and goes first.

A job has a lease, a fence and a deadline. One that its worker lost waits again, at most MAX_RETRIES times; one that a
host gives back in order, because it drains or shuts down, waits again as often as that happens.
"""

import hashlib
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Now

from tuning.models import Host, Job, Slot, Workload
from tuning.models.fields import storable
from tuning.selectors.budget import time_words
from tuning.selectors.clock import after, database_now
from tuning.selectors.job_kinds import KINDS, in_lane, limit_of, title_of
from tuning.selectors.jobs import may_cancel
from tuning.selectors.offerings import host_named, live_hosts, uncounted_workloads
from tuning.services import hints
from tuning.services.audit import record
from tuning.services.errors import Forbidden, NotFound, StaleLease
from tuning.services.lr_curves import check_curves
from tuning.services.offerings import note_data
from tuning.services.workloads import store_descriptions, store_split

State = Job.State
MAX_RETRIES = 3
KEPT = {"split": ("sizes", "digest"), "lr_range": ("curves", "device", "seconds", "stopped")}


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


def request_describe(*, actor: AbstractBaseUser | None, host: str = "") -> Job:
    """Let a worker (of one host, where its name is given) look for workloads, and store what it finds."""
    args = {"host": host} if host else {}
    return request_job(kind="describe", actor=actor, args=args, dedupe=_dedupe("describe", host))


def request_descriptions(*, actor: AbstractBaseUser | None) -> list[Job]:
    """Let every live host look for workloads; where none is alive, the first that comes.

    Once a host has looked, data that it could not count are counted again where they are needed.
    """
    return [request_describe(actor=actor, host=host) for host in live_hosts() or [""]]


def request_split(*, actor: AbstractBaseUser | None, workload: str, host: str = "") -> Job:
    """Let a worker (of one host, where its name is given) count and fingerprint the workload's data splits."""
    args = {"workload": workload, **({"host": host} if host else {})}
    return request_job(kind="split", actor=actor, args=args, dedupe=_dedupe(f"split:{workload}", host))


def request_counts(*, host: Host) -> None:
    """Let the host count the data that open studies are pinned to, as far as it has not.

    Its supervisor asks again and again, because a study may be pinned to what another host has counted at any time.
    """
    if wanted := uncounted_workloads(host):
        found = Workload.objects.filter(name__in=wanted).order_by("name").values_list("name", "document")
        for name, document in found:
            if document.get("kind") == "pytorch":
                request_split(actor=None, workload=name, host=host.name)


def _dedupe(request: str, host: str) -> str:
    """One text for each request; long names by their digest, so that the column holds it."""
    text = f"{request}@{host}" if host else request
    return text if len(text) <= 200 else hashlib.sha256(text.encode()).hexdigest()


@transaction.atomic
def claim_job(*, slot: Slot) -> Job | None:
    """The oldest waiting job of the slot's lane that any host or this one may run, now RUNNING there; None: no such.

    Its deadline is its kind's limit from now, by this host's settings.
    """
    waiting = Job.objects.filter(in_lane(slot.lane), state=State.WAITING).order_by("created", "pk")
    for job_id, fence, kind, args in waiting.values_list("pk", "fence", "kind", "args"):
        if args.get("host", slot.device.host.name) != slot.device.host.name:
            continue
        if Job.objects.filter(pk=job_id, state=State.WAITING, fence=fence).update(
            state=State.RUNNING,
            fence=fence + 1,
            slot=slot,
            started=Now(),
            lease_until=after(settings.LEASE_SECONDS),
            deadline=None if (limit := limit_of(kind)) is None else after(limit),
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
    return finish_job(job_id=job_id, fence=fence, result=None if error else _kept(job.kind, answer), error=error)


def _kept(kind: str, answer: dict[str, Any]) -> dict[str, Any]:
    """What of an answer stays with the job itself."""
    return {key: value for key, value in answer.items() if key in KEPT.get(kind, ())}


def _store(job: Job, answer: dict[str, Any], *, partial: bool) -> None:
    host = job.slot.device.host if job.slot else None
    if job.kind == "describe":
        store_descriptions(entries=answer["workloads"], host=host, partial=partial)
        if host is not None:
            request_counts(host=host)
    elif job.kind == "split":
        store_split(workload=job.args["workload"], result=answer, host=host)
    elif job.kind == "lr_range":
        check_curves(answer, expected=len(job.args["curves"]))


@transaction.atomic
def finish_job(*, job_id: int, fence: int, result: Any = None, error: str = "") -> bool:
    """RUNNING -> COMPLETE, or FAILED with `error`. False where the claim is no longer the newest."""
    if error:
        _note_failed_split(job_id, error)
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
    _note_failed_split(job.pk, error)
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
        _note_failed_split(job_id, why)
    free: dict[str, Any] = {"slot": None, "lease_until": None, "deadline": None}
    moved = again.update(state=State.WAITING, retries=F("retries") + (1 if lost else 0), **free) or held.update(
        state=State.FAILED, error=why, completed=Now(), **free
    )
    if moved:
        hints.announce()
    return bool(moved)
