"""Trial processes as children of the worker: the launcher of one machine."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from tuning.models import Attempt, Slot
from tuning.runner.protocol import Channel, Message, ProtocolError
from tuning.workers import launcher
from tuning.workers.gauges import Gauge
from tuning.workers.launcher import Launcher, NoRest, Rest, environment_for
from tuning.workers.logs import LogWriter, drain
from tuning.workers.oom import MemoryKills
from tuning.workers.processes import TERM_SECONDS, attempt_alive, boot_id, end_marked, end_session, start_time
from tuning.workers.slots import process_lock, slot_mark

SEND_SECONDS = 5.0
REST_SECONDS = 5.0  # for a process that has answered to put everything back
DRAIN_SECONDS = 0.25  # for the last of a log, which is there already unless another process holds the pipe


class LocalUsage:
    """The gauges of a job, and the kernel's count of kills for want of memory around its process."""

    def __init__(self, pid: int, slot: Slot) -> None:
        self.gauge, self.kills = Gauge(pid, slot), MemoryKills(pid)

    @property
    def peak_memory(self) -> int | None:
        return self.gauge.peak_memory

    @property
    def utilisation(self) -> float | None:
        return self.gauge.utilisation

    def sample(self, now: float) -> None:
        self.gauge.sample()
        self.kills.sample(now)

    def note_memory(self, used: int | None) -> None:
        self.gauge.note_memory(used)

    def out_of_memory(self) -> bool:
        return self.kills.happened()


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
        self.pid: int = self.process.pid
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

    def usage(self, slot: Slot) -> LocalUsage:
        return LocalUsage(self.pid, slot)

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


class LocalLauncher(Launcher):
    """Trial processes as children of this worker, one for each job. Launch from the main thread only: the kernel
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
                    launcher.RUNNER,
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

    def alive(self, attempt: Attempt) -> bool:
        return attempt_alive(attempt)

    def end_leftover(self, attempt: Attempt) -> None:
        if attempt.pid and attempt_alive(attempt):
            end_session(attempt.pid)
            if attempt.slot:
                end_marked(slot_mark(attempt.slot))

    def clear(self, slot: Slot) -> None:
        end_marked(slot_mark(slot))
