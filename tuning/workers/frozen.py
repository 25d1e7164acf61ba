"""Ending the processes of a cluster that were stopped (by a signal or a debugger) and are in everybody's way.

Its lease over, a frozen worker still holds its slot; and where it was in the middle of a write, its transaction holds
SQLite's lock, so that no other process can write at all. (PostgreSQL ends such a transaction by itself.) The supervisor
may then hang in a query too, so a thread of its own looks, and it never asks the database.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable

from django.conf import settings

from tuning.workers.processes import children, is_stopped

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
FROZEN_SECONDS = 3.0  # after its lease, or after the supervisor hangs: a process that is frozen for so long is ended


class FrozenWatch:
    """Looks at one cluster after another. `main` names the main process of the present one, None between two."""

    def __init__(self, main: Callable[[], int | None]) -> None:
        self._main = main
        self._since: dict[int, float] = {}  # when a process was first seen stopped
        self._asking: float | None = None  # since when the supervisor waits for the database
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True, name="frozen watch")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Nothing is ended any more when this returns."""
        self._done.set()
        if self._thread.ident is not None:
            self._thread.join()

    def asks(self, asking: bool) -> None:
        """Told by the supervisor before and after whatever may hang in a query."""
        self._asking = time.monotonic() if asking else None

    def look(self, now: float) -> list[int]:
        """End what is in the way at `now` (seconds, monotonic); the processes that were.

        Their trial processes die with them, and the sentinel, or the supervisor, starts others.
        """
        main = self._main()
        members = [] if main is None else [main, *children(main)]
        members += [pid for sentinel in members[1:] for pid in children(sentinel) if pid not in members]
        self._since = {pid: self._since.get(pid, now) for pid in members if is_stopped(pid)}
        asking = self._asking
        hangs = asking is not None and now - asking > FROZEN_SECONDS
        patience = FROZEN_SECONDS if hangs else settings.LEASE_SECONDS + FROZEN_SECONDS
        ended = [pid for pid, since in self._since.items() if now - since > patience]
        for pid in ended:
            logger.warning(
                "ending process %s of the cluster, which is frozen%s",
                pid, " while the database does not answer" if hangs else " past its lease",
            )  # fmt: skip
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue  # somebody was quicker
        return ended

    def _watch(self) -> None:
        while not self._done.wait(LOOK_SECONDS):
            self.look(time.monotonic())
