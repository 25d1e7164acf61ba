"""The runner's protocol: JSON lines over one socketpair, all that workers and trial processes share.

A worker makes a socketpair, keeps one end and starts `python -m tuning.runner --channel FD --parent PID` with
the other. Standard output and error of that process are logs and never carry a message. This module needs
the standard library only.

Worker to runner
    start          kind ("train", "describe", "split", "objective", "command", "preflight", "finalise"), spec: one
                   result or one error follows; with log = true a descriptor travels along, for the job's standard
                   output and error
    stop, pause    finish the running job now: its result says stopped = true or "pause"; idle: no effect
    suggest_reply  id, and value or error: the answer to a suggest
    data_reply     id, go: the answer to a data; false: the study is pinned to others
    rest           (after an answer) is this process fit for another job? A rested follows
    exit           finish as by stop, answer, and leave

Runner to worker
    hello          pid, protocol, python, torch (null: not loaded yet), warm (true: it serves one start after
                   another and answers rest); sent before torch is imported
    step           step (finished epochs, 1-based), metrics {name: float}, wall (unix seconds)
    checkpoint     kind ("last" or "best"), step, path: sent once the file is complete on disk
    suggest        id, name, distribution (a parameter in the search space's JSON form)
    data           id, digest: what this job has read, of a study that was not pinned to data when it was started
    finding        rule, severity, message, evidence, fix
    looking        (describe) source: the file or module that is imported next
    found          (describe) workloads: what that source has
    check          (preflight) rule, title, status ("passed", "info", "warning", "failed", "skipped"), says, means,
                   todo, evidence, plot, seconds: sent as each check ends
    trained        (finalise) number (of the seeds, from 0), step (finished epochs): now and then, nothing measured
    result         the fields that belong to the kind
    error          reason_code ("diverged", "out_of_memory", "disk_full", "code_error"), message,
                   traceback, remedy
    refused        digest (of what this host has, "" for nothing): the spec's digest is of other code; or
                   data_digest ("" where they cannot be read: error), kept: the study is pinned to other data; kept
                   says that they may be what the process holds from an earlier job and not what the host has now
    rested         reusable, why (not), memory (resident bytes), files (the code that it has loaded:
                   {path: [mtime_ns, size]})

JSON has no NaN and no infinities: they travel as {"$f": "nan"}, {"$f": "inf"} and {"$f": "-inf"}.
"""

from __future__ import annotations

import array
import json
import math
import os
import select
import socket
import time
from collections.abc import Sequence
from typing import Any

VERSION = 2
MAX_LINE = 16 * 1024 * 1024
READ_BYTES = 256 * 1024  # taken at once, a line that is longer apart: what a reader does not take slows the writer
MAX_DESCRIPTORS = 4  # with one message

Message = dict[str, Any]

_TAG = "$f"
_FROM_TAG = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


class ProtocolError(ValueError):
    """A line that is not one message of this protocol."""


class ChannelClosed(ConnectionError):
    """The other end is gone, or has not read for so long that a message could not be delivered."""


def tag_non_finite(value: Any) -> Any:
    """Return `value` with every non-finite float replaced by its tag; dicts, lists and tuples are copied.

    Raises:
        ProtocolError: a dict already has the reserved key "$f", or a key that is not a string.
    """
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        return {_TAG: "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"}
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise ProtocolError(f"a message's keys are strings, not {type(key).__name__} ({key!r})")
        if _TAG in value:
            raise ProtocolError(f"the key {_TAG!r} is reserved for non-finite numbers")
        return {key: tag_non_finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [tag_non_finite(item) for item in value]
    return value


def _restore_non_finite(document: dict[str, Any]) -> Any:
    if _TAG not in document:
        return document
    number = _FROM_TAG.get(document[_TAG]) if isinstance(document[_TAG], str) else None
    if number is None or len(document) != 1:
        raise ProtocolError(f'{document!r} is not a non-finite number; {{"{_TAG}": "nan"}} would be one')
    return number


def _refuse_constant(name: str) -> Any:
    raise ProtocolError(f'{name} is not JSON; non-finite numbers travel as {{"{_TAG}": "nan"}}')


def encode(message: Message) -> bytes:
    """Return `message` as one line of strict JSON, the newline included.

    Raises:
        ProtocolError: no "type", a value that JSON cannot hold, or a line of more than MAX_LINE bytes.
    """
    if not isinstance(message.get("type"), str):
        raise ProtocolError('a message needs a "type", such as {"type": "stop"}')
    try:
        text = json.dumps(tag_non_finite(message), allow_nan=False, separators=(",", ":"))
    except TypeError as error:
        raise ProtocolError(f"the message of type {message['type']!r} cannot be sent: {error}") from error
    line = text.encode() + b"\n"
    if len(line) > MAX_LINE:
        raise ProtocolError(
            f"the message of type {message['type']!r} has {len(line)} bytes; at most {MAX_LINE} can be sent"
        )
    return line


def decode(line: bytes) -> Message:
    """Return the message that one line holds.

    Raises:
        ProtocolError: the line is not strict JSON, or not an object with a "type".
    """
    try:
        message = json.loads(line, object_hook=_restore_non_finite, parse_constant=_refuse_constant)
    except ProtocolError:
        raise
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"not a line of JSON: {line[:80]!r}") from error
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise ProtocolError(f'not an object with a "type": {line[:80]!r}')
    return message


