"""Workloads as the workers found them, with their errors."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from tuning.selectors.offerings import hosts_offering
from tuning.selectors.studies import study_for
from tuning.selectors.workloads import describe_failures, describe_pending, workload_list
from tuning.services.jobs import request_descriptions
from tuning.services.pinning import adopt_code
from tuning.web.errors import SignedInRequest, signed_in
from tuning.web.polling import page_or_fragment, tag_of, unchanged


@signed_in
@require_safe
def workloads(request: SignedInRequest) -> HttpResponse:
    rows, pending, hosts = workload_list(), describe_pending(), hosts_offering()
    failures = [] if pending else describe_failures()
    tag = tag_of(
        "workloads",
        request.user.pk,
        pending,
        [(row.pk, row.digest, row.error, row.described) for row in rows],
        hosts,
        failures,
    )
    broken = [row for row in rows if row.error]
    cards = [
        {"row": row, "hosts": hosts.get(row.name, []), "command": _command(row.document.get("command"))} for row in rows
    ]
    context = {"section": "workloads", "cards": cards, "broken": broken, "pending": pending, "failures": failures}
    return unchanged(request, tag) or page_or_fragment(
        request, "tuning/workloads.html", "tuning/_workloads.html", context, tag=tag, live=pending
    )


@signed_in
@require_POST
def adopt(request: SignedInRequest, study_id: int) -> HttpResponse:
    """Let a study take over the code and data that the workers have now; the same again changes nothing."""
    study = adopt_code(study_id=study_for(request.user, study_id).pk, actor=request.user)
    messages.success(request, f"Trials of {study.name} from here on use the code and data that the workers have now.")
    return redirect("workers")


@signed_in
@require_POST
def refresh(request: SignedInRequest) -> HttpResponse:
    """Let a worker look for workloads again; twice is once."""
    request_descriptions(actor=request.user)
    messages.success(request, "The workers are asked to look for workloads; this page shows what they find.")
    return redirect("workloads")


def _command(arguments: list[Any] | None) -> str:
    """A program's argument list for reading; what may be left out stands in brackets."""
    return " ".join(part if isinstance(part, str) else f"[{' '.join(part)}]" for part in arguments or ())
