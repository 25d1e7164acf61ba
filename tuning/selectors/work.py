"""What a worker reads: its slot, its attempt, what its host has not ended yet, and what a trial's start needs."""

from typing import Any

from django.db.models import F, Q, QuerySet

from tuning.models import Attempt, Device, Job, Slot, Trial, Workload


def slot_numbered(slot_id: int) -> Slot | None:
    """The slot with its device and host; None where it is gone."""
    return Slot.objects.select_related("device__host").filter(pk=slot_id).first()


def enabled_slots(host_name: str) -> int:
    """How many slots of a host may run something."""
    return Slot.objects.filter(device__host__name=host_name, enabled=True).count()


def slot_call(slot_id: int) -> tuple[bool, bool]:
    """What a task that waits with a warm process asks: (a hint has come, the slot is still in service)."""
    row = Slot.objects.filter(pk=slot_id).values_list("hinted", "enabled", "device__host__draining").first()
    if row is None:
        return False, False
    hinted, enabled, draining = row
    return hinted is not None, enabled and not draining


def host_devices(host_id: int) -> list[Device]:
    """A host's devices that have slots in service."""
    return list(Device.objects.filter(host_id=host_id, slots__enabled=True).distinct())


def device_slots(device_id: int) -> list[int]:
    """The ids of a device's slots."""
    return list(Slot.objects.filter(device_id=device_id).values_list("pk", flat=True))


def attempt_of(trial: Trial) -> Attempt:
    """The attempt that the trial's newest claim made."""
    return Attempt.objects.get(trial=trial, fence=trial.fence)


def busy_slots(host_name: str) -> list[Slot]:
    """A host's slots that hold a trial or a job, by the tables."""
    held = Q(trials__state=Trial.State.RUNNING) | Q(jobs__state=Job.State.RUNNING)
    return list(Slot.objects.filter(held, device__host__name=host_name).distinct())


def host_slots(host_name: str) -> list[Slot]:
    """A host's slots, those out of service included."""
    return list(Slot.objects.filter(device__host__name=host_name))


def open_attempts(host_name: str) -> QuerySet[Attempt]:
    """A host's attempts whose end nobody has noted."""
    return Attempt.objects.filter(host=host_name, ended__isnull=True)


def workload_document(name: str) -> dict[str, Any]:
    """What a worker found out about a workload; empty where none has described it."""
    return Workload.objects.filter(name=name).values_list("document", flat=True).first() or {}


def dropped_with_checkpoints(limit: int = 100) -> list[Trial]:
    """Trials that a scheduler has cut and whose checkpoints are still there; nothing will go on from them.

    The best trial of a study that ended before any was complete keeps its own.
    """
    rows = Trial.objects.select_related("study").filter(~Q(checkpoint=""), state=Trial.State.PRUNED)
    rows = rows.exclude(pk=F("study__best_trial"))
    return list(rows.filter(cohort__isnull=False).order_by("pk")[:limit])


def accepted_checkpoints(trial: Trial) -> tuple[str, str] | None:
    """The stored paths of an ended trial's checkpoints, the last and the best; None while the trial may go on."""
    rows = Trial.objects.filter(pk=trial.pk, state__in=Trial.TERMINAL)
    return rows.values_list("checkpoint", "best_checkpoint").first()
