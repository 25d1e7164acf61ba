"""A trial process without a process: the protocol's own channel over a socketpair, both ends in this test."""

import socket
from pathlib import Path
from typing import Any

from tuning.models import Attempt, Slot
from tuning.runner.protocol import Channel, Message
from tuning.workers.launcher import Launcher, NoRest, Rest
from tuning.workers.local import LocalUsage


class FakeProcess:
    """The worker's side holds `channel`; the test speaks for the trial process with `say` and reads with `heard`."""

    def __init__(self, log: Path) -> None:
        ours, theirs = socket.socketpair()
        self.channel, self._theirs = Channel(ours, send_timeout=1.0), Channel(theirs)
        self._socket = theirs
        self.pid, self.boot_id, self.started = 4242, "boot", "1000"
        self.warm = False
        self.logs = [log]
        self.rests: list[Rest | str] = []  # its answers to a rest, the last for ever; a text is a refusal
        self.code: int | None = None
        self.ended = False
        self.log = log

    def say(self, *messages: Message) -> None:
        for message in messages:
            self._theirs.send(message)

    def say_raw(self, data: bytes) -> None:
        self._socket.sendall(data)

    def heard(self) -> list[Message]:
        return self._theirs.poll(0.0)

    def die(self, code: int, words: str = "") -> None:
        """End without a result."""
        self.code = code
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.log.write_text(words)
        self._theirs.close()

    def start(self, message: Message) -> None:
        self.channel.send(message)

    def usage(self, slot: Slot) -> LocalUsage:
        return LocalUsage(self.pid, slot)

    def rest(self) -> Rest:
        answer = self.rests.pop(0) if len(self.rests) > 1 else self.rests[0] if self.rests else "it serves one job"
        if isinstance(answer, str):
            raise NoRest(answer)
        return answer

    def resume(self, log: Path) -> None:
        self.logs.append(log)

    def exit_code(self) -> int | None:
        return self.code

    def kill(self) -> None:
        self.die(-9)

    def end(self) -> int:
        self.ended = True
        if self.code is None:
            self.code = -15
        return self.code


class FakeLauncher(Launcher):
    """Hands out fake processes and remembers them; `script(process, start)` may speak for each at once."""

    def __init__(self, script: Any = None, error: OSError | None = None) -> None:
        self.processes: list[FakeProcess] = []
        self.finished: list[bool] = []  # for each process in turn: did its job end in order?
        self.closed = 0
        self.cleared: list[int] = []  # slots
        self._script, self._error = script, error

    def launch(self, slot: Slot, log: Path, *, workload: str = "") -> FakeProcess:
        if self._error is not None:
            raise self._error
        process = FakeProcess(log)
        self.processes.append(process)
        if self._script is not None:
            self._script(process)
        return process

    def finish(self, process: FakeProcess, *, clean: bool) -> None:
        self.finished.append(clean)
        process.end()

    def alive(self, attempt: Attempt) -> bool:
        return False

    def end_leftover(self, attempt: Attempt) -> None:
        raise AssertionError("nothing is left of a process that is none")

    def clear(self, slot: Slot) -> None:
        self.cleared.append(slot.pk)

    def close(self) -> None:
        self.closed += 1

    @property
    def process(self) -> FakeProcess:
        return self.processes[-1]
