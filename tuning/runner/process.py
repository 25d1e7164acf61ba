"""What ties a trial process to the worker that started it: its life, its channel, its slot's lock."""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import socket
import sys
import threading
import time

from tuning.runner.protocol import Channel

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
LOCK_WAIT_SECONDS = 5.0
# sysexits.h: a temporary failure; the worker may try again
EXIT_LOCKED = 75


def die_with_parent(parent: int) -> None:
    """Have this process killed when `parent` dies, and leave at once if it is dead already.

    On Linux the kernel does it, even for a process that hangs; it counts the death of the parent's *thread*
    that started this process. Elsewhere a thread looks once a second. On Linux, too, what a job's own children
    leave behind becomes a child of this process, so that a job's end cannot be mistaken for a clean one.
    """
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
        if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER) failed")
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:  # it died before the call above: no signal will come
        sys.exit(f"the parent {parent} is gone (now {os.getppid()}); not starting")


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


def open_channel(descriptor: int) -> Channel:
    """Return the channel on an inherited descriptor, which processes that this one starts do not inherit."""
    os.set_inheritable(descriptor, False)
    return Channel(socket.socket(fileno=descriptor), takes_descriptors=True)


def take_lock(path: str) -> int:
    """Return a descriptor that holds `path` locked until this process and all that it forked are gone.

    A predecessor that was killed may take a moment to go, so this waits up to LOCK_WAIT_SECONDS and then
    exits with EXIT_LOCKED.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + LOCK_WAIT_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                print(f"another trial process holds {path}; not starting", file=sys.stderr)
                sys.exit(EXIT_LOCKED)
            time.sleep(0.05)
        else:
            return descriptor
