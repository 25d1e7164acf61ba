"""What a workload requires of a device and its host, and whether they have it."""

from collections.abc import Iterable
from dataclasses import dataclass

from tuning.models import Device, Host, Job, Slot, Trial, Workload


@dataclass(frozen=True)
class Needs:
    """Memory of the device in bytes (on a CPU the host's), and labels that the host must offer."""

    memory: int | None = None
    labels: tuple[str, ...] = ()

    def met_by(self, device: Device, host: Host, taken: int = 0) -> bool:
        """Whether a trial may run there; `taken` bytes are promised to trials that run on the device now.

        A device that does not tell its memory has none that could be counted on.
        """
        return self.fits_into(device, taken) and set(self.labels) <= set(host.labels)

    def fits_into(self, device: Device, taken: int = 0) -> bool:
        return self.memory is None or (device.memory is not None and self.memory + taken <= device.memory)

    def words(self) -> str:
        """The requirements as a list; empty where there are none."""
        memory = [f"{size_words(self.memory)} of device memory"] if self.memory is not None else []
        return " and ".join([*memory, *[f"the label {label}" for label in self.labels]])


NOTHING = Needs()


def needs_of(workloads: Iterable[str]) -> dict[str, Needs]:
    """What the workloads require, by name; those without requirements are left out. One query."""
    rows = Workload.objects.filter(name__in=set(workloads)).values_list("name", "memory", "labels")
    found = {name: Needs(memory, tuple(labels)) for name, memory, labels in rows}
    return {name: needs for name, needs in found.items() if needs != NOTHING}


def memory_taken(devices: Iterable[int]) -> dict[int, int]:
    """Bytes that the workloads of running trials and jobs require, by device; those without any are left out.

    Three queries.
    """
    among = list(devices)
    trials = Trial.objects.filter(state=Trial.State.RUNNING, slot__device__in=among)
    jobs = Job.objects.filter(state=Job.State.RUNNING, slot__device__in=among, slot__lane=Slot.Lane.DEVICE)
    running = list(trials.values_list("slot__device_id", "study__workload"))
    running += [(device_id, str(args.get("workload"))) for device_id, args in jobs.values_list("slot__device", "args")]
    needs = needs_of(workload for _, workload in running) if running else {}
    taken: dict[int, int] = {}
    for device_id, workload in running:
        if memory := needs.get(workload, NOTHING).memory:
            taken[device_id] = taken.get(device_id, 0) + memory
    return taken


def size_words(size: int | None) -> str:
    """Bytes in the units of memory's makers: 8 GB, 85.5 GB, 512 MB (powers of 1000)."""
    if size is None:
        return "unknown"
    for unit, factor in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6)):
        if size >= factor:
            return f"{size / factor:.3g} {unit}" if size < 1000 * factor else f"{size / factor:,.0f} {unit}"
    return f"{size:,} bytes"
