"""Jobs: work that is no trial. Each holds a slot of its kind's lane (selectors.job_kinds) as trials do, and goes first.

A job has a lease, a fence and a deadline. Here it is asked for and claimed; services.job_endings has how it ends.
"""

import hashlib
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from tuning.models import Host, Job, Slot, Workload
from tuning.selectors.clock import after
from tuning.selectors.job_fit import suits
from tuning.selectors.job_kinds import in_lane, limit_of
from tuning.selectors.offerings import live_hosts, uncounted_workloads
from tuning.services import hints
from tuning.services.errors import StaleLease

State = Job.State


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
    rows = waiting.values_list("pk", "fence", "kind", "args", "requested_by_id")
    for job_id, fence, kind, args, who in rows:
        if not suits(slot, kind, args.get("host"), args.get("workload"), args.get("digest"), who):
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


def note_progress(*, job_id: int, fence: int, progress: dict[str, Any]) -> bool:
    """Keep how far a running job has come where its answer's facts will stand; False where it is no longer held."""
    held = Job.objects.filter(pk=job_id, fence=fence, state=State.RUNNING)
    return bool(held.update(result=progress))


def renew_job(*, job_id: int, fence: int) -> None:
    """A heartbeat. Raises StaleLease where the job is no longer held by this claim."""
    if not Job.objects.filter(pk=job_id, fence=fence, state=State.RUNNING).update(
        lease_until=after(settings.LEASE_SECONDS)
    ):
        raise StaleLease(f"Job {job_id} is no longer held by this claim.")
