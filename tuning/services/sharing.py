"""Caps: how many trials of a person run on workers at once. And room on a device for what a workload requires.

Whose turn it is selectors.sharing reads without a lock; here a claim makes sure under locks, in the order study,
account, device, trial.
"""

from typing import Any

from django.contrib.auth.models import AbstractBaseUser, User
from django.db import transaction

from tuning.models import Account, Device, Slot, Study
from tuning.selectors.requirements import NOTHING, memory_taken, needs_of
from tuning.selectors.sharing import caps_of, running_of
from tuning.services import hints
from tuning.services.audit import record
from tuning.services.errors import Forbidden, NotFound
from tuning.services.problems import Problems

MAX_CAP = 10_000


def has_room(study: Study, slot: Slot) -> bool:
    """Whether one more trial of the locked study may run on the slot: by its owner's cap and the device's memory.

    The rows that tell stay locked until the transaction ends, so that two claims do not both take the last place.
    """
    return _below_cap(study.owner_id) and _fits_into(study.workload, slot)


def _below_cap(owner_id: int) -> bool:
    if owner_id not in caps_of([owner_id]):
        return True
    _lock_account(owner_id)
    cap = caps_of([owner_id]).get(owner_id)
    return cap is None or running_of([owner_id]).get(owner_id, 0) < cap


def _lock_account(user_id: int) -> Account:
    Account.objects.get_or_create(user_id=user_id)
    return Account.objects.select_for_update(no_key=True).get(user_id=user_id)


def _fits_into(workload: str, slot: Slot) -> bool:
    needs = needs_of([workload]).get(workload, NOTHING)
    if needs.memory is None:
        return True
    device = Device.objects.select_for_update(no_key=True).get(pk=slot.device_id)
    return needs.fits_into(device, memory_taken([device.pk]).get(device.pk, 0))


@transaction.atomic
def set_cap(*, user_id: int, actor: AbstractBaseUser, max_running: int | None) -> User:
    """How many trials of a person may run on workers at once; None: the server's default. What runs goes on.

    The same again changes nothing. Raises Forbidden, NotFound, Invalid.
    """
    if not getattr(actor, "is_staff", False):
        raise Forbidden("Only administrators may set how many trials of a person run at once.")
    person = User.objects.filter(pk=user_id).first()
    if person is None:
        raise NotFound(f"There is no person {user_id}.")
    problems = Problems()
    problems.whole("max_running", max_running, 0, MAX_CAP, optional=True)
    problems.raise_if_any()
    account = _lock_account(person.pk)
    if account.max_running != max_running:
        before: dict[str, Any] = {"max_running": account.max_running}
        Account.objects.filter(pk=account.pk).update(max_running=max_running)
        record(
            actor=actor,
            verb="set the cap of",
            kind="user",
            object_id=person.pk,
            name=person.get_username(),
            before=before,
            after={"max_running": max_running},
        )
        hints.announce()
    return person
