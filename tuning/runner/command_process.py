"""The process of an allowed program: a child in this process's group that dies with it, and all that it starts.

This process is made the reaper of whatever its descendants leave behind (PR_SET_CHILD_SUBREAPER), so that nothing
that a program started outlives it, not even what has left the process group.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
KILL_SECONDS = 5.0

_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def _die_with_runner() -> None:
    """In the child, between fork and exec: the kernel kills it when the runner's main thread ends."""
    if _LIBC is not None:
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class ProgramProcess:
    """A running program; stderr is always read here, stdout where `read_stdout` says so (else it is this process's).

    Raises OSError where it cannot be started.
    """

    def __init__(
        self, arguments: Sequence[str], *, folder: Path, environment: Mapping[str, str], read_stdout: bool
    ) -> None:
        if _LIBC is not None:
            _LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._others = set(descendants(os.getpid()))  # a data loader's, say, of an earlier job
        self.process = subprocess.Popen(
            arguments,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if read_stdout else None,
            stderr=subprocess.PIPE,
            preexec_fn=_die_with_runner,
        )

    def ended(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self.process.poll()

    def terminate(self) -> None:
        """SIGTERM to the program and all that it started."""
        for pid in self._own():
            _signal(pid, signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL to the program and all that it started, until nothing of it is left."""
        deadline = time.monotonic() + KILL_SECONDS
        while own := self._own():
            for pid in own:
                _signal(pid, signal.SIGKILL)
                if pid != self.process.pid:
                    _reap(pid)
            self.process.poll()
            if time.monotonic() > deadline:
                return  # in uninterruptible sleep: the kernel ends it when it wakes
            time.sleep(0.005)
        self.process.wait()

    def close(self) -> None:
        """Kill what is left and let the pipes go."""
        self.kill()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()

    def _own(self) -> list[int]:
        """The program and its descendants, also those that it left to us; what has ended is reaped on the way."""
        found = []
        for pid in descendants(os.getpid()):
            if pid in self._others:
                continue
            if pid != self.process.pid and _reap(pid):
                continue
            if pid == self.process.pid and self.process.poll() is not None:
                continue
            found.append(pid)
        if not found and self.process.poll() is None:
            found = [self.process.pid]
        return found


def descendants(pid: int) -> list[int]:
    """Every process below `pid`, by /proc; empty where there is none."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        for child in _children(waiting.pop()):
            found.append(child)
            waiting.append(child)
    return found


def _children(pid: int) -> list[int]:
    children: list[int] = []
    for listing in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children += [int(word) for word in listing.read_text().split()]
        except OSError:
            continue  # the thread ended while we looked
    return children


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return  # it has ended, or runs as somebody else (a setuid program of the administrator's)


def _reap(pid: int) -> bool:
    """Whether `pid` was a child of ours that has ended."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return False
