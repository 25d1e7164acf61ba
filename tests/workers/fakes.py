"""A trial process without a process: the protocol's own channel over a socketpair, both ends in this test."""

import socket
from pathlib import Path
from typing import Any

from tuning.models import Slot
from tuning.runner.protocol import Channel, Message


class FakeProcess:
    """The worker's side holds `channel`; the test speaks for the trial process with `say` and reads with `heard`."""

    def __init__(self, log: Path) -> None:
        ours, theirs = socket.socketpair()
        self.channel, self._theirs = Channel(ours, send_timeout=1.0), Channel(theirs)
        self._socket = theirs
        self.pid, self.boot_id, self.started = 4242, "boot", "1000"
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

    def exit_code(self) -> int | None:
        return self.code

    def end(self) -> int:
        self.ended = True
        if self.code is None:
            self.code = -15
        return self.code


class FakeLauncher:
    """Hands out fake processes and remembers them; `script(process, start)` may speak for each at once."""

    def __init__(self, script: Any = None, error: OSError | None = None) -> None:
        self.processes: list[FakeProcess] = []
        self._script, self._error = script, error

    def launch(self, slot: Slot, log: Path) -> FakeProcess:
        if self._error is not None:
            raise self._error
        process = FakeProcess(log)
        self.processes.append(process)
        if self._script is not None:
            self._script(process)
        return process

    @property
    def process(self) -> FakeProcess:
        return self.processes[-1]
