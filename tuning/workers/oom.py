"""Whether the kernel killed a trial process because memory ran out.

A process that dies by SIGKILL says nothing itself. The kernel counts its own kills for want of memory: for each cgroup
(v2: `oom_kill` in memory.events, v1: in memory.oom_control, both also for kills where the whole machine was short),
and for the machine in /proc/vmstat. Where a count has risen in the last seconds of a killed process, it was the kernel;
where none can be read, nobody knows.
"""

import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
RECENT_SECONDS = 5.0  # freeing the memory of a large process takes a while after the kill was counted


class MemoryKills:
    """Follows the kernel's count of kills for want of memory around one process."""

    def __init__(self, pid: int, count: Callable[[], int | None] | None = None) -> None:
        self._count = count or kill_counter(pid)
        self._seen: deque[tuple[float, int | None]] = deque()
        self.sample(time.monotonic())

    def sample(self, now: float) -> None:
        """Look once while the process lives; every second or so, with `now` in monotonic seconds."""
        self._seen.append((now, self._count()))
        while len(self._seen) > 1 and self._seen[1][0] <= now - RECENT_SECONDS:
            self._seen.popleft()

    def happened(self) -> bool:
        """Whether the count has risen since RECENT_SECONDS before the last look; False where it cannot be read."""
        earlier, present = self._seen[0][1], self._count()
        return earlier is not None and present is not None and present > earlier


def kill_counter(pid: int, root: Path = CGROUPS, proc: Path = Path("/proc")) -> Callable[[], int | None]:
    """What reads the count: of the process's cgroup, else of the machine; one that gives None where neither is there.

    The files are found while the process lives: a dead one has no cgroup.
    """
    candidates = [*_cgroup_files(pid, root, proc), proc / "vmstat"]
    for path in candidates:
        if _read(path) is not None:
            return lambda: _read(path)
    return lambda: None


def _cgroup_files(pid: int, root: Path, proc: Path) -> list[Path]:
    """The files of the process's cgroup that may have the count."""
    try:
        lines = (proc / str(pid) / "cgroup").read_text().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            found.append(root / path.lstrip("/") / "memory.events")
        elif "memory" in controllers.split(","):
            found.append(root / "memory" / path.lstrip("/") / "memory.oom_control")
    return found


def _read(path: Path) -> int | None:
    try:
        for line in path.read_text().splitlines():
            name, _, value = line.partition(" ")
            if name == "oom_kill":
                return int(value)
    except (OSError, ValueError):
        return None
    return None
