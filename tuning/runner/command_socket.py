"""The Unix socket over which a program reports: lines of JSON in, one line of JSON back for each.

A path and not a descriptor: programs are often started through another (a launcher, a wrapper in another
language), and those close descriptors. It lies in a folder that only this account may enter.
"""

from __future__ import annotations

import contextlib
import json
import socket
from pathlib import Path
from types import TracebackType
from typing import Any

LONGEST_MESSAGE = 1 << 20
SEND_SECONDS = 5.0


class Connection:
    """One client: whole messages in, replies out."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(SEND_SECONDS)
        self._sock = sock
        self._received = bytearray()
        self.closed = False

    def fileno(self) -> int:
        return self._sock.fileno()

    def receive(self) -> list[dict[str, Any]]:
        """What has arrived; a line that is no JSON object comes as {"type": None}."""
        try:
            data = self._sock.recv(1 << 16)
        except OSError:
            data = b""
        if not data or len(self._received) > LONGEST_MESSAGE:
            self.closed = True
            return []
        self._received += data
        *lines, rest = bytes(self._received).split(b"\n")
        self._received = bytearray(rest)
        return [_document(line) for line in lines if line.strip()]

    def send(self, reply: dict[str, Any]) -> None:
        """Answer; a client that is gone or does not read is let go."""
        try:
            self._sock.sendall(json.dumps(reply).encode() + b"\n")
        except OSError:
            self.closed = True

    def close(self) -> None:
        self._sock.close()


class Listener:
    """Where clients of the program connect; each is greeted with the trial's document.

    Attributes:
        met: whether anybody has ever connected.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.greeting = "{}"
        self.met = False
        self._connections: list[Connection] = []
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._sock.setblocking(False)
        self._sock.bind(str(path))
        self._sock.listen(16)

    def fileno(self) -> int:
        return self._sock.fileno()

    def accept(self) -> Connection | None:
        """The new client, greeted; None where it has gone again."""
        try:
            sock, _ = self._sock.accept()
        except OSError:
            return None
        self.met = True
        connection = Connection(sock)
        connection.send(json.loads(self.greeting))
        self._connections.append(connection)
        return connection

    def __enter__(self) -> Listener:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for connection in self._connections:
            connection.close()
        self._sock.close()
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()


def _document(line: bytes) -> dict[str, Any]:
    try:
        document = json.loads(line)
    except ValueError:
        return {"type": None}
    return document if isinstance(document, dict) else {"type": None}
