"""Announcing work: services call `announce`, the composition root registers who listens (tuning.apps).

A hint carries no authority: it only wakes an idle slot, which then claims what the database offers. Losing one, or
sending one twice, changes nothing but the time until a slot looks.
"""

from collections.abc import Callable

from django.db import transaction

_senders: list[Callable[[], None]] = []


def register(sender: Callable[[], None]) -> None:
    if sender not in _senders:
        _senders.append(sender)


def announce() -> None:
    """Send one hint to every idle slot when the current transaction commits (at once where there is none)."""
    for sender in _senders:
        transaction.on_commit(sender, robust=True)  # a broker that is down is logged; the supervisor hints again