class Channel:
    """One end of the socketpair: whole messages in, whole messages out, in order.

    `send_timeout` (seconds, None: no limit) bounds how long a send waits for an end that has stopped reading.
    With `takes_descriptors` the other end may pass open files along; without, the kernel closes what comes.
    Used by one thread at a time.
    """

    def __init__(
        self, sock: socket.socket, *, send_timeout: float | None = None, takes_descriptors: bool = False
    ) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._send_timeout = send_timeout
        self._takes_descriptors = takes_descriptors
        self._descriptors: list[int] = []
        self._received = bytearray()
        self._scanned = 0
        self._eof = False

    @property
    def eof(self) -> bool:
        """Whether the other end has closed and everything that it sent has been handed out.

        A process that still runs may have closed its end, and a grandchild may hold the end of one that is
        dead: the end of a process is what waitpid says.
        """
        return self._eof

    def fileno(self) -> int:
        """The socket's descriptor, for select."""
        return self._sock.fileno()

    def close(self) -> None:
        """Close this end; a second call changes nothing."""
        self._sock.close()
        while self._descriptors:
            os.close(self._descriptors.pop())

    def take_descriptor(self) -> int | None:
        """Return the next descriptor that came with a message, which the caller closes; None if there is none."""
        return self._descriptors.pop(0) if self._descriptors else None

    def send(self, message: Message, *, descriptors: Sequence[int] = ()) -> None:
        """Deliver `message` to the other end's buffer, and copies of open `descriptors` with its first byte.

        Raises:
            ProtocolError: the message cannot be expressed (see encode); nothing was sent.
            ChannelClosed: the other end is gone or has not read for `send_timeout`; close the channel.
        """
        remaining = memoryview(encode(message))
        deadline = None if self._send_timeout is None else time.monotonic() + self._send_timeout
        while remaining:
            try:
                if descriptors:
                    packed = array.array("i", descriptors)
                    control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, packed.tobytes())]
                    remaining = remaining[self._sock.sendmsg([remaining], control) :]
                    descriptors = ()
                else:
                    remaining = remaining[self._sock.send(remaining) :]
            except (BlockingIOError, InterruptedError):
                wait = None if deadline is None else max(0.0, deadline - time.monotonic())
                if not _wait(self._sock, select.POLLOUT, wait) and wait is not None:
                    raise ChannelClosed(f"the other end has not read for {self._send_timeout} seconds") from None
            except OSError as error:
                raise ChannelClosed("the other end of the channel is gone") from error

    def poll(self, timeout: float | None = 0.0) -> list[Message]:
        """Return what has arrived, waiting up to `timeout` seconds (None: no limit) for a first message.

        At most READ_BYTES (or one longer line) are taken at once; the rest stays in the socket, and once that is full
        the other end's `send` waits.

        After `eof` the list is empty, still only after `timeout`, so that a loop that waits for the end of
        the process does not spin; with None it then returns at once.

        Raises:
            ProtocolError: a line is not a message, or is longer than MAX_LINE bytes.
        """
        if self._eof:
            if timeout:
                time.sleep(timeout)
            return []
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            at_end = self._receive()
            messages = self._take_lines()
            if messages or at_end:
                self._eof = at_end
                return messages
            wait = None if deadline is None else deadline - time.monotonic()
            if wait is not None and wait <= 0:
                return []
            _wait(self._sock, select.POLLIN, wait)

    def _receive(self) -> bool:
        """Read what is there, a whole line and READ_BYTES being enough; True when the other end has closed."""
        lines = False
        while len(self._received) <= (READ_BYTES if lines else MAX_LINE):
            try:
                chunk = self._take_descriptors() if self._takes_descriptors else self._sock.recv(1 << 16)
            except (BlockingIOError, InterruptedError):
                return False
            except ConnectionError:  # it was killed with messages of ours unread: the same end
                return True
            if not chunk:
                return True
            self._received += chunk
            lines = lines or b"\n" in chunk
        return False

    def _take_descriptors(self) -> bytes:
        """Read bytes and what open files come with them; programs that this process starts do not inherit those."""
        size = array.array("i").itemsize
        flags = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
        chunk, control, _flags, _address = self._sock.recvmsg(1 << 16, socket.CMSG_SPACE(MAX_DESCRIPTORS * size), flags)
        for level, kind, data in control:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                found = array.array("i", data[: len(data) - len(data) % size])
                for descriptor in found:
                    os.set_inheritable(descriptor, False)  # where the flag above is not known
                self._descriptors += found
        return chunk

    def _take_lines(self) -> list[Message]:
        messages = []
        while (end := self._received.find(b"\n", self._scanned)) >= 0:
            line = bytes(self._received[:end])
            del self._received[: end + 1]
            self._scanned = 0
            if len(line) >= MAX_LINE:
                raise ProtocolError(f"a line of {len(line)} bytes; at most {MAX_LINE} are allowed")
            messages.append(decode(line))
        self._scanned = len(self._received)
        if self._scanned >= MAX_LINE:
            raise ProtocolError(f"a line of more than {MAX_LINE} bytes")
        return messages


def _wait(sock: socket.socket, event: int, timeout: float | None) -> bool:
    """Whether the socket became ready within `timeout` seconds."""
    poller = select.poll()  # select(2) would refuse descriptors above 1023
    poller.register(sock, event)
    return bool(poller.poll(None if timeout is None else math.ceil(timeout * 1000)))
