"""A person keeps a device for himself until a time: nothing of others starts there, what runs goes on to its end.

Jobs may always run. A reservation whose time is over, by the database's clock, counts as none and needs no ending.
"""

from datetime import datetime, timedelta

from django.contrib.auth.models import AbstractBaseUser, User
from django.db import transaction
from django.utils import timezone

from tuning.models import Device
from tuning.models.fields import storable
from tuning.models.host import NO_DEVICE
from tuning.selectors.clock import database_now
from tuning.selectors.hosts import is_reserved
from tuning.services import hints
from tuning.services.audit import record
from tuning.services.errors import Conflict, Forbidden, Invalid, NotFound
from tuning.services.problems import Problems

LONGEST_HOURS = 30 * 24
LONGEST_REASON = 200


@transaction.atomic
def reserve_device(
    *,
    device_id: int,
    actor: AbstractBaseUser,
    reason: str,
    hours: float | None = None,
    until: datetime | None = None,
    person: str = "",
) -> Device:
    """Keep the device for the actor, or for `person` (a name; administrators), for `hours` from now or until a time.

    Again by the same person is another end or reason. Raises Invalid, Forbidden, NotFound, and Conflict where another
    person has it.
    """
    device = _locked(device_id)
    holder = _holder(actor, person)
    now, problems = database_now(), Problems()
    until = _end(now, hours, until, problems)
    reason = storable(reason).strip()
    if not 1 <= len(reason) <= LONGEST_REASON:
        problems.add("reason", f"Say in 1 to {LONGEST_REASON} characters what it is needed for; others wait for it.")
    problems.raise_if_any()
    if is_reserved(device, now) and device.reserved_for_id != holder.pk:
        raise Conflict(f"{reserved_words(device)} Ask them, or an administrator, to give it back.")
    before = _noted(device) if is_reserved(device, now) else None
    if before is not None and (device.reserved_until, device.reserved_reason) == (until, reason):
        return device
    device.reserved_for, device.reserved_until, device.reserved_reason = holder, until, reason
    device.reserved_by = actor.get_username()
    device.save(update_fields=["reserved_for", "reserved_until", "reserved_reason", "reserved_by"])
    _record(actor, "reserved", device, before, _noted(device))
    hints.announce()
    return device


@transaction.atomic
def release_device(*, device_id: int, actor: AbstractBaseUser) -> Device:
    """Give a device back before its time; one that is not reserved is left as it is. Raises Forbidden, NotFound."""
    device = _locked(device_id)
    if not is_reserved(device, database_now()):
        return device
    if device.reserved_for_id != actor.pk and not getattr(actor, "is_staff", False):
        raise Forbidden(f"{reserved_words(device)} Only they and administrators may give it back.")
    before = _noted(device)
    device.reserved_for, device.reserved_until, device.reserved_reason, device.reserved_by = None, None, "", ""
    device.save(update_fields=["reserved_for", "reserved_until", "reserved_reason", "reserved_by"])
    _record(actor, "gave back", device, before, None)
    hints.announce()
    return device


def reserved_words(device: Device) -> str:
    """Who has the device, until when, and what for, as a sentence."""
    holder = device.reserved_for.get_username() if device.reserved_for else "nobody"
    until = timezone.localtime(device.reserved_until) if device.reserved_until else None
    return f"{device} is reserved for {holder} until {until:%Y-%m-%d %H:%M %Z}: {device.reserved_reason.rstrip('.')}."


def _locked(device_id: int) -> Device:
    # Without joins: after a wait PostgreSQL gives the row as it is now, but joins of its former state.
    rows = Device.objects.exclude(uuid=NO_DEVICE)  # the places for short jobs are everybody's
    device = rows.select_for_update(no_key=True).filter(pk=device_id).first()
    if device is None:
        raise NotFound(f"There is no device {device_id}.")
    return device


def _holder(actor: AbstractBaseUser, person: str) -> User:
    name = person or actor.get_username()
    if name != actor.get_username() and not getattr(actor, "is_staff", False):
        raise Forbidden("Only administrators may reserve a device for somebody else; leave the person out.")
    holder = User.objects.filter(username=name, is_active=True).first()
    if holder is None:
        raise Invalid({"person": [f"There is nobody named {name!r}; give the name that they sign in with."]})
    return holder


def _end(now: datetime, hours: float | None, until: datetime | None, problems: Problems) -> datetime:
    if (hours is None) == (until is None):
        problems.add("hours", "Say for how many hours, or until when: one of the two.")
        return now
    if hours is not None:
        if isinstance(hours, bool) or not isinstance(hours, int | float) or not 0 < hours <= LONGEST_HOURS:
            problems.add("hours", f"{hours!r} is not usable; give a number above 0, at most {LONGEST_HOURS} hours.")
            return now
        return now + timedelta(hours=hours)
    if until is None or timezone.is_naive(until) or not now < until <= now + timedelta(hours=LONGEST_HOURS):
        problems.add("until", f"Give a time with its zone after now, at most {LONGEST_HOURS // 24} days ahead.")
        return now
    return until


def _noted(device: Device) -> dict[str, str]:
    return {
        "for": device.reserved_for.get_username() if device.reserved_for else "",
        "until": device.reserved_until.isoformat() if device.reserved_until else "",
        "reason": device.reserved_reason,
    }


def _record(
    actor: AbstractBaseUser, verb: str, device: Device, before: dict[str, str] | None, after: dict[str, str] | None
) -> None:
    record(
        actor=actor, verb=verb, kind="device", object_id=device.pk, name=str(device)[:200], before=before, after=after
    )
