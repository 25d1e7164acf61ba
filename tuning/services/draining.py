"""A person takes a host out of service: it claims nothing more, and what runs there ends, or goes back to waiting.

The drain stays until a person ends it, also when the host's supervisor is started anew.
"""

from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from tuning.models import Host
from tuning.services import hints
from tuning.services.audit import record
from tuning.services.errors import Forbidden, NotFound


def _locked(host_id: int, actor: AbstractBaseUser) -> Host:
    if not getattr(actor, "is_staff", False):
        raise Forbidden("Only administrators may drain a host, because the trials of all run there.")
    host = Host.objects.select_for_update(no_key=True).filter(pk=host_id).first()
    if host is None:
        raise NotFound(f"There is no host {host_id}.")
    return host


def _set(host: Host, actor: AbstractBaseUser, verb: str, **columns: Any) -> Host:
    before = {name: getattr(host, name) for name in columns}
    Host.objects.filter(pk=host.pk).update(**columns)
    host.refresh_from_db()
    record(actor=actor, verb=verb, kind="host", object_id=host.pk, name=host.name, before=before, after=columns)
    return host


@transaction.atomic
def start_drain(*, host_id: int, actor: AbstractBaseUser, now: bool = False) -> Host:
    """Let the host claim nothing more; with `now` its trials go back to waiting at their next checkpoint as well.

    The same again changes nothing, and a drain that is under way "now" stays so. Raises Forbidden, NotFound.
    """
    host = _locked(host_id, actor)
    if host.draining and host.drained_by and (host.evacuating or not now):
        return host
    return _set(
        host,
        actor,
        "drained",
        draining=True,
        evacuating=host.evacuating or now,
        drained_by=host.drained_by or actor.get_username(),
    )


@transaction.atomic
def end_drain(*, host_id: int, actor: AbstractBaseUser) -> Host:
    """Let a host that a person has drained claim work again. Raises Forbidden, NotFound."""
    host = _locked(host_id, actor)
    if not host.drained_by:
        return host
    host = _set(host, actor, "undrained", draining=False, evacuating=False, drained_by="")
    hints.announce()
    return host
