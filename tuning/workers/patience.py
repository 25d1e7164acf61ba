"""Bearing a database that is away for a moment, and giving up before another worker may have the trial.

A server that hangs, or a network that swallows what is sent, answers with nothing at all, not even an error: a thread
beside the one that waits sees to it that the trial process is gone before the lease is.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

logger = logging.getLogger(__name__)

AWAY_SECONDS = 0.2  # between two tries while the database is away
MARGIN_SECONDS = 5.0  # before the lease's end, by which a process without a database is gone
WATCH_SECONDS = 0.1  # between two looks of the thread that watches over the lease
DATABASE_AWAY = (OperationalError, InterfaceError)


class LeaseInDanger(Exception):
    """The lease may end before the database is back."""


class Patience:
    """The patience with which one claim is held: it lasts almost as long as the lease that the database gave last."""

    def __init__(self, holder: str) -> None:
        self.holder = holder
        self.held = time.monotonic()  # not later than the beginning of the newest lease

    def ask(self, action: Callable[[], Any], *, renews: bool = True) -> Any:
        """The action's result (True for None), or None while the database is away. Raises LeaseInDanger.

        `renews` says whether the action renews the lease: a database that can be read, but not written, cannot.
        """
        asked = time.monotonic()
        try:
            result = action()
        except DATABASE_AWAY as error:
            connection.close()
            away = time.monotonic() - self.held
            logger.warning("%s: the database is away for %.1f s (%s)", self.holder, away, error)
            if away > max(settings.LEASE_SECONDS - MARGIN_SECONDS, settings.LEASE_SECONDS / 2):
                raise LeaseInDanger from error
            return None
        if renews:
            self.held = asked
        return True if result is None else result

    def insist(self, action: Callable[[], Any]) -> Any:
        """The action's result, also where the database is away for a while. Raises LeaseInDanger."""
        while (result := self.ask(action)) is None:
            time.sleep(AWAY_SECONDS)
        return result


class Watch:
    """Ends a claim's process when the lease is all but over and the worker still waits for the database.

    The worker's own thread may hang in a query for as long as the network likes. `end` is called once, from another
    thread, and must not touch the database; `fired` says that it was.
    """

    def __init__(self, patience: Patience, end: Callable[[], None]) -> None:
        self.fired = False
        self._patience, self._end = patience, end
        self._done = threading.Event()
        self._limit = settings.LEASE_SECONDS - min(MARGIN_SECONDS, settings.LEASE_SECONDS / 4)
        self._thread = threading.Thread(target=self._watch, daemon=True, name="lease watch")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """The process is not watched any more when this returns."""
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(WATCH_SECONDS):
            silent = time.monotonic() - self._patience.held
            if silent > self._limit:
                self.fired = True
                logger.warning("%s: no lease for %.1f s; its process ends", self._patience.holder, silent)
                self._end()
                return
