"""Starting, watching and ending a trial process. Another backend (Slurm, say) is another Launcher."""

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from django.conf import settings

from tuning.models import Slot
from tuning.runner.protocol import Channel
from tuning.workers.logs import LogWriter, drain
from tuning.workers.processes import TERM_SECONDS, boot_id, start_time

SECRETS = ("DATABASE_URL", "HPWEB_SECRET_KEY", "HPWEB_REDIS_URL", "DJANGO_SETTINGS_MODULE")
SEND_SECONDS = 5.0


class TrialProcess(Protocol):
    """A process that speaks the runner's protocol."""

    pid: int
    boot_id: str
    started: str  # start time in clock ticks since boot
    channel: Channel

    def exit_code(self) -> int | None:
        """None while it runs, else its code, negative for a signal."""

    def end(self) -> int:
        """Make sure that it and its children are gone, and close its log; returns the exit code."""


class Launcher(Protocol):
    def launch(self, slot: Slot, log: Path) -> TrialProcess:
        """Start a trial process on the slot's device that logs to `log`."""


def environment_for(slot: Slot) -> dict[str, str]:
    """What a trial process may see: no secrets, its own device alone, and its share of the cores."""
    environment = {name: value for name, value in os.environ.items() if name not in SECRETS}
    device = "" if slot.device.uuid == "cpu" else slot.device.uuid
    threads = str(slot.threads)
    environment |= {
        "CUDA_VISIBLE_DEVICES": device,
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "PYTHONUNBUFFERED": "1",
        "HPWEB_WORKLOADS": settings.WORKLOADS,
        "HPWEB_WORKLOAD_DIR": settings.WORKLOAD_DIR,
        "HPWEB_DATA_DIR": settings.DATA_DIR,
    }
    return environment


@dataclass
class LocalProcess:
    """A child of this worker, in a session of its own."""

    process: "subprocess.Popen[bytes]"
    channel: Channel
    log: LogWriter
    boot_id: str
    started: str

    def __post_init__(self) -> None:
        self.pid = self.process.pid
        if self.process.stdout is None:
            raise RuntimeError("a trial process is started with its output piped")
        self._drain = drain(self.process.stdout, self.log)
        self._ended = False

    def exit_code(self) -> int | None:
        return self.process.poll()

    def end(self) -> int:
        if not self._ended:
            self._ended = True
            if self.process.poll() is None:
                self._signal(signal.SIGTERM)
                try:
                    self.process.wait(TERM_SECONDS)
                except subprocess.TimeoutExpired:
                    self._signal(signal.SIGKILL)
            self._signal(signal.SIGKILL)  # grandchildren that outlived it
            self.process.wait()
            self.channel.close()
            self._drain.join(timeout=1.0)
            self.log.close()
        return self.process.wait()

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return  # nobody of the group is left


class LocalLauncher:
    """Trial processes as children of this worker. Call it from the main thread only: the kernel ends a child when
    the thread that started it ends (PR_SET_PDEATHSIG)."""

    def launch(self, slot: Slot, log: Path) -> LocalProcess:
        writer = LogWriter(log)  # first: a full disk is known before there is a process
        ours, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "tuning.runner",
                    "--channel",
                    str(theirs.fileno()),
                    "--parent",
                    str(os.getpid()),
                ],
                cwd=settings.BASE_DIR,
                env=environment_for(slot),
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        return LocalProcess(
            process, Channel(ours, send_timeout=SEND_SECONDS), writer, boot_id(), start_time(process.pid)
        )


def ask_to_leave(process: TrialProcess, seconds: float) -> None:
    """Let a process that has finished leave by itself, for up to `seconds`."""
    try:
        process.channel.send({"type": "exit"})
    except ConnectionError:
        return  # it has left already
    deadline = time.monotonic() + seconds
    while process.exit_code() is None and time.monotonic() < deadline:
        process.channel.poll(0.02)
