"""Launch, poll and kill: all that the rest of hpweb knows of how trial processes are run.

`Launcher` is a backend, `TrialProcess` what it launches, `Usage` what it measures. Runs, tasks and the supervisor use
these alone; tuning/workers/local.py has the one for this machine, and settings.LAUNCHER names it. Another (Slurm, say)
is another module with these three, and passes tests/workers/launcher_contract.py.
"""

import os
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from django.conf import settings
from django.utils.module_loading import import_string

from tuning.models import Attempt, Slot
from tuning.models.host import NO_DEVICE
from tuning.runner.protocol import Channel, Message
from tuning.workers.slots import slot_mark

SECRETS = ("DATABASE_URL", "HPWEB_SECRET_KEY", "HPWEB_REDIS_URL", "DJANGO_SETTINGS_MODULE")
RUNNER = "tuning.runner"  # the module that a trial process runs; it speaks tuning.runner.protocol


@dataclass(frozen=True)
class Rest:
    """What a process that has answered says of itself: resident bytes, and the state of the code it has loaded."""

    memory: int
    files: dict[str, tuple[int, int]]


class NoRest(Exception):
    """The process cannot serve another job; the message says why."""


class Usage(Protocol):
    """What one job used of its device, measured from outside of its process."""

    @property
    def peak_memory(self) -> int | None:
        """The most that it had at any time, in bytes; None where that is not known."""

    @property
    def utilisation(self) -> float | None:
        """The mean busy share of the device (or of the slot's threads), 0 to 1."""

    def sample(self, now: float) -> None:
        """Look once; every second or so, with `now` in monotonic seconds. What has ended takes nothing back."""

    def note_memory(self, used: int | None) -> None:
        """Take a measurement of memory, in bytes, from elsewhere into account."""

    def out_of_memory(self) -> bool:
        """Of a process that was killed: whether it was for want of memory, as far as one can know."""


class TrialProcess(Protocol):
    """A process that speaks the runner's protocol.

    Its number, place and start are stored with its attempt: by them a launcher that knows nothing else finds it.
    """

    boot_id: str  # where that number counts: this boot of this machine, or a batch system's name (36 letters at most)
    started: str  # what tells it from another with this number: its start, or its name (32 letters at most)
    channel: Channel
    warm: bool  # by its hello: it serves one start after another

    @property
    def pid(self) -> int | None:
        """Its number, a process's or a job's; None where it has only a name."""

    def start(self, message: Message) -> None:
        """Tell it what to do. Raises ConnectionError where it is gone."""

    def exit_code(self) -> int | None:
        """None while it runs, else its code, negative for a signal; -9 where it was killed from outside."""

    def usage(self, slot: Slot) -> Usage:
        """Measure what its next job uses of the slot's device."""

    def rest(self) -> Rest:
        """After an answer: close the job's log and have the process ready for another. Raises NoRest."""

    def resume(self, log: Path) -> None:
        """Take a resting process up again; its next job logs to `log`. Raises OSError."""

    def kill(self) -> None:
        """SIGKILL to it and all that it started, from any thread, without the database; `end` has still to follow."""

    def end(self) -> int:
        """Make sure that it and all that it started are gone, and close its log; returns the exit code."""


class Launcher(ABC):
    """A backend. A task of a slot uses one for as long as it works; the supervisor has one of its own.

    `alive`, `end_leftover` and `clear` are for whoever comes after a worker that was killed: they know the attempt's
    row or the slot, and no TrialProcess.
    """

    @abstractmethod
    def launch(self, slot: Slot, log: Path, *, workload: str = "") -> TrialProcess:
        """A trial process on the slot's device that logs to `log`, for a job of `workload`. Raises OSError."""

    @abstractmethod
    def alive(self, attempt: Attempt) -> bool:
        """Whether the process that ran this attempt still runs."""

    @abstractmethod
    def end_leftover(self, attempt: Attempt) -> None:
        """End that process and all that it started; nothing where it has ended, or its number is another's by now."""

    @abstractmethod
    def clear(self, slot: Slot) -> None:
        """End everything that was ever launched on the slot; only for one who holds its lock. The next may start."""

    def finish(self, process: TrialProcess, *, clean: bool) -> None:
        """The process is no longer needed for its job; `clean` where it has answered and nothing else happened."""
        process.end()

    def keeps(self) -> bool:
        """Whether a process waits for the slot's next job."""
        return False

    def close(self) -> None:  # noqa: B027 - most keep none
        """End a process that waits."""


def configured_launcher() -> Launcher:
    """A new launcher of the kind that settings.LAUNCHER names."""
    launcher: Launcher = import_string(settings.LAUNCHER)()
    return launcher


def environment_for(slot: Slot) -> dict[str, str]:
    """What a trial process may see: no secrets, its own device alone, and its share of the cores."""
    environment = {name: value for name, value in os.environ.items() if name not in SECRETS}
    device = "" if slot.device.uuid in ("cpu", NO_DEVICE) else slot.device.uuid
    threads = str(slot.threads)
    environment |= {
        "CUDA_VISIBLE_DEVICES": device,
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "NUMEXPR_NUM_THREADS": threads,
        # Threads that wait for each other by spinning bring a machine with more work than cores to a standstill.
        "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "PASSIVE"),
        "PYTHONUNBUFFERED": "1",
        "HPWEB_WORKLOADS": settings.WORKLOADS,
        "HPWEB_WORKLOAD_DIR": settings.WORKLOAD_DIR,
        "HPWEB_DATA_DIR": settings.DATA_DIR,
        "HPWEB_PROGRAMS": settings.PROGRAMS or str(Path(settings.STATE_DIR) / "programs.toml"),
    }
    return environment | slot_mark(slot)


def ask_to_leave(process: TrialProcess, seconds: float) -> None:
    """Let a process that has finished leave by itself, for up to `seconds`."""
    try:
        process.channel.send({"type": "exit"})
    except ConnectionError:
        return  # it has left already
    deadline = time.monotonic() + seconds
    while process.exit_code() is None and time.monotonic() < deadline:
        process.channel.poll(0.02)
