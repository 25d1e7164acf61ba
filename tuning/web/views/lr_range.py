"""The learning-rate finder of a workload: ask for a test, watch it, read its curves, take its range over."""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from tuning.charts import LRPoints, lr_range_figure
from tuning.selectors.drafts import draft_of
from tuning.selectors.errors import NotFound
from tuning.selectors.jobs import job_row
from tuning.selectors.lr_ranges import OPEN, Curve, curves_of, lr_range_job, lr_range_jobs, suggested_entry
from tuning.selectors.studies import may_edit, study_for
from tuning.selectors.workloads import workload_named
from tuning.services.errors import Conflict, Invalid
from tuning.services.job_endings import cancel_job
from tuning.services.lr_ranges import request_lr_range
from tuning.web.drafts import drafted_space
from tuning.web.errors import SignedInRequest, signed_in
from tuning.web.forms.editing import whole_number
from tuning.web.forms.lr_range import LRRangeForm, initial_of
from tuning.web.forms.rows import entry_words, written_number
from tuning.web.polling import page_or_fragment, tag_of, unchanged

ROWS = 40  # of the table of numbers, for each curve


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def lr_range(request: SignedInRequest, name: str) -> HttpResponse:
    """?job= shows one of the person's tests, else their newest.

    ?study= is the study whose range it is for, or ?draft= the draft of one.
    """
    workload = workload_named(name)
    if workload.error or workload.document.get("kind") != "pytorch":
        raise Conflict(f"{name} has no learning-rate finder: it needs a PyTorch workload that can be loaded.")
    study, draft = _study(request, name), _draft(request, name)
    document = workload.document.get("space") or {}
    if study is not None and study.space:
        document = study.space.document
    elif draft is not None:
        document = drafted_space(draft) or document
    job = _job(request, name)
    if request.method == "POST" and "cancel" in request.POST and job is not None:
        cancel_job(job_id=job.pk, actor=request.user)
        return redirect(_address(name, study, draft, job))
    if request.method != "POST":
        form = LRRangeForm(document, initial=initial_of(document, job.args if job else None))
        return _page(request, workload, study, document, job, form)
    form = LRRangeForm(document, request.POST)
    form.is_valid()
    wanted = form.wanted()
    if wanted is not None:
        try:
            study_id = study.pk if study is not None else None
            asked = request_lr_range(
                actor=request.user, workload=name, study_id=study_id, space=document if draft else None, **wanted
            )
            return redirect(_address(name, study, draft, asked))
        except Invalid as error:
            form.take_errors(error)
    return _page(request, workload, study, document, job, form, status=400)


def _study(request: SignedInRequest, name: str) -> Any:
    """The study that the address names, if it trains this workload. Raises NotFound."""
    number = whole_number(request.GET.get("study"))
    if number is None:
        return None
    study = study_for(request.user, number)
    if study.workload != name:
        raise NotFound(f"{study.name} does not train {name}.")
    return study


def _draft(request: SignedInRequest, name: str) -> Any:
    draft = draft_of(request.user, request.GET.get("draft", ""))
    return draft if draft is not None and draft.workload == name else None


def _job(request: SignedInRequest, name: str) -> Any:
    number = whole_number(request.GET.get("job"))
    if number is None:
        return next(iter(lr_range_jobs(request.user, name)), None)
    job = lr_range_job(request.user, number)
    if job.args["workload"] != name:
        raise NotFound(f"The learning-rate test {number} is one of {job.args['workload']}.")
    return job


def _address(name: str, study: Any, draft: Any, job: Any) -> str:
    query = {"job": job.pk}
    query |= {"study": study.pk} if study is not None else {"draft": draft.key} if draft is not None else {}
    return f"{reverse('lr_range', args=[name])}?{urlencode(query)}"


def _page(
    request: SignedInRequest,
    workload: Any,
    study: Any,
    document: dict[str, Any],
    job: Any,
    form: LRRangeForm,
    *,
    status: int = 200,
) -> HttpResponse:
    live = job is not None and job.state in OPEN
    shown = (study and study.pk, job and (job.pk, job.state, job.slot_id))
    tag = tag_of("lr_range", request.user.pk, request.GET.urlencode(), *shown)
    if request.method != "POST" and (answer := unchanged(request, tag)):
        return answer
    context = {
        "section": "workloads",
        "workload": workload,
        "study": study,
        "draft": _draft(request, workload.name),
        "form": form,
        "earlier": lr_range_jobs(request.user, workload.name),
        **_result(request, study, document, job),
    }
    response = page_or_fragment(
        request, "tuning/lr_range.html", "tuning/_lr_range.html", context, tag=tag, live=live and status == 200
    )
    response.status_code = response.status_code if status == 200 else status
    return response


def _result(request: SignedInRequest, study: Any, document: dict[str, Any], job: Any) -> dict[str, Any]:
    if job is None:
        return {"job": None}
    curves = curves_of(job)
    context: dict[str, Any] = {"job": job, "row": job_row(request.user, job), "curves": curves}
    if not curves:
        first, _, rest = job.error.partition("\n")
        return context | {"failure": (first, rest)}
    overlaid = (job.args.get("overlay") or {}).get("name", "")
    points = [LRPoints(_name(one, overlaid), one.lrs, one.losses, one.smoothed, one.bracket) for one in curves]
    editable = study is not None and study.state != "STOPPED" and may_edit(request.user, study)
    return context | {
        "figure": lr_range_figure(points, parameter=job.args.get("parameter") or "learning rate"),
        "rows": [_row(study if editable else None, document, job, index) for index in range(len(curves))],
        "numbers": [(one, _numbers(one)) for one in curves],
        "overlaid": overlaid,
        "device": (job.result or {}).get("device", ""),
        "seconds": (job.result or {}).get("seconds"),
        "stopped": (job.result or {}).get("stopped"),
    }


def _row(study: Any, document: dict[str, Any], job: Any, index: int) -> dict[str, Any]:
    """A curve in the table: its bracket, and where that would lead."""
    curve = curves_of(job)[index]
    overlaid = (job.args.get("overlay") or {}).get("name", "")
    row: dict[str, Any] = {"curve": curve, "name": _name(curve, overlaid), "ended": ENDS.get(curve.ended, curve.ended)}
    if curve.bracket is None:
        return row
    row["short"] = [written_number(float(f"{value:.2g}")) for value in (*curve.bracket, curve.lowest or 0.0)]
    try:
        name, entry, _ = suggested_entry(document, job, index)
    except NotFound:
        return row
    row |= {"parameter": name, "range": entry_words(entry), "same": document.get(name) == entry}
    if study is not None:
        row["use"] = f"{reverse('study_ranges', args=[study.pk])}?{urlencode({'lr_range': job.pk, 'curve': index})}"
    return row


def _name(curve: Curve, overlaid: str) -> str:
    """The value that is laid over, where it is clear of which parameter."""
    return curve.label.removeprefix(f"{overlaid} ")


ENDS = {
    "at the end": "at the last step",
    "diverged": "as the loss had risen to four times its least",
    "not finite": "as the loss was no longer finite",
    "stopped": "as it was stopped",
}


def _numbers(curve: Curve) -> list[tuple[float, float, float]]:
    every = -(-len(curve.lrs) // ROWS) or 1
    return list(zip(curve.lrs[::every], curve.losses[::every], curve.smoothed[::every], strict=True))
