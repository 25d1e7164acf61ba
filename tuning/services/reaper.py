"""Trials and jobs whose worker is gone: an expired lease, or a process that this host knows to be dead. And those past
their deadline whose worker or script does not end them."""

from collections.abc import Callable

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Now

from tuning.models import Attempt, Job, Trial
from tuning.selectors.clock import after, before
from tuning.services.deadlines import fail_overdue
from tuning.services.endings import end_attempt, requeue_trial
from tuning.services.errors import StaleLease
from tuning.services.job_endings import fail_overdue_job, requeue_job

GONE = "The worker that ran it ended without a word."
SHUT_DOWN = "the host was shut down"
SILENT = "went silent and its lease ran out."
SLACK = 1.0  # seconds by which a lease may look too long: it was given while we looked
OVERDUE_SECONDS = 5.0  # that a worker has to end a trial past its deadline by itself


def reap_expired() -> int:
    """Fail trials and jobs past their deadline, and send those with an expired lease back to waiting.

    Returns how many.
    """
    _shorten_leases()
    reaped = _reap_overdue()
    for trial_id, fence, lease_hash in list(
        Trial.objects.filter(state=Trial.State.RUNNING, lease_until__lt=Now()).values_list("pk", "fence", "lease_hash")
    ):
        who = "The script" if lease_hash else "The worker"
        reaped += _requeue(trial_id, fence, f"{who} that ran it {SILENT}", "lease expired", expired=True)
    for job_id, fence in list(
        Job.objects.filter(state=Job.State.RUNNING, lease_until__lt=Now()).values_list("pk", "fence")
    ):
        reaped += requeue_job(job_id=job_id, fence=fence, why=f"The worker that ran it {SILENT}", expired=True)
    return reaped


def _shorten_leases() -> None:
    """Let no lease end later than one that is given now: the database's clock was set back, and nobody waits for that.

    A holder that lives has renewed its lease no later than now, so that it still notices its end in time.
    """
    for model in (Trial, Job):
        longest = model.objects.filter(state=model.State.RUNNING, lease_until__gt=after(settings.LEASE_SECONDS + SLACK))
        if longest.exists():
            longest.update(lease_until=after(settings.LEASE_SECONDS))


def _reap_overdue() -> int:
    reaped = 0
    late = Q(slot__isnull=True) | Q(deadline__lt=before(OVERDUE_SECONDS))
    overdue = Trial.objects.filter(late, state=Trial.State.RUNNING, deadline__lt=Now())
    for trial_id, fence in list(overdue.values_list("pk", "fence")):
        try:
            reaped += fail_overdue(trial_id=trial_id, fence=fence)
        except StaleLease:
            continue  # it ended between the look and the write
        _end_attempts(trial_id, fence, "deadline passed")
    jobs = Job.objects.filter(state=Job.State.RUNNING, deadline__lt=before(OVERDUE_SECONDS))
    for job_id, fence in list(jobs.values_list("pk", "fence")):
        reaped += fail_overdue_job(job_id=job_id, fence=fence)
    return reaped


def release_slot(slot_id: int) -> int:
    """Requeue what a slot still holds; for a worker that has the slot's lock, so that nobody can be running it.

    Returns how many.
    """
    released = 0
    for trial_id, fence in list(
        Trial.objects.filter(state=Trial.State.RUNNING, slot_id=slot_id).values_list("pk", "fence")
    ):
        released += _requeue(trial_id, fence, GONE, "process gone")
    for job_id, fence in list(Job.objects.filter(state=Job.State.RUNNING, slot_id=slot_id).values_list("pk", "fence")):
        released += requeue_job(job_id=job_id, fence=fence, why=GONE)
    return released


def reap_dead(*, host: str, is_alive: Callable[[Attempt], bool], lost: bool = True) -> int:
    """Requeue at once what a worker of this host left running, and return how many; `lost` False: ended in order."""
    reaped = 0
    for attempt in Attempt.objects.select_related("trial").filter(host=host, ended__isnull=True):
        if is_alive(attempt):
            continue
        why = GONE if lost else SHUT_DOWN
        reaped += _requeue(attempt.trial_id, attempt.fence, why, "process gone", lost=lost)
        end_attempt(attempt_id=attempt.pk, outcome="process gone")
    for job_id, fence in list(
        Job.objects.filter(Q(state=Job.State.RUNNING) & Q(slot__device__host__name=host)).values_list("pk", "fence")
    ):
        reaped += requeue_job(job_id=job_id, fence=fence, why=GONE, lost=lost)
    return reaped


def _requeue(trial_id: int, fence: int, why: str, outcome: str, *, lost: bool = True, expired: bool = False) -> int:
    try:
        requeue_trial(trial_id=trial_id, fence=fence, why=why, lost=lost, expired=expired)
    except StaleLease:
        return 0  # it ended, or was claimed anew, between the look and the write
    _end_attempts(trial_id, fence, outcome)
    return 1


def _end_attempts(trial_id: int, fence: int, outcome: str) -> None:
    for attempt_id in Attempt.objects.filter(trial_id=trial_id, fence=fence).values_list("pk", flat=True):
        end_attempt(attempt_id=attempt_id, outcome=outcome)
