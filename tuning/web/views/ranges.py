"""Other ranges for a study: the rows of its space, what keeps counting, what earlier trials are assumed to have had."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from tuning.findings import Finding
from tuning.selectors.lr_ranges import lr_range_job, suggested_entry
from tuning.selectors.spaces import fit_of, misfits_waiting, space_versions
from tuning.selectors.studies import may_edit, study_for
from tuning.services.errors import Conflict, Forbidden, Invalid
from tuning.services.linting import range_findings
from tuning.services.ranges import LONGEST_REASON, change_ranges
from tuning.services.sources import assumptions_of
from tuning.services.spaces import parse_space
from tuning.web.errors import SignedInRequest, signed_in
from tuning.web.forms.editing import bare_rows, change_rows, draw_rows, space_of_rows, whole_number
from tuning.web.forms.linting import apply_fix, lint_rows
from tuning.web.forms.rows import read_value, written_value
from tuning.web.forms.sources import PREFIX, Assumption
from tuning.web.forms.space import SpaceRows, initial_rows


class Assumptions:
    """What earlier trials ran with of parameters that they lack: what was typed, or what is assumed already."""

    def __init__(self, study: Any, data: Any = None) -> None:
        self._study = study
        standing = {name: written_value(value) for name, value in study.space.assumed.items()}
        typed = {
            key.removeprefix(PREFIX): str(value).strip()
            for key, value in (data or {}).items()
            if key.startswith(PREFIX)
        }
        self._texts = {**standing, **typed}
        self.rows: list[Assumption] = []
        self.values: dict[str, Any] = {}
        self.fit: Any = None
        self.waiting: list[int] = []

    def look(self, document: dict[str, Any] | None) -> None:
        """Count what fits the space, None while it has errors, and ask for what the trials lack."""
        if document is None:
            return
        space = parse_space(document)
        given = {name: read_value(text) for name, text in self._texts.items() if text and name in space}
        self.values, wrong = assumptions_of(space, given)
        self.fit = fit_of(self._study, space, self.values)
        self.waiting, lacking = misfits_waiting(self._study, space, self.values)
        wanted = {*self.fit.fitting.missing, *lacking, *given} if self.fit else {*lacking, *given}
        self.rows = [
            Assumption(
                parameter.name, self._texts.get(parameter.name, ""), parameter.domain, wrong.get(parameter.name, [])
            )
            for parameter in space.parameters
            if parameter.name in wanted and parameter.kind != "constant"
        ]

    def valid(self) -> bool:
        return not any(row.errors for row in self.rows)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def ranges(request: SignedInRequest, study_id: int) -> HttpResponse:
    """The study's space as a form; POST makes it the next version, or shows what it would do (`check`)."""
    study = _changeable(request, study_id)
    if request.method != "POST":
        document, reason = _suggested(request, study)
        return _page(request, study, SpaceRows(initial=initial_rows(document)), Assumptions(study), reason=reason)
    data = request.POST.copy()
    assumptions = Assumptions(study, data)
    if "fix" in data:
        apply_fix(data, SpaceRows(data), **_lint_plan(study))
    if "add_row" in data or "remove_row" in data:
        change_rows(data)
    if {"fix", "add_row", "remove_row"} & set(data):
        return _page(request, study, bare_rows(data), assumptions)
    rows = SpaceRows(data)
    rows.is_valid()
    space = rows.check()
    assumptions.look(space)
    error = ""
    if space is None or not assumptions.valid() or "check" in data:
        refused = space is None or not assumptions.valid()
        return _page(request, study, rows, assumptions, status=400 if refused else 200)
    try:
        made = change_ranges(
            study_id=study.pk,
            actor=request.user,
            space=space,
            assumed=assumptions.values,
            reason=data.get("reason", ""),
        )
        messages.success(request, _done(made.version.number, len(made.cancelled)))
        return redirect("study_setup", study.pk)
    except Invalid as refusal:
        rows.show(refusal.space_issues)
        error = "" if refusal.space_issues else refusal.message
    except Conflict as refusal:
        error = refusal.message
    return _page(request, study, rows, assumptions, error=error, status=400)


