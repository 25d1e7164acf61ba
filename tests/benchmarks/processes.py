"""Processes that do not outlive who started them, not even by kill -9: the kernel tells them of its death."""

import ctypes
import os
import signal
from collections.abc import Callable

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)


def dying_with_us(number: signal.Signals) -> Callable[[], None]:
    """For Popen's preexec_fn, from the main thread: the child gets this signal when this process dies."""
    parent = os.getpid()

    def prepare() -> None:
        LIBC.prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != parent:  # it died before the call above
            os._exit(1)

    return prepare
