"""Workloads as the workers found them, with their errors."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from tuning.selectors.workloads import describe_pending, workload_list
from tuning.services.jobs import request_describe
from tuning.web.errors import SignedInRequest, signed_in
from tuning.web.polling import page_or_fragment, tag_of, unchanged


@signed_in
@require_safe
def workloads(request: SignedInRequest) -> HttpResponse:
    rows, pending = workload_list(), describe_pending()
    tag = tag_of(
        "workloads",
        request.user.pk,
        pending,
        [(row.pk, row.digest, row.error, row.described) for row in rows],
    )
    broken = [row for row in rows if row.error]
    context = {"section": "workloads", "workloads": rows, "broken": broken, "pending": pending}
    return unchanged(request, tag) or page_or_fragment(
        request, "tuning/workloads.html", "tuning/_workloads.html", context, tag=tag, live=pending
    )


@signed_in
@require_POST
def refresh(request: SignedInRequest) -> HttpResponse:
    """Let a worker look for workloads again; twice is once."""
    request_describe(actor=request.user)
    messages.success(request, "A worker is asked to look for workloads; this page shows what it finds.")
    return redirect("workloads")