def _suggested(request: SignedInRequest, study: Any) -> tuple[dict[str, Any], str]:
    """The study's space with the fix of the finding that the address names (?fix=EDGE&parameter=lr), or with the range
    around the bracket of a learning-rate test (?lr_range=7&curve=0), and the reason; as it stands where there is no
    such finding any more."""
    if test := whole_number(request.GET.get("lr_range")):
        return _tested(request, study, test)
    rule, name = request.GET.get("fix"), request.GET.get("parameter")
    for finding in range_findings(study) if rule else []:
        if (finding.rule, finding.parameter) == (rule, name) and finding.fix is not None:
            return {**study.space.document, name: dict(finding.fix)}, finding.message[:LONGEST_REASON]
    return study.space.document, ""


def _tested(request: SignedInRequest, study: Any, test: int) -> tuple[dict[str, Any], str]:
    job = lr_range_job(request.user, test)
    name, entry, curve = suggested_entry(study.space.document, job, whole_number(request.GET.get("curve")) or 0)
    low, high = curve.bracket or (0.0, 0.0)
    under = f" with {curve.label}" if curve.label else ""
    reason = f"The learning-rate test {test}{under} found that {low:.2g} to {high:.2g} trains."
    return {**study.space.document, name: entry}, reason[:LONGEST_REASON]


def _done(version: int, cancelled: int) -> str:
    words = f"Version {version} of the search space holds from now on."
    if cancelled == 1:
        words += " One waiting trial did not fit and was cancelled."
    elif cancelled:
        words += f" {cancelled} waiting trials did not fit and were cancelled."
    return words


@signed_in
@require_POST
def check_ranges(request: SignedInRequest, study_id: int) -> HttpResponse:
    """While a person edits: what keeps counting, and for each row its drawing and errors, each to its place."""
    study = _changeable(request, study_id)
    rows, assumptions = SpaceRows(request.POST), Assumptions(study, request.POST)
    rows.is_valid()
    assumptions.look(rows.check() if rows.kept() else None)
    draw_rows(rows)
    lint_rows(rows, **_lint_plan(study))
    shown = request.POST.getlist("assume")
    context = {
        "study": study,
        "rows": rows,
        "sources": {"assumptions": assumptions.rows},
        "assumptions": assumptions,
        "asks_anew": shown != [row.name for row in assumptions.rows],
    }
    return render(request, "tuning/_ranges_check.html", context)


def _changeable(request: SignedInRequest, study_id: int) -> Any:
    study = study_for(request.user, study_id)
    if not may_edit(request.user, study):
        raise Forbidden(f"Only {study.owner.get_username()} and administrators may change {study.name!r}.")
    if study.space is None:
        raise Conflict("This study's parameters are suggested while its objective runs: change their ranges there.")
    return study


def _lint_plan(study: Any) -> dict[str, Any]:
    known: dict[str, tuple[dict[str, Any], list[Finding]]] = {}
    for finding in range_findings(study):
        if finding.parameter is not None:
            known.setdefault(finding.parameter, (study.space.document[finding.parameter], []))[1].append(finding)
    plan = {"sampler": study.sampler, "scheduler": study.scheduler, "first_round": not study.n_ended}
    return {"known": known, **plan}


def _page(
    request: SignedInRequest,
    study: Any,
    rows: Any,
    assumptions: Assumptions,
    *,
    error: str = "",
    reason: str = "",
    status: int = 200,
) -> HttpResponse:
    if rows.is_bound:
        rows.is_valid()
    draw_rows(rows)
    lint_rows(rows, **_lint_plan(study))
    if assumptions.fit is None:
        assumptions.look(space_of_rows(rows))
    context = {
        "section": "studies",
        "study": study,
        "workload": {"kind": "pytorch"},
        "rows": rows,
        "assumptions": assumptions,
        "sources": {"assumptions": assumptions.rows},
        "versions": space_versions(study),
        "reason": request.POST.get("reason", reason),
        "longest_reason": LONGEST_REASON,
        "error": error,
    }
    return render(request, "tuning/study_ranges.html", context, status=status)
