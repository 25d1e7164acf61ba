"""Jobs: work that is no trial. They hold a slot as trials do, and go first."""

import hashlib
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Now

from tuning.models import Host, Job, Slot, Workload
from tuning.models.fields import storable
from tuning.selectors.clock import after
from tuning.selectors.offerings import live_hosts, uncounted_workloads
from tuning.services import hints
from tuning.services.errors import StaleLease
from tuning.services.offerings import note_data
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


def request_describe(*, actor: AbstractBaseUser | None, host: str = "") -> Job:
    """Let a worker (of one host, where its name is given) look for workloads, and store what it finds."""
    args = {"host": host} if host else {}
    return request_job(kind="describe", actor=actor, args=args, dedupe=_dedupe("describe", host))


def request_descriptions(*, actor: AbstractBaseUser | None) -> list[Job]:
    """Let every live host look for workloads; where none is alive, the first that comes."""
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
    """The oldest waiting job that any host or this one may run, now RUNNING on `slot`; None where there is none."""
    waiting = Job.objects.filter(state=State.WAITING).order_by("created", "pk")
    for job_id, fence, args in waiting.values_list("pk", "fence", "args"):
        if args.get("host", slot.device.host.name) != slot.device.host.name:
            continue
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
    held = Job.objects.filter(pk=job_id, fence=fence, state=State.RUNNING)
    job = held.select_for_update(no_key=True, of=("self",)).select_related("slot__device__host").first()
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
    host = job.slot.device.host if job.slot else None
    if job.kind == "describe":
        store_descriptions(entries=answer["workloads"], host=host)
        if host is not None:
            request_counts(host=host)
    elif job.kind == "split":
        store_split(workload=job.args["workload"], result=answer, host=host)


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
        )
    )


def _note_failed_split(job_id: int, error: str) -> None:
    """The workers page says why a host could not count a workload's data."""
    job = Job.objects.filter(pk=job_id, kind="split", state=State.RUNNING).select_related("slot__device__host").first()
    if job is not None and job.slot is not None:
        note_data(host=job.slot.device.host, workload=job.args["workload"], digest="", error=error)


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
    moved = again.update(
        state=State.WAITING, retries=F("retries") + (1 if lost else 0), slot=None, lease_until=None
    ) or held.update(state=State.FAILED, error=why, completed=Now(), slot=None, lease_until=None)
    if moved:
        hints.announce()
    return bool(moved)
