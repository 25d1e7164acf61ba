"""Standard output and error of one job after another, each into a log of its own.

The worker passes a pipe with each start. Descriptors 1 and 2 are what is switched, so that C code, and programs that
the job starts, write to the same log. What such a program still holds after the job is its old pipe, never the next.
"""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress

STREAMS = (1, 2)


class Output:
    """Where this process prints: to its first streams, and during a job to that job's log."""

    def __init__(self) -> None:
        self._first = tuple(os.dup(stream) for stream in STREAMS)
        self._switched = False

    def begin(self, descriptor: int | None) -> None:
        """Print to `descriptor` from here on, which is closed here; None: to where this process began."""
        self._flush()
        if descriptor is None:
            return
        for stream in STREAMS:
            os.dup2(descriptor, stream)
        os.close(descriptor)
        self._switched = True

    def end(self) -> None:
        """Let the job's log go: everything printed is in it, and this process no longer holds it open."""
        self._flush()
        if self._switched:
            for stream, first in zip(STREAMS, self._first, strict=True):
                os.dup2(first, stream)
            self._switched = False

    def _flush(self) -> None:
        for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
            with suppress(OSError, ValueError, AttributeError):  # closed by the job, or replaced by something else
                stream.flush()  # type: ignore[union-attr]
        with suppress(AttributeError, OSError):  # no C library by that name
            ctypes.CDLL(None).fflush(None)
