"""Hosts, their slots, what runs, what waits."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from tuning.selectors.hosts import hosts_overview, queue_counts
from tuning.selectors.jobs import jobs_overview
from tuning.selectors.offerings import differences
from tuning.selectors.sharing import people_overview
from tuning.selectors.studies import may_edit, visible_studies
from tuning.services.job_endings import cancel_job, cancelled_words
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
    jobs = jobs_overview(request.user)
    work = [(row.job.pk, row.job.state, row.host) for row in jobs]
    # A heartbeat's age changes with every look: in steps of 5 s it says enough and leaves the page alone meanwhile.
    ages = [
        (row.host.pk, row.alive, row.host.draining, row.host.evacuating, int((row.age_seconds or 0) // 5))
        for row in hosts
    ]
    people = people_overview(everybody=request.user.is_staff)
    shares = [(row.user.pk, row.running, row.cap, row.own_cap, int(row.device_seconds // 60)) for row in people]
    kept = [
        (device.device.pk, device.device.reserved_for_id, device.device.reserved_until, device.device.reserved_reason)
        for host in hosts
        for device in host.devices
        if device.reserved
    ]
    apart = _apart(request, {row.host.pk: row.host.name for row in hosts})
    others = [(row["host"], row["difference"].study.pk, row["difference"].words, row["offer"]) for row in apart]
    offered = [(row.host.pk, row.host.labels, row.host.facts.get("checkpoint_mb")) for row in hosts]
    tag = tag_of("workers", request.user.pk, holders, ages, queue, others, shares, kept, offered, work)
    slots = sum(len(device.slots) for host in hosts if host.alive for device in host.devices)
    busy = sum(
        bool(row.trial or row.job) for host in hosts if host.alive for device in host.devices for row in device.slots
    )
    context = {
        "section": "workers",
        "hosts": hosts,
        "queue": queue,
        "slots": slots,
        "busy": busy,
        "apart": apart,
        "people": people,
        "jobs": jobs,
    }
    return unchanged(request, tag) or page_or_fragment(
        request, "tuning/workers.html", "tuning/_workers.html", context, tag=tag, live=True
    )


@signed_in
@require_POST
def cancel(request: SignedInRequest, job_id: int) -> HttpResponse:
    """End a job that waits or runs; the same again changes nothing."""
    job = cancel_job(job_id=job_id, actor=request.user)
    if job.error == cancelled_words(request.user):
        messages.success(request, "The job is cancelled.")
    else:
        messages.info(request, "The job had ended already.")
    return redirect("workers")


def _apart(request: SignedInRequest, names: dict[int, str]) -> list[dict[str, Any]]:
    """What each host does not run of the studies that this person may see.

    The person who may let a study take over other code or data is offered that beside the first of its rows.
    """
    rows: list[dict[str, Any]] = []
    offered: set[int] = set()
    for host_id, found in differences(visible_studies(request.user)).items():
        for difference in found:
            study = difference.study
            offer = difference.adoptable and study.pk not in offered and may_edit(request.user, study)
            if offer:
                offered.add(study.pk)
            rows.append({"host": names.get(host_id, ""), "difference": difference, "offer": offer})
    return rows
