"""Standard output and error of one job after another, each into a log of its own.

The worker passes a pipe with each start. Descriptors 1 and 2 are what is switched, so that C code, and programs that
the job starts, write to the same log. What such a program still holds after the job is its old pipe, never the next.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

STREAMS = (1, 2)


class Output:
    """Where this process prints: to its first streams, and during a job to that job's log."""

    def __init__(self) -> None:
        self._first = tuple(os.dup(stream) for stream in STREAMS)
        self._switched = False

    def begin(self, descriptor: int | None) -> None:
        """Print to `descriptor` from here on, which is closed here; None: to where this process began."""
        flush()
        if descriptor is None:
            return
        for stream in STREAMS:
            os.dup2(descriptor, stream)
        os.close(descriptor)
        self._switched = True

    def end(self) -> None:
        """Let the job's log go: everything printed is in it, and this process no longer holds it open."""
        flush()
        if self._switched:
            for stream, first in zip(STREAMS, self._first, strict=True):
                os.dup2(first, stream)
            self._switched = False


@contextmanager
def silence() -> Iterator[None]:
    """Let nothing that is printed meanwhile reach any log."""
    flush()
    kept = [os.dup(stream) for stream in STREAMS]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        for stream in STREAMS:
            os.dup2(nowhere, stream)
        yield
    finally:
        flush()
        for stream, former in zip(STREAMS, kept, strict=True):
            os.dup2(former, stream)
            os.close(former)
        os.close(nowhere)


def flush() -> None:
    """Write out what Python and C have in their buffers."""
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        with suppress(OSError, ValueError, AttributeError):  # closed by the job, or replaced by something else
            stream.flush()  # type: ignore[union-attr]
    with suppress(AttributeError, OSError):  # no C library by that name
        ctypes.CDLL(None).fflush(None)
