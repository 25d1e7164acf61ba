"""Which device may run a waiting job: one of its lane, on the host that it is for, and for training what trials ask."""

from tuning.models import Device, Offering, Slot
from tuning.selectors.job_kinds import lane_of
from tuning.selectors.requirements import NOTHING, memory_taken, needs_of
from tuning.selectors.reservations import reserved_devices


def suits(
    slot: Slot, kind: str, host: str | None, workload: str | None, digest: str | None, requested_by: int | None
) -> bool:
    """Whether the slot may run such a job now: of this kind, for this host (None: any), by this person.

    One that trains a workload needs the workload's code, memory and labels, and no reservation for another person.
    """
    if lane_of(kind) != slot.lane or (host and host != slot.device.host.name):
        return False
    if slot.lane != Slot.Lane.DEVICE or not workload:
        return True
    return _trains(slot.device, workload, digest or "", requested_by)


def _trains(device: Device, workload: str, digest: str, requested_by: int | None) -> bool:
    needs = needs_of([workload]).get(workload, NOTHING)
    taken = memory_taken([device.pk]).get(device.pk, 0) if needs.memory else 0
    holder = reserved_devices(Device.objects.filter(pk=device.pk)).get(device.pk)
    return (
        needs.met_by(device, device.host, taken)
        and (holder is None or holder == requested_by)
        and (not digest or offers(device.host_id, workload, digest))
    )


def offers(host_id: int, workload: str, digest: str) -> bool:
    """Whether the host has this code, or may have it because it has never looked."""
    rows = Offering.objects.filter(host_id=host_id)
    if not rows.filter(described__isnull=False).exists():
        return not rows.filter(workload=workload).exclude(digest=digest).exists()
    return rows.filter(workload=workload, digest=digest).exists()
