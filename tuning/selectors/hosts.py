"""Reading hosts: devices, slots, what runs where, and what is due."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Prefetch, QuerySet

from tuning.models import Device, Host, Job, Slot, Study, Trial
from tuning.models.host import NO_DEVICE
from tuning.selectors.clock import before, database_now

ALIVE_SECONDS = 15.0


@dataclass(frozen=True)
class SlotRow:
    slot: Slot
    trial: Trial | None
    job: Job | None


@dataclass(frozen=True)
class DeviceRow:
    device: Device
    slots: list[SlotRow]
    reserved: bool


@dataclass(frozen=True)
class HostRow:
    host: Host
    alive: bool
    age_seconds: float | None
    devices: list[DeviceRow]
    places: list[SlotRow]  # for short jobs, without a device


def is_reserved(device: Device, now: datetime) -> bool:
    """Whether one person keeps the device for himself at `now`, by the database's clock."""
    return device.reserved_for_id is not None and device.reserved_until is not None and device.reserved_until > now


def hosts_overview() -> list[HostRow]:
    """Every host with its devices and slots and what holds them, in five queries."""
    running = {
        trial.slot_id: trial
        for trial in Trial.objects.filter(state=Trial.State.RUNNING, slot__isnull=False).select_related("study")
    }
    jobs = {job.slot_id: job for job in Job.objects.filter(state=Job.State.RUNNING, slot__isnull=False)}
    slots = Slot.objects.filter(enabled=True).order_by("index")
    devices = Device.objects.order_by("pk").select_related("reserved_for").prefetch_related(Prefetch("slots", slots))
    rows = []
    now = database_now()
    for host in Host.objects.order_by("name").prefetch_related(Prefetch("devices", devices)):
        age = (now - host.last_seen).total_seconds() if host.last_seen else None
        found = [
            DeviceRow(
                device,
                [SlotRow(slot, running.get(slot.pk), jobs.get(slot.pk)) for slot in device.slots.all()],
                is_reserved(device, now),
            )
            for device in host.devices.all()
        ]
        rows.append(
            HostRow(
                host,
                age is not None and age < ALIVE_SECONDS,
                age,
                [row for row in found if row.device.uuid != NO_DEVICE],
                [place for row in found if row.device.uuid == NO_DEVICE for place in row.slots],
            )
        )
    return rows


def queue_counts() -> dict[str, int]:
    """What waits for a slot: {"waiting_trials", "waiting_jobs"}."""
    return {
        "waiting_trials": Trial.objects.filter(state=Trial.State.WAITING, study__state=Study.State.RUNNING).count(),
        "waiting_jobs": Job.objects.filter(state=Job.State.WAITING).count(),
    }


def live_slots() -> QuerySet[Slot]:
    """Enabled slots for trials, of hosts that are alive and not draining, on devices that nobody else holds."""
    return _in_service().filter(lane=Slot.Lane.DEVICE)


def _in_service() -> QuerySet[Slot]:
    return Slot.objects.filter(
        enabled=True,
        device__unavailable="",
        device__host__draining=False,
        device__host__last_seen__gt=before(ALIVE_SECONDS),
    )


def idle_slots(host_name: str | None = None) -> QuerySet[Slot]:
    """Slots of every lane, in service, that hold neither a trial nor a job; of one host where its name is given."""
    rows = _in_service()
    if host_name is not None:
        rows = rows.filter(device__host__name=host_name)
    return rows.exclude(trials__state=Trial.State.RUNNING).exclude(jobs__state=Job.State.RUNNING)
