"""Hosts, their slots, what runs, what waits."""

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from tuning.selectors.hosts import hosts_overview, queue_counts
from tuning.web.errors import SignedInRequest, signed_in
from tuning.web.polling import page_or_fragment, tag_of, unchanged


@signed_in
@require_safe
def workers(request: SignedInRequest) -> HttpResponse:
    hosts, queue = hosts_overview(), queue_counts()
    holders = [
        (row.trial and (row.trial.pk, row.trial.resource_done), row.job and row.job.pk)
        for host in hosts
        for device in host.devices
        for row in device.slots
    ]
    # A heartbeat's age changes with every look: in steps of 5 s it says enough and leaves the page alone meanwhile.
    ages = [
        (row.host.pk, row.alive, row.host.draining, row.host.evacuating, int((row.age_seconds or 0) // 5))
        for row in hosts
    ]
    tag = tag_of("workers", request.user.pk, holders, ages, queue)
    slots = sum(len(device.slots) for host in hosts if host.alive for device in host.devices)
    busy = sum(
        bool(row.trial or row.job) for host in hosts if host.alive for device in host.devices for row in device.slots
    )
    context = {"section": "workers", "hosts": hosts, "queue": queue, "slots": slots, "busy": busy}
    return unchanged(request, tag) or page_or_fragment(
        request, "tuning/workers.html", "tuning/_workers.html", context, tag=tag, live=True
    )
