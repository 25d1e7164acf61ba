"""The log of one attempt, always drained and never larger than its limits: the first 1 MB and the last 4 MB."""

import json
import logging
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO

from tuning.sealed import MaskedStream
from tuning.selectors.artifacts import log_gap, log_segments
from tuning.selectors.logs import gap_words

logger = logging.getLogger(__name__)

HEAD_BYTES = 1_000_000
SEGMENT_BYTES = 2_000_000  # two of them make the tail


class LogWriter:
    """Writes to `path`; past HEAD_BYTES to two segments beside it by turns, which `close` joins into one file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._old, self._new = log_segments(path)
        self._lock = threading.Lock()
        self._closed = False
        self._head: IO[bytes] = path.open("wb", buffering=0)
        self._tail: IO[bytes] | None = None
        self._room = HEAD_BYTES
        self._segment = 0
        self._lines = [0, 0]  # ends of lines in the older and the newer segment
        self.dropped = 0
        self.dropped_lines = 0

    def write(self, data: bytes) -> None:
        """Take what was printed; after `close` (a grandchild may hold the pipe for longer) it is let go."""
        with self._lock:
            if not self._closed:
                self._write(data)

    def _write(self, data: bytes) -> None:
        if self._room > 0:
            taken = data[: self._room]
            self._head.write(taken)
            self._room -= len(taken)
            data = data[len(taken) :]
        while data:
            tail = self._tail if self._tail is not None and self._segment < SEGMENT_BYTES else self._rotate()
            taken = data[: SEGMENT_BYTES - self._segment]
            tail.write(taken)
            self._segment += len(taken)
            self._lines[1] += taken.count(b"\n")
            data = data[len(taken) :]

    def _rotate(self) -> IO[bytes]:
        if self._tail is not None:
            self._tail.close()
            if self._old.exists():
                self.dropped += self._old.stat().st_size
                self.dropped_lines += self._lines[0]
                log_gap(self.path).write_text(json.dumps({"bytes": self.dropped, "lines": self.dropped_lines}))
            os.replace(self._new, self._old)
            self._lines = [self._lines[1], 0]
        self._tail = self._new.open("wb", buffering=0)
        self._segment = 0
        return self._tail

    def close(self) -> None:
        """Join head and tail into `path`, with a line that says how much was left out between them."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            try:
                if self._tail is not None:
                    self._join(self._tail)
            except OSError as error:  # a full disk: the segments stay beside the log, where readers look for them
                logger.warning("the log %s could not be joined: %s", self.path, error)
            finally:
                self._head.close()

    def _join(self, tail: IO[bytes]) -> None:
        tail.close()
        if self.dropped:
            self._head.write(gap_words(self.dropped, self.dropped_lines))
        for segment in (self._old, self._new):
            if segment.exists():
                self._head.write(segment.read_bytes())
                segment.unlink()
        log_gap(self.path).unlink(missing_ok=True)


def drain(pipe: IO[bytes], writer: LogWriter) -> threading.Thread:
    """Copy everything that the process prints into `writer`, in a thread, until the last holder closes the pipe.

    Numbers of the test set are left out, as far as they have their names beside them (tuning.sealed).
    """
    masked = MaskedStream()

    def copy() -> None:
        with pipe:
            while data := os.read(pipe.fileno(), 65_536):
                write(masked.take(data))
            write(masked.rest())

    def write(data: bytes) -> None:
        with suppress(OSError):  # a full disk must not block the process that prints
            writer.write(data)

    thread = threading.Thread(target=copy, daemon=True, name="log drain")
    thread.start()
    return thread
