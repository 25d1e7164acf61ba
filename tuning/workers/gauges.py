"""What one attempt used of its device: the most memory, and how busy it was. Read from outside of its process."""

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tuning.models import Slot
from tuning.workers.gpus import Gpus, gpus
from tuning.workers.processes import family

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Gauge:
    """Follows a process and everything below it (a program, its loaders) from its attempt's start to its end.

    Memory is what they hold of the GPU, or of this machine's memory on the CPU: pages that several of them share count
    once. Utilisation is the mean share of time in which the GPU computed (the whole GPU: two trials on one cannot be
    told apart), or the share of the slot's threads that were busy.
    """

    pid: int
    slot: Slot
    driver: Gpus | None = field(default_factory=lambda: gpus())
    peak_memory: int | None = None
    samples: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._began, self._busy = time.monotonic(), processor_seconds(family(self.pid))

    def sample(self) -> None:
        """Look once; every second or so."""
        members = family(self.pid)
        if self.slot.device.uuid == "cpu":
            for pid in members:
                self.note_memory(resident_peak(pid))  # also between two looks
            if len(members) > 1:
                self.note_memory(resident_now(members))
            wall, busy = time.monotonic() - self._began, processor_seconds(members)
            if busy is not None and self._busy is not None and wall > 0:
                self.samples = [min(1.0, (busy - self._busy) / (wall * max(1, self.slot.threads)))]
        elif self.driver is not None:
            self.note_memory(self.driver.memory_of(self.slot.device.uuid, members))
            share = self.driver.utilisation(self.slot.device.uuid)
            if share is not None:
                self.samples.append(share)

    def note_memory(self, used: int | None) -> None:
        """Take a measurement of memory, in bytes, from elsewhere into account."""
        if used is not None and used > (self.peak_memory or 0):
            self.peak_memory = used

    @property
    def utilisation(self) -> float | None:
        return sum(self.samples) / len(self.samples) if self.samples else None


def resident_peak(pid: int) -> int | None:
    """The most bytes that a process has had in memory since its job began; None where it is gone."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        return None
    return None


def resident_now(pids: Iterable[int]) -> int | None:
    """Bytes that processes have in memory together, a page that n processes share as 1/n of each (the kernel's PSS)."""
    shares = []
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue  # it ended while we looked
        shares += [int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")]
    return sum(shares) if shares else None


def processor_seconds(pids: Iterable[int]) -> float | None:
    """Processor time of processes and of their children that have ended; None where all of them are gone."""
    ticks = []
    for pid in pids:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            continue  # it ended while we looked; its parent has its time
        fields = stat[stat.rindex(")") + 2 :].split()
        ticks.append(sum(int(number) for number in fields[11:15]))
    return sum(ticks) / TICKS if ticks else None
