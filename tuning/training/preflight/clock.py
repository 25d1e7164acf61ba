"""The time that checks have: each its own limit, all of them together another."""

from __future__ import annotations

import time
from collections.abc import Callable

from tuning.training.preflight.errors import Stopped


class Clock:
    """Asked between batches: is there time for another one?

    `asked` returns something once the worker wants the process back.
    """

    def __init__(self, seconds: float, asked: Callable[[], object] = lambda: None) -> None:
        self.started = time.monotonic()
        self._end = self.started + seconds
        self._until = self._end
        self._asked = asked

    def begin(self, seconds: float) -> None:
        """Give the next check its limit, within what is left for all."""
        self._until = min(time.monotonic() + seconds, self._end)

    def over(self) -> bool:
        """Whether the check that runs has had its time. Raises Stopped."""
        if self._asked():
            raise Stopped
        return time.monotonic() >= self._until

    def ended(self) -> bool:
        """Whether the time for all checks together is over."""
        return time.monotonic() >= self._end
