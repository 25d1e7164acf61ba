"""Hints: one django-q message for each idle slot, on the queue of the slot's host. They carry no authority."""

from django.conf import settings
from django_q.tasks import async_task

from tuning.selectors.sharing import slots_to_wake
from tuning.services.hosts import take_hint

TASK = "tuning.workers.tasks.work"


def queue_of(host_name: str) -> str:
    return f"{settings.WORKER_QUEUE_PREFIX}{host_name}"


def send() -> None:
    """Hint every idle slot that would find something to run and has no hint on its way."""
    for slot in slots_to_wake():
        if take_hint(slot.pk):
            async_task(TASK, slot.pk, cluster=queue_of(slot.device.host.name))
