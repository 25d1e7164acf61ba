"""Preflights: asked for once for a workload's code, filled check by check while they run, and judged at their end."""

from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models.functions import Now

from tuning.models import Job, Preflight, Workload
from tuning.models.fields import storable
from tuning.selectors.preflights import FAILED, newest_preflight
from tuning.services.errors import Conflict, NotFound
from tuning.services.jobs import request_job

State = Preflight.State
KEPT = 10  # preflights of one workload that are kept


@transaction.atomic
def request_preflight(*, actor: AbstractBaseUser | None, workload: str, again: bool = False) -> Preflight:
    """The preflight of the workload's present code: the newest where it is open or told something, else a new one.

    `again`: a new one where none is open. Raises NotFound, and Conflict where the workload cannot be loaded.
    """
    row = Workload.objects.select_for_update(no_key=True).filter(name=workload).first()
    if row is None:
        raise NotFound(f"There is no workload named {workload!r}; Refresh on the workloads page looks for new files.")
    if row.error:
        raise Conflict(f"The workload {workload} cannot be loaded; the workloads page shows why.")
    newest = newest_preflight(workload, row.digest)
    if newest is not None and (newest.state == State.OPEN or (not again and newest.state != State.BROKEN)):
        return newest
    _give_up_older(workload, row.digest)
    args = {"workload": workload, "digest": row.digest}
    job = request_job(kind="preflight", actor=actor, args=args, dedupe=f"preflight:{workload}"[:120] + row.digest)
    preflight, _created = Preflight.objects.get_or_create(
        job=job, defaults={"workload": workload, "digest": row.digest}
    )
    old = Preflight.objects.filter(workload=workload).order_by("-pk").values_list("pk", flat=True)[KEPT:]
    Preflight.objects.filter(pk__in=list(old)).exclude(state=State.OPEN).delete()
    return preflight


def _give_up_older(workload: str, digest: str) -> None:
    """Jobs for code that the workload has no more, and that no host may claim therefore, wait for nothing."""
    older = Preflight.objects.filter(workload=workload, state=State.OPEN).exclude(digest=digest)
    for job_id in list(older.filter(job__state=Job.State.WAITING).values_list("job_id", flat=True)):
        words = "The code of the workload has changed before this ran."
        if Job.objects.filter(pk=job_id, state=Job.State.WAITING).update(
            state=Job.State.FAILED, error=words, completed=Now()
        ):
            break_preflight(job_id, words)


@transaction.atomic
def note_check(*, job_id: int, fence: int, check: dict[str, Any]) -> bool:
    """Add a check that has ended, for who looks while the others run; a new claim of the job begins anew.

    False where the claim is no longer the newest: then nothing is stored.
    """
    preflight = _held(job_id, fence)
    if preflight is None:
        return False
    if preflight.fence != fence:
        preflight.fence, preflight.checks = fence, []
    preflight.checks = [*preflight.checks, check]
    preflight.save(update_fields=["fence", "checks"])
    return True


def store_preflight(job: Job, answer: dict[str, Any]) -> Preflight | None:
    """Keep the answer of the job's claim and judge it. The caller holds the job."""
    preflight = Preflight.objects.select_for_update(no_key=True).filter(job=job).first()
    if preflight is None:
        return None
    checks = list(answer["checks"])
    failed = any(check["status"] == FAILED for check in checks)
    preflight.checks, preflight.fence = checks, job.fence
    preflight.data_digest = str(answer.get("data_digest") or "")[:64]
    preflight.facts = {key: answer.get(key) for key in ("seconds_per_epoch", "parameters", "seconds", "device")}
    preflight.state = State.FAILED if failed else State.PASSED
    if answer.get("stopped"):
        preflight.state, preflight.error = State.BROKEN, "It was asked to stop before its last check."
    preflight.save()
    Preflight.objects.filter(pk=preflight.pk).update(completed=Now())
    return preflight


def break_preflight(job_id: int, error: str) -> Preflight | None:
    """The job has failed: what was checked until then stays, and `error` says why there is no more."""
    preflight = Preflight.objects.select_for_update(no_key=True).filter(job_id=job_id, state=State.OPEN).first()
    if preflight is None:
        return None
    preflight.state, preflight.error = State.BROKEN, storable(error)
    preflight.save(update_fields=["state", "error"])
    Preflight.objects.filter(pk=preflight.pk).update(completed=Now())
    return preflight


def _held(job_id: int, fence: int) -> Preflight | None:
    """The preflight of a job that this claim holds, locked."""
    held = Job.objects.filter(pk=job_id, fence=fence, state=Job.State.RUNNING)
    return Preflight.objects.select_for_update(no_key=True).filter(job__in=held).first()
