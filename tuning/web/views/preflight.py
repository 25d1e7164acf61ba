"""The checks before tuning of a workload's present code: looked at, and asked for."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods

from tuning.selectors.preflights import newest_preflight
from tuning.selectors.workloads import workload_named
from tuning.services.preflights import request_preflight
from tuning.web.errors import SignedInRequest, signed_in
from tuning.web.polling import page_or_fragment, tag_of, unchanged
from tuning.web.preflight import mark_of, panel_of


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def workload_preflight(request: SignedInRequest, name: str) -> HttpResponse:
    """The page, and for a poll its changing part; POST asks for a new run, and leads back to ?next=.

    ?step= polls the step of a new study's form, which then looks at its plan again: now an epoch has its seconds.
    """
    workload = workload_named(name)
    if request.method == "POST":
        request_preflight(actor=request.user, workload=name, again=True)
        messages.success(request, "The checks will run on the next free slot; they go before trials.")
        back = request.GET.get("next", "")
        ours = url_has_allowed_host_and_scheme(back, {request.get_host()}, request.is_secure())
        return redirect(back if ours else request.path)
    preflight = newest_preflight(name, workload.digest)
    tag = tag_of("preflight", name, workload.digest, *mark_of(preflight))
    if (answer := unchanged(request, tag)) is not None:
        return answer
    context = {"section": "workloads", "workload": workload, **panel_of(preflight)}
    live = preflight is not None and preflight.state == "OPEN"
    of_form = "step" in request.GET
    page, part = "tuning/workload_preflight.html", f"tuning/{'_checks_step' if of_form else '_workload_preflight'}.html"
    response = page_or_fragment(request, page, part, context, tag=tag, live=live)
    if of_form and not live:
        response["HX-Trigger"] = "checked"
    return response
