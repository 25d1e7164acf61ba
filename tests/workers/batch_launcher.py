"""hpweb's side of the batch system in tests/workers/batch.py: what a module for Slurm would have."""

import time
import uuid
from pathlib import Path

from django.conf import settings

from tests.workers.batch import JOB, Line, Queue
from tuning.models import Attempt, Slot
from tuning.runner.protocol import Message
from tuning.workers import launcher
from tuning.workers.gauges import processor_seconds, resident_now
from tuning.workers.launcher import Launcher, NoRest, Rest, environment_for
from tuning.workers.processes import marked

CLUSTER = "batch"


class BatchUsage:
    """What a job's processes hold and compute, as the batch system's accounting would tell."""

    def __init__(self, name: str, threads: int) -> None:
        self._name, self._threads, self._began = name, max(1, threads), time.monotonic()
        self.peak_memory: int | None = None
        self.utilisation: float | None = None

    def sample(self, now: float) -> None:
        members = marked({JOB: self._name})
        self.note_memory(resident_now(members))
        busy = processor_seconds(members)
        if busy is not None and now > self._began:
            self.utilisation = min(1.0, busy / (now - self._began) / self._threads)

    def note_memory(self, used: int | None) -> None:
        self.peak_memory = max(used or 0, self.peak_memory or 0) or None

    def out_of_memory(self) -> bool:
        return False


class BatchProcess:
    """A job that was submitted; it may wait for a while."""

    pid, boot_id = None, CLUSTER

    def __init__(self, queue: Queue, name: str, line: Line) -> None:
        self.queue, self.started, self.channel = queue, name, line.channel
        self.warm = False
        self._line = line

    def start(self, message: Message) -> None:
        self.channel.send(message)

    def exit_code(self) -> int | None:
        return self.queue.code(self.started)

    def usage(self, slot: Slot) -> BatchUsage:
        return BatchUsage(self.started, slot.threads)

    def rest(self) -> Rest:
        raise NoRest("a batch job serves one job of ours")

    def resume(self, log: Path) -> None:
        raise OSError("a batch job serves one job of ours")

    def kill(self) -> None:
        self.queue.cancel(self.started)

    def end(self) -> int:
        self.queue.cancel(self.started)
        self._line.close()
        code = self.exit_code()
        if code is None:
            raise RuntimeError(f"{self.started} was cancelled and runs")
        return code


class BatchLauncher(Launcher):
    """Trial processes as jobs of a batch system, named after their slots."""

    def __init__(self) -> None:
        self.queue = Queue(Path(settings.STATE_DIR) / "batch")

    def launch(self, slot: Slot, log: Path, *, workload: str = "") -> BatchProcess:
        name, line = f"{_prefix(slot)}{uuid.uuid4().hex[:8]}", Line()
        try:
            self.queue.submit(name, line.port, launcher.RUNNER, log, environment_for(slot))
        except OSError:
            line.close()
            raise
        return BatchProcess(self.queue, name, line)

    def alive(self, attempt: Attempt) -> bool:
        return attempt.boot_id == CLUSTER and self.queue.code(attempt.process_started) is None

    def end_leftover(self, attempt: Attempt) -> None:
        if attempt.boot_id == CLUSTER:
            self.queue.cancel(attempt.process_started)

    def clear(self, slot: Slot) -> None:
        for name in self.queue.names(_prefix(slot)):
            self.queue.cancel(name)


def _prefix(slot: Slot) -> str:
    return f"hpweb-{slot.pk or 0}-"
