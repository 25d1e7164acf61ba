"""Bearing a database that is away for a moment, and giving up before another worker may have the trial."""

import logging
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

logger = logging.getLogger(__name__)

AWAY_SECONDS = 0.2  # between two tries while the database is away
MARGIN_SECONDS = 5.0  # before the lease's end, by which a process without a database is gone
DATABASE_AWAY = (OperationalError, InterfaceError)


class LeaseInDanger(Exception):
    """The lease may end before the database is back."""


class Patience:
    """The patience with which one claim is held: it lasts almost as long as the lease that the database gave last."""

    def __init__(self, holder: str) -> None:
        self.holder = holder
        self.held = time.monotonic()

    def ask(self, action: Callable[[], Any]) -> Any:
        """The action's result (True for None), or None while the database is away. Raises LeaseInDanger."""
        try:
            result = action()
        except DATABASE_AWAY as error:
            connection.close()
            away = time.monotonic() - self.held
            logger.warning("%s: the database is away for %.1f s (%s)", self.holder, away, error)
            if away > max(settings.LEASE_SECONDS - MARGIN_SECONDS, settings.LEASE_SECONDS / 2):
                raise LeaseInDanger from error
            return None
        self.held = time.monotonic()
        return True if result is None else result

    def insist(self, action: Callable[[], Any]) -> Any:
        """The action's result, also where the database is away for a while. Raises LeaseInDanger."""
        while (result := self.ask(action)) is None:
            time.sleep(AWAY_SECONDS)
        return result
