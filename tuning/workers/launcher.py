"""Starting, watching and ending a trial process. Another backend (Slurm, say) is another Launcher."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from django.conf import settings

from tuning.models import Slot
from tuning.models.host import NO_DEVICE
from tuning.runner.protocol import Channel, Message, ProtocolError
from tuning.workers.logs import LogWriter, drain
from tuning.workers.processes import TERM_SECONDS, boot_id, end_marked, start_time
from tuning.workers.slots import process_lock, slot_mark

SECRETS = ("DATABASE_URL", "HPWEB_SECRET_KEY", "HPWEB_REDIS_URL", "DJANGO_SETTINGS_MODULE")
RUNNER = "tuning.runner"  # the module that a trial process runs; it speaks tuning.runner.protocol
SEND_SECONDS = 5.0
REST_SECONDS = 5.0  # for a process that has answered to put everything back
DRAIN_SECONDS = 0.25  # for the last of a log, which is there already unless another process holds the pipe


@dataclass(frozen=True)
class Rest:
    """What a process that has answered says of itself: resident bytes, and the state of the code it has loaded."""

    memory: int
    files: dict[str, tuple[int, int]]


class NoRest(Exception):
    """The process cannot serve another job; the message says why."""


class TrialProcess(Protocol):
    """A process that speaks the runner's protocol."""

    pid: int
    boot_id: str
    started: str  # start time in clock ticks since boot
    channel: Channel
    warm: bool  # by its hello: it serves one start after another

    def start(self, message: Message) -> None:
        """Tell it what to do. Raises ConnectionError where it is gone."""

    def exit_code(self) -> int | None:
        """None while it runs, else its code, negative for a signal."""

    def rest(self) -> Rest:
        """After an answer: close the job's log and have the process ready for another. Raises NoRest."""

    def resume(self, log: Path) -> None:
        """Take a resting process up again; its next job logs to `log`. Raises OSError."""

    def kill(self) -> None:
        """SIGKILL to it and its children, from any thread; `end` has still to follow."""

    def end(self) -> int:
        """Make sure that it and its children are gone, and close its log; returns the exit code."""


class Launcher(Protocol):
    """A backend: it launches trial processes and takes them back; what is polled and killed is the TrialProcess.

    One whose processes run on other hosts needs gauges of its own: those of a run read this host's /proc by the pid.
    """

    def launch(self, slot: Slot, log: Path, *, workload: str = "") -> TrialProcess:
        """A trial process on the slot's device that logs to `log`, for a job of `workload`. Raises OSError."""

    def finish(self, process: TrialProcess, *, clean: bool) -> None:
        """The process is no longer needed for its job; `clean` where it has answered and nothing else happened."""

    def keeps(self) -> bool:
        """Whether a process waits for the slot's next job."""

    def close(self) -> None:
        """End a process that waits."""


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


@dataclass
class LocalProcess:
    """A child of this worker, in a session of its own."""

    process: "subprocess.Popen[bytes]"
    channel: Channel
    log: LogWriter
    boot_id: str
    started: str
    mark: dict[str, str]

    def __post_init__(self) -> None:
        self.pid = self.process.pid
        self.warm = False
        if self.process.stdout is None:
            raise RuntimeError("a trial process is started with its output piped")
        self._drains = [drain(self.process.stdout, self.log)]  # what it prints outside of jobs
        self._job: threading.Thread | None = None
        self._ended = False

    def start(self, message: Message) -> None:
        reader, writer = os.pipe()
        self._job = drain(os.fdopen(reader, "rb", buffering=0), self.log)
        try:
            self.channel.send({**message, "log": True}, descriptors=(writer,))
        finally:
            os.close(writer)

    def exit_code(self) -> int | None:
        return self.process.poll()

    def rest(self) -> Rest:
        if not self.warm:
            raise NoRest("it serves one job")
        try:
            self.channel.send({"type": "rest"})
            facts = self._rested(time.monotonic() + REST_SECONDS)
        except (ConnectionError, ProtocolError) as error:
            raise NoRest(str(error)) from error
        if self._job is not None:
            self._job.join(DRAIN_SECONDS)
            if self._job.is_alive():
                raise NoRest("a process that it started still holds its log")
        self.log.close()
        return facts

    def _rested(self, deadline: float) -> Rest:
        while time.monotonic() < deadline:
            for message in self.channel.poll(0.25):
                if message["type"] == "rested":
                    return rest_of(message)
            if self.channel.eof or self.exit_code() is not None:
                raise NoRest("it has ended")
        raise NoRest(f"it was not ready within {REST_SECONDS:g} seconds")

    def resume(self, log: Path) -> None:
        self.log = LogWriter(log)

    def kill(self) -> None:
        if self.process.returncode is None:  # else its number may be somebody else's
            self._signal(signal.SIGKILL)
        end_marked(self.mark)

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
            end_marked(self.mark)  # and those that made a group or session of their own
            self.process.wait()
            self.channel.close()
            for thread in (*self._drains, *([self._job] if self._job else [])):
                thread.join(timeout=1.0)
            self.log.close()
        return self.process.wait()

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return  # nobody of the group is left


def rest_of(message: Message) -> Rest:
    """The facts of a rested message, checked: a user's code may have written it. Raises NoRest, ProtocolError."""
    if message.get("reusable") is not True:
        raise NoRest(str(message.get("why") or "it said no more"))
    memory, files = message.get("memory"), message.get("files")
    if not isinstance(memory, int) or not isinstance(files, dict):
        raise ProtocolError(f"a rested message with memory {memory!r}")
    states: dict[str, Any] = files
    if not all(isinstance(state, list) and len(state) == 2 for state in states.values()):
        raise ProtocolError("a rested message whose files are not {path: [mtime_ns, size]}")
    return Rest(memory, {path: (state[0], state[1]) for path, state in states.items()})


class LocalLauncher:
    """Trial processes as children of this worker, one for each job. Call it from the main thread only: the kernel
    ends a child when the thread that started it ends (PR_SET_PDEATHSIG)."""

    def launch(self, slot: Slot, log: Path, *, workload: str = "") -> LocalProcess:
        writer = LogWriter(log)  # first: a full disk is known before there is a process
        ours, theirs = socket.socketpair()
        lock = process_lock(slot)
        with theirs:
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    RUNNER,
                    "--channel",
                    str(theirs.fileno()),
                    "--parent",
                    str(os.getpid()),
                    *(["--lock", str(lock)] if lock else []),
                ],
                cwd=settings.BASE_DIR,
                env=environment_for(slot),
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        channel = Channel(ours, send_timeout=SEND_SECONDS)
        return LocalProcess(process, channel, writer, boot_id(), start_time(process.pid), slot_mark(slot))

    def finish(self, process: TrialProcess, *, clean: bool) -> None:
        process.end()

    def keeps(self) -> bool:
        return False

    def close(self) -> None:
        """Nothing waits: every process has ended with its job."""


def ask_to_leave(process: TrialProcess, seconds: float) -> None:
    """Let a process that has finished leave by itself, for up to `seconds`."""
    try:
        process.channel.send({"type": "exit"})
    except ConnectionError:
        return  # it has left already
    deadline = time.monotonic() + seconds
    while process.exit_code() is None and time.monotonic() < deadline:
        process.channel.poll(0.02)
