"""Matrix products on one thread while a suggestion is computed.

A product that is shared out over several threads adds up in another order, and an optimisation carries the
difference in the last digit into the suggestion: a study would depend on the machine's number of cores. The
matrices are small, so one thread is also faster than many.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController

# The limit is the whole process's: who would compute at the same time waits, or one's end would be the other's.
_turn = threading.RLock()


@cache
def _libraries() -> ThreadpoolController:
    """The linear algebra of numpy and of scipy, which has its own and loads it late."""
    import scipy.linalg  # noqa: F401 (a controller knows only the libraries that are there when it is made)

    return ThreadpoolController()


@contextmanager
def on_one_thread() -> Iterator[None]:
    """Linear algebra uses one thread, by one caller at a time; the number that was set before comes back."""
    with _turn, _libraries().limit(limits=1, user_api="blas"):
        yield
