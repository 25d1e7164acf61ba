"""Hosts announce themselves, their devices and slots; hints are noted on slots; a host drains before it goes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Coalesce, Least, Now

from tuning.models import Attempt, Device, Host, Slot
from tuning.selectors.clock import after, before

HINT_SECONDS = 4.0  # a hint that no task took up within this is taken for lost


@dataclass(frozen=True)
class FoundDevice:
    """A device of this host: the GPU's UUID or "cpu", words for people, memory in bytes, slots and threads a slot.

    `lanes` has the lane of each slot where they are not for trials.
    """

    uuid: str
    kind: str
    memory: int | None
    slots: int
    threads: int
    lanes: tuple[Slot.Lane, ...] = ()


@transaction.atomic
def register_host(
    *, name: str, boot_id: str, facts: dict[str, Any], devices: Sequence[FoundDevice], labels: Sequence[str] = ()
) -> Host:
    """Make the tables equal to what the host found and offers; slots that are gone are disabled, their trials stay."""
    found_now = {"boot_id": boot_id, "facts": facts, "labels": list(labels), "last_seen": Now()}
    host, _created = Host.objects.update_or_create(name=name, defaults={**found_now, "evacuating": False})
    Host.objects.filter(pk=host.pk, drained_by="").update(draining=False)  # a person's drain outlasts a restart
    kept: list[int] = []
    for found in devices:
        device, _created = Device.objects.update_or_create(
            host=host, uuid=found.uuid, defaults={"kind": found.kind[:120], "memory": found.memory}
        )
        for index in range(found.slots):
            slot, _created = Slot.objects.update_or_create(
                device=device,
                index=index,
                defaults={
                    "threads": found.threads,
                    "enabled": True,
                    "lane": found.lanes[index] if found.lanes else Slot.Lane.DEVICE,
                },
            )
            kept.append(slot.pk)
    Slot.objects.filter(device__host=host).exclude(pk__in=kept).update(enabled=False)
    forget_hints(host_id=host.pk)
    host.refresh_from_db()
    return host


def beat_host(*, host_id: int) -> None:
    """The supervisor's heartbeat."""
    Host.objects.filter(pk=host_id).update(last_seen=Now())


def drain_host(*, host_id: int, draining: bool = True) -> None:
    """Stop (or allow again) claims of this host; its workers send their trials back to waiting.

    For the supervisor that shuts down; a person drains a host by services.draining.
    """
    Host.objects.filter(pk=host_id).update(draining=draining, evacuating=draining)


def take_hint(slot_id: int) -> bool:
    """Note that a hint is on its way to this slot; False where one already is.

    One from the future is none: the database's clock was set back since.
    """
    aged = Q(hinted__isnull=True) | Q(hinted__lt=before(HINT_SECONDS)) | Q(hinted__gt=after(HINT_SECONDS))
    unheard = Least(Coalesce("unheard", Now()), Now())
    return Slot.objects.filter(aged, pk=slot_id).update(hinted=Now(), unheard=unheard) == 1


def clear_hint(slot_id: int) -> None:
    """A task has taken up the slot's hint."""
    Slot.objects.filter(pk=slot_id).update(hinted=None, unheard=None)


def slots_with_aged_hints(*, host_id: int, seconds: float) -> list[int]:
    """Slots whose hints, the first `seconds` ago, no task has taken up: their cluster does not listen."""
    rows = Slot.objects.filter(device__host_id=host_id, enabled=True, unheard__lt=before(seconds))
    return list(rows.values_list("pk", flat=True))


def forget_hints(*, host_id: int) -> None:
    """A new cluster starts with an empty queue."""
    Slot.objects.filter(device__host_id=host_id).update(hinted=None, unheard=None)


def note_process(*, attempt_id: int, pid: int | None, boot_id: str, process_started: str, log: str) -> None:
    """Which process runs the attempt, so that a supervisor can find and end it after a crash."""
    Attempt.objects.filter(pk=attempt_id).update(pid=pid, boot_id=boot_id, process_started=process_started, log=log)


def leave_host(*, host_id: int) -> None:
    """The supervisor has shut down in order: the host is gone until it registers again."""
    Host.objects.filter(pk=host_id).update(last_seen=None, evacuating=False)
    Host.objects.filter(pk=host_id, drained_by="").update(draining=False)
