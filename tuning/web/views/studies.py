"""The list of studies."""

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from tuning.selectors.hosts import hosts_overview
from tuning.selectors.studies import study_list as list_studies
from tuning.web.errors import SignedInRequest, signed_in
from tuning.web.polling import page_or_fragment, tag_of, unchanged

STATES = ("draft", "ready", "running", "paused", "stopped", "finished", "archived")


@signed_in
@require_safe
def study_list(request: SignedInRequest) -> HttpResponse:
    """Studies that the person may see, the last active first; ?search= and ?state= narrow them, ?page= leafs."""
    search, state = request.GET.get("search", "").replace("\x00", ""), request.GET.get("state", "")
    number = request.GET.get("page", "1")
    page = list_studies(
        request.user,
        search=search,
        state=state.upper(),
        archived=state == "archived",
        page=int(number) if number.isdecimal() else 1,
    )
    tag = tag_of(
        "studies",
        request.user.pk,
        request.GET.urlencode(),
        page.total,
        [(row.pk, row.version) for row in page.rows],
    )
    live = any(row.state == "RUNNING" or row.n_open for row in page.rows)
    context = {
        "section": "studies",
        "page": page,
        "search": search,
        "state": state,
        "states": STATES,
        "narrowed": bool(search or state),
    }
    answer = unchanged(request, tag)
    if answer is None:
        context["no_worker"] = live and not any(host.alive for host in hosts_overview())
        answer = page_or_fragment(request, "tuning/studies.html", "tuning/_studies.html", context, tag=tag, live=live)
    return answer
