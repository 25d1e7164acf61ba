"""A new study in steps on one page: workload and aim, preflight, space, method and budget, review; create, start.

What is typed is kept as a draft (web.drafts) under the key in the address, with and without script.
With ?from= the form starts with everything of another study, which the new one then is a clone of; ?scheduler= and its
settings under their names in the form take the place of that study's.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from tuning.selectors.clones import settings_of, strength_settings
from tuning.selectors.drafts import draft_of, drafts_of
from tuning.selectors.sources import teaching_studies
from tuning.selectors.space_templates import template_named, templates_for
from tuning.selectors.workloads import describe_pending, workload_list
from tuning.services.cloning import clone_study
from tuning.services.drafts import close_draft, save_draft
from tuning.services.errors import Conflict, Invalid
from tuning.services.lifecycle import start_study
from tuning.services.pilots import start_pilot
from tuning.services.preflights import request_preflight
from tuning.services.spaces import parse_space
from tuning.services.studies import create_study
from tuning.web.advice import FIELDS as FIELDS_OF_ADVICE
from tuning.web.advice import Advice, advice_on, epochs_of, take
from tuning.web.beginnings import (
    SCRIPT,
    first_rows,
    initial,
    initial_clone,
    live_slots,
    name_of,
    source_of,
    switched,
    ticked,
    usable,
)
from tuning.web.drafts import keep, new_key, typed
from tuning.web.errors import SignedInRequest, signed_in
from tuning.web.forms.editing import bare_rows, change_rows, draw_rows, insert_rows, space_of_rows, whole_number
from tuning.web.forms.linting import apply_fix, lint_rows
from tuning.web.forms.sources import FIELD, SourceRows
from tuning.web.forms.space import SpaceRows, initial_rows
from tuning.web.forms.study import StudyForm
from tuning.web.plan import lint_plan, plan_of
from tuning.web.preflight import preflight_panel

EDITS = {"fix", "add_row", "remove_row", "insert_template", "keep", "advise", "advice"}  # buttons that create nothing


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def new_study(request: SignedInRequest) -> HttpResponse:
    """Without ?workload= the choice of one; with it the form; POST creates, and starts unless told otherwise.

    ?draft= is the key under which what is typed is kept; a page without one chooses a new one for its form.
    """
    chosen, source = request.GET.get("workload", ""), source_of(request)
    if source is not None:
        chosen = source.workload or SCRIPT
    if not chosen:
        return choice(request)
    workload, key = usable(chosen), request.GET.get("draft", "")
    draft = draft_of(request.user, key) if request.method != "POST" else None
    if draft is not None:
        return _draft_page(request, workload, typed(draft.fields), source)
    settings = _settings(request, source) if source is not None else None
    sources = _sources(request, workload, settings)
    if request.method != "POST":
        fields = initial(workload) if source is None else initial_clone(source, settings or {}, request.GET)
        rows = first_rows(workload) if settings is None else SpaceRows(initial=initial_rows(settings["space"] or {}))
        return _page(request, workload, StudyForm(workload, initial=fields), rows, sources, source)
    return _sent(request, workload, sources, source)


def _settings(request: SignedInRequest, source: Any) -> dict[str, Any]:
    """Those of the source; with ?measure= and ?along= those of a study that measures a regulariser against a size."""
    if "measure" in request.GET:
        return strength_settings(request.user, source, request.GET["measure"], request.GET.get("along", ""))
    return settings_of(request.user, source)


def _sent(request: SignedInRequest, workload: Any, sources: SourceRows, source: Any | None) -> HttpResponse:
    """What a button of the form does. Whatever it is, what was typed is kept until there is a study."""
    data = request.POST.copy()
    form, rows = StudyForm(workload, data), SpaceRows(data)
    if "fix" in data:
        apply_fix(data, rows, **lint_plan(form))
    if "add_row" in data or "remove_row" in data:
        change_rows(data)
    note = _insert_template(workload, form, data) if "insert_template" in data else ""
    keep(request, workload, data, source)
    if workload is not None and "preflight" in data:
        request_preflight(actor=request.user, workload=workload["name"], again=True)
        return redirect(f"{request.get_full_path()}#step-preflight")
    if workload is not None and "find_lr" in data:
        query = urlencode({"draft": request.GET.get("draft", "")})
        return redirect(f"{reverse('lr_range', args=[workload['name']])}?{query}")
    if workload is not None and "pilot" in data:
        return _pilot(request, workload, form, rows)
    if "switch" in data and source is None:
        return _switch(request, workload, data)
    if EDITS & set(data):
        return _edited(request, workload, data, sources, source, note)
    study = _create(request, workload, form, rows, sources, source)
    if study is None:
        return _page(request, workload, form, rows, sources, source, status=400)
    close_draft(owner=request.user, key=request.GET.get("draft", ""))
    if "start" in data:
        _start(request, study)
    else:
        messages.success(request, "The study is ready; start it when you like.")
    return redirect("study", study.pk)


def _pilot(request: SignedInRequest, workload: dict[str, Any], form: StudyForm, rows: Any) -> HttpResponse:
    """A handful of whole trials of what the form describes; the form stays as it is."""
    form.is_valid()
    rows.is_valid()
    space, metric = rows.check(), form["metric"].value()
    try:
        if rows.has_errors():
            raise Invalid({"space": ["The search space has mistakes: mend what is marked in it first."]})
        pilot = start_pilot(
            owner=request.user,
            workload=workload["name"],
            space=space,
            parallel=max(1, live_slots()),
            metric=metric,
            direction=form.goals.get(metric),
            max_resource=epochs_of(form),
        )
    except (Conflict, Invalid) as error:
        messages.error(request, f"No pilot was started. {error.message}")
    else:
        words = "is running" if pilot.state == "RUNNING" else "runs once the checks have passed"
        messages.success(request, f"{pilot.name} {words}: Advise again once four of its trials are complete.")
    return redirect(f"{request.get_full_path()}#step-method")


def _switch(request: SignedInRequest, workload: Any, data: QueryDict) -> HttpResponse:
    """Another workload, with what was typed as far as it fits."""
    chosen = usable(data.get("other_workload", SCRIPT))
    key = request.GET.get("draft") or new_key()
    name = str(chosen["name"]) if chosen else ""
    save_draft(owner=request.user, key=key, workload=name, fields=switched(workload, chosen, data))
    return redirect(f"{request.path}?{urlencode({'workload': name_of(chosen), 'draft': key})}")


def _edited(
    request: SignedInRequest, workload: Any, data: QueryDict, sources: SourceRows, source: Any | None, note: str
) -> HttpResponse:
    """The form after a button that changes it or asks for advice."""
    advice = None
    if {"advise", "advice"} & set(data):
        form, rows = StudyForm(workload, initial=data.dict()), SpaceRows(data)
        rows.is_valid()
        space = rows.check()
        advice = advice_on(request, data, form, workload, None if rows.has_errors() else space, live_slots())
        if "advice" in data and advice.cards:
            messages.success(request, take(advice, data))
            keep(request, workload, data, source)
    form = StudyForm(workload, initial=data.dict())
    return _page(request, workload, form, bare_rows(data), sources, source, note=note, advice=advice)


def _start(request: SignedInRequest, study: Any) -> None:
    try:
        started = start_study(study_id=study.pk, actor=request.user)
    except Conflict as error:  # its preflight has failed
        messages.error(request, f"The study is created and not started. {error.message}")
    else:
        running = started.state != "READY"
        messages.success(request, "The study is running." if running else f"The study is ready. {started.state_reason}")


def choice(request: SignedInRequest, error: str = "", text: str = "", status: int = 200) -> HttpResponse:
    """What is to be trained; or a file that says it all."""
    workloads = workload_list()
    context = {
        "section": "studies",
        "workloads": workloads,
        "broken": sum(bool(row.error) for row in workloads),
        "pending": describe_pending(),
        "script": SCRIPT,
        "drafts": drafts_of(request.user),
        "error": error,
        "text": text,
    }
    return render(request, "tuning/study_choose.html", context, status=status)


def _draft_page(request: SignedInRequest, workload: Any, data: QueryDict, source: Any | None) -> HttpResponse:
    """The form as it was left: without errors, since nothing was sent."""
    sources = _sources(request, workload, typed=data)
    return _page(request, workload, StudyForm(workload, initial=data.dict()), bare_rows(data), sources, source)


@signed_in
@require_POST
def check_study(request: SignedInRequest) -> HttpResponse:
    """While a person edits: the plan, and for each row its drawing and errors, each to its place in the page."""
    chosen = request.GET.get("workload", SCRIPT)
    workload = usable(chosen)
    form, rows = StudyForm(workload, request.POST), SpaceRows(request.POST)
    form.is_valid()
    rows.is_valid()
    space = rows.check() if rows.kept() else None  # an empty space is refused when it is sent, not while it grows
    draw_rows(rows)
    sources = _sources(request, workload)
    _look(sources, form, space)
    plan = plan_of(request, workload, form, space, sources)
    rows.show(plan.pop("issues", []))
    plan["findings"] = lint_rows(rows, **lint_plan(form))
    kept = keep(request, workload, request.POST, source_of(request))
    context = {"rows": rows, "plan": plan, "form": form, "sources": sources, "kept": kept}
    return render(request, "tuning/_study_check.html", context)


def _insert_template(workload: dict[str, Any] | None, form: StudyForm, data: QueryDict) -> str:
    """Append the rows of the chosen template; what it is, and which are left out because their names are taken."""
    form.is_valid()
    parameters = form.cleaned_data.get("limit_parameters")
    template = template_named(data.get("template", ""), workload["name"] if workload else "", parameters)
    taken = insert_rows(data, template.space)
    left_out = f" Left out, since they are there already: {', '.join(taken)}." if taken else ""
    return f"{template.title}: {template.why} {template.build}{left_out}{_of_its_own(workload, template.space, taken)}"


def _of_its_own(workload: dict[str, Any] | None, space: Mapping[str, Any], taken: Sequence[str]) -> str:
    """Which of the rows the workload does not name in its own space: they do nothing until its code reads them."""
    own = (workload or {}).get("space") or {}
    strange = [name for name in space if name not in own and name not in taken]
    if not own or not strange:
        return ""
    whose = f"Not in {name_of(workload)}'s own space: {', '.join(strange)}"
    return f" {whose}. They change nothing unless its code reads them."


def _sources(
    request: SignedInRequest,
    workload: dict[str, Any] | None,
    settings: dict[str, Any] | None = None,
    typed: QueryDict | None = None,
) -> SourceRows:
    """The boxes of the earlier studies that could teach a study of this workload, with what was ticked.

    settings: of the study that is cloned; what it learns from is ticked at first. typed: of a draft.
    """
    data: QueryDict | None = request.POST if request.method == "POST" else typed
    if data is None and settings is not None:
        data = ticked(settings["warm_start"])
    chosen = [number for text in data.getlist(FIELD) if (number := whole_number(text))] if data else []
    return SourceRows(teaching_studies(request.user, workload["name"] if workload else "", chosen), data)


def _look(sources: SourceRows, form: StudyForm, space: dict[str, Any] | None) -> None:
    metric = form["metric"].value() or ""
    direction = form["direction"].value() if "direction" in form.fields else form.goals.get(metric)
    sources.look(parse_space(space) if space else None, metric.strip(), direction or "minimize")


def _create(
    request: SignedInRequest,
    workload: dict[str, Any] | None,
    form: StudyForm,
    rows: Any,
    sources: SourceRows,
    source: Any | None,
) -> Any:
    """The new study, or None with the errors in the form and the rows."""
    valid = form.is_valid()
    rows.is_valid()
    define_by_run = workload is not None and workload.get("kind") == "objective" and not rows.rows()
    space = None if define_by_run else rows.check()
    _look(sources, form, space)
    if not valid or rows.has_errors() or not sources.valid():
        return None
    arguments = {
        "workload": workload["name"] if workload else "",
        "space": space,
        "warm_start": sources.warm_start(),
        **form.arguments(),
    }
    try:
        if source is not None:
            return clone_study(study_id=source.pk, actor=request.user, **arguments)
        return create_study(owner=request.user, **arguments)
    except Invalid as error:
        form.take_errors(error)
        sources.take_errors(error)
        rows.show(error.space_issues)
        if not error.space_issues:
            rows.non_form_errors().extend(error.fields.get("space", []))
        return None


def _page(
    request: SignedInRequest,
    workload: Any,
    form: StudyForm,
    rows: Any,
    sources: SourceRows,
    source: Any | None,
    status: int = 200,
    note: str = "",
    advice: Advice | None = None,
) -> HttpResponse:
    if rows.is_bound:
        rows.is_valid()
    draw_rows(rows)
    space = space_of_rows(rows)
    _look(sources, form, space)
    plan = plan_of(request, workload, form, space, sources)
    plan["findings"] = lint_rows(rows, **lint_plan(form))
    context = {
        "section": "studies",
        "workload": workload,
        "chosen": name_of(workload),
        "form": form,
        "rows": rows,
        "sources": sources,
        "source": source,
        "plan": plan,
        "note": note,
        "advice": advice or Advice(written={name: form.initial.get(name, "") for name in FIELDS_OF_ADVICE}),
        "query": _query(request, workload),
        "others": [row for row in workload_list() if not row.error],
        "script": SCRIPT,
        **preflight_panel(workload),
        "chosen_template": request.POST.get("template", ""),
        "templates": templates_for(workload["name"] if workload else ""),
    }
    return render(request, "tuning/study_new.html", context, status=status)


def _query(request: SignedInRequest, workload: dict[str, Any] | None) -> str:
    """What the form's addresses carry: its workload, the study that it clones, and the key of its draft."""
    own = {"workload": name_of(workload), "draft": request.GET.get("draft") or new_key()}
    return urlencode({name: value for name, value in request.GET.items() if name == "from"} | own)
