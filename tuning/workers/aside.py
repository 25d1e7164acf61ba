"""What the supervisor has computed beside its loop: one thing at a time, in a thread that gives way to trials.

The loop sends heartbeats and watches leases, which no computation may hold up.
"""

import logging
import os
import threading
from collections.abc import Callable

from django.db import InterfaceError, OperationalError, connection

logger = logging.getLogger(__name__)

NICENESS = 10


class Aside:
    """At most one thread, which has a database connection of its own while it works. It dies with the process: whatever
    it does must bear being cut off anywhere."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def start(self, work: Callable[[], object]) -> None:
        """Do it now, unless something is being done."""
        if not self.busy:
            self._thread = threading.Thread(target=_do, args=(work,), name="aside", daemon=True)
            self._thread.start()

    def wait(self, seconds: float) -> None:
        """Until it is done, at most so long."""
        if self._thread is not None:
            self._thread.join(seconds)


def _do(work: Callable[[], object]) -> None:
    if hasattr(os, "setpriority"):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)  # Linux: of this thread alone
    try:
        work()
    except (OperationalError, InterfaceError) as error:
        logger.warning("the database is away, and what was computed is lost: %s", error)
    finally:
        connection.close()
