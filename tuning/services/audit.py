"""Writing the append-only record of who did what."""

from typing import Any

from django.contrib.auth.models import AbstractBaseUser

from tuning.models import AuditEvent


def record(
    *,
    actor: AbstractBaseUser | None,
    verb: str,
    kind: str,
    object_id: int | None,
    name: str = "",
    before: Any = None,
    after: Any = None,
) -> None:
    """Add one event; `actor` None is hpweb itself (a worker, the reaper)."""
    AuditEvent.objects.create(
        actor_id=actor.pk if actor else None,
        actor_name=actor.get_username() if actor else "hpweb",
        verb=verb,
        object_kind=kind,
        object_id=object_id,
        object_name=name[:200],
        before=before,
        after=after,
    )
