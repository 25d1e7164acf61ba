"""A process with torch imported that serves one job of its slot after another: a cold start takes 3 to 4 seconds.

It belongs to one task of the slot, which holds the slot's lock for as long as the process lives, so there are never two
for a slot. It is kept only after a job that it answered in order; anything else (an error, a kill, a cancel, growing
memory, changed code, a changed environment) ends it, and the next job starts cold. So does the end of its time, also
where the task that should look at the clock hangs in a query of a database that does not answer.
"""

import logging
import os
import threading
from pathlib import Path

from django.conf import settings

from tuning.models import Attempt, Slot
from tuning.workers.launcher import Launcher, NoRest, Rest, TrialProcess, configured_launcher, environment_for

logger = logging.getLogger(__name__)

HUNG_SECONDS = 5.0  # beyond a process's time, after which its task is taken to hang


class WarmLauncher(Launcher):
    """A launcher for one slot that keeps the process of a job that ended well, for the next of the same workload."""

    def __init__(self, launcher: Launcher | None = None) -> None:
        self._launcher = launcher or configured_launcher()
        self._kept: TrialProcess | None = None
        self._rest: Rest | None = None
        self._environment: dict[str, str] = {}
        self._workload = ""
        self._served = 0
        self._first_memory = 0
        self._alarm: threading.Timer | None = None

    def launch(self, slot: Slot, log: Path, *, workload: str = "") -> TrialProcess:
        """The process that waits, if it is still fit for this job, else a new one."""
        kept = self._taken()
        if kept is not None:
            why = self._outdated(kept, slot, workload)
            if not why:
                try:
                    kept.resume(log)
                except OSError:
                    kept.end()
                    raise
                return kept
            self._recycle(kept, why)
        self._environment, self._workload = environment_for(slot), workload
        self._served = self._first_memory = 0
        return self._launcher.launch(slot, log, workload=workload)

    def alive(self, attempt: Attempt) -> bool:
        return self._launcher.alive(attempt)

    def end_leftover(self, attempt: Attempt) -> None:
        self._launcher.end_leftover(attempt)

    def clear(self, slot: Slot) -> None:
        self._launcher.clear(slot)

    def finish(self, process: TrialProcess, *, clean: bool) -> None:
        """Keep the process where it may serve another job, else end it."""
        if not clean or settings.WARM_SECONDS <= 0:
            self._launcher.finish(process, clean=clean)
            return
        try:
            rest = process.rest()
        except NoRest as why:
            self._recycle(process, str(why))
            return
        self._served += 1
        self._first_memory = self._first_memory or rest.memory
        if why_not := self._worn(rest):
            self._recycle(process, why_not)
        else:
            self._kept, self._rest = process, rest
            self._alarm = threading.Timer(settings.WARM_SECONDS + HUNG_SECONDS, process.kill)
            self._alarm.daemon = True
            self._alarm.start()

    def keeps(self) -> bool:
        return self._kept is not None and self._kept.exit_code() is None

    def close(self) -> None:
        kept = self._taken()
        if kept is not None:
            kept.end()

    def _taken(self) -> TrialProcess | None:
        """The process that waited, which is kept no more; None where there was none."""
        kept, self._kept = self._kept, None
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm.join()  # a kill that has begun is over, and seen, before the process is used
            self._alarm = None
        return kept

    def _worn(self, rest: Rest) -> str:
        grown = (rest.memory - self._first_memory) / 2**20
        if grown > settings.WARM_GROWTH_MB:
            return f"its memory has grown by {grown:.0f} MB since its first trial"
        if self._served >= settings.WARM_TRIALS:
            return f"it has served {self._served} jobs"
        return ""

    def _outdated(self, kept: TrialProcess, slot: Slot, workload: str) -> str:
        if kept.exit_code() is not None:
            return "it has ended while it waited"
        if workload != self._workload:
            return f"it has {self._workload or 'all workloads'} loaded, and what that sets when it is imported"
        if environment_for(slot) != self._environment:
            return "its environment has changed"
        changed = [path for path, state in (self._rest.files if self._rest else {}).items() if _state(path) != state]
        return f"{Path(changed[0]).name} has changed" if changed else ""

    def _recycle(self, process: TrialProcess, why: str) -> None:
        logger.info("process %s ends after %s jobs: %s", process.pid, self._served, why)
        process.end()


def _state(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
