"""Hints: one django-q message for each idle slot, on the queue of the slot's host. They carry no authority."""

from django.conf import settings
from django_q.tasks import async_task

from tuning.selectors.hosts import idle_slots, work_is_due
from tuning.services.hosts import take_hint

TASK = "tuning.workers.tasks.work"


def queue_of(host_name: str) -> str:
    return f"{settings.WORKER_QUEUE_PREFIX}{host_name}"


def send() -> None:
    """Hint every idle slot that has no hint on its way, if there is anything to run."""
    if not work_is_due():
        return
    for slot in idle_slots().select_related("device__host"):
        if take_hint(slot.pk):
            async_task(TASK, slot.pk, cluster=queue_of(slot.device.host.name))
