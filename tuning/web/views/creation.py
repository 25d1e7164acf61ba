"""A new study: choose a workload, look at its space and change it, choose method and budget, create, start."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from tuning.engine import registry
from tuning.selectors.hosts import hosts_overview
from tuning.selectors.sources import teaching_studies
from tuning.selectors.studies import study_facts, study_list
from tuning.selectors.workloads import describe_pending, workload_list, workload_named
from tuning.services.errors import Conflict, Invalid
from tuning.services.lifecycle import start_study
from tuning.services.spaces import parse_space
from tuning.services.studies import create_study
from tuning.web.drawings import drawing_of
from tuning.web.errors import SignedInRequest, signed_in
from tuning.web.forms.sources import SourceRows
from tuning.web.forms.space import MOST_ROWS, SpaceRows, initial_rows
from tuning.web.forms.study import StudyForm

SCRIPT = "script"  # in the address: trials that scripts run over REST


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def new_study(request: SignedInRequest) -> HttpResponse:
    """Without ?workload= the choice of one; with it the form; POST creates, and starts unless told otherwise."""
    chosen = request.GET.get("workload", "")
    if not chosen:
        workloads = workload_list()
        context = {
            "section": "studies",
            "workloads": workloads,
            "broken": sum(bool(row.error) for row in workloads),
            "pending": describe_pending(),
            "script": SCRIPT,
        }
        return render(request, "tuning/study_choose.html", context)
    workload = _usable(chosen)
    sources = _sources(request, workload)
    if request.method != "POST":
        form = StudyForm(workload, initial=_initial(workload))
        return _page(request, workload, form, _first_rows(workload), sources)
    data = request.POST.copy()
    form, rows = StudyForm(workload, data), SpaceRows(data)
    if "add_row" in data or "remove_row" in data:
        _change_rows(data)
        return _page(request, workload, StudyForm(workload, initial=data.dict()), _bare(data), sources)
    study = _create(request, workload, form, rows, sources)
    if study is None:
        return _page(request, workload, form, rows, sources, status=400)
    if "start" in data:
        start_study(study_id=study.pk, actor=request.user)
        messages.success(request, "The study is running.")
    else:
        messages.success(request, "The study is ready; start it when you like.")
    return redirect("study", study.pk)


@signed_in
@require_POST
def check_study(request: SignedInRequest) -> HttpResponse:
    """While a person edits: the plan, and for each row its drawing and errors, each to its place in the page."""
    chosen = request.GET.get("workload", SCRIPT)
    workload = _usable(chosen)
    form, rows = StudyForm(workload, request.POST), SpaceRows(request.POST)
    form.is_valid()
    rows.is_valid()
    space = rows.check() if rows.kept() else None  # an empty space is refused when it is sent, not while it grows
    _draw(rows)
    sources = _sources(request, workload)
    _look(sources, form, space)
    plan = _plan(request, workload, form, space, sources)
    rows.show(plan.pop("issues", []))
    context = {"rows": rows, "plan": plan, "form": form, "sources": sources}
    return render(request, "tuning/_study_check.html", context)


def _usable(chosen: str) -> dict[str, Any] | None:
    """What a worker found out about the chosen workload, None for scripts. Raises NotFound, Conflict."""
    if chosen == SCRIPT:
        return None
    row = workload_named(chosen)
    if row.error:
        raise Conflict(
            f"The workload {chosen} cannot be loaded; the workloads page shows why. Correct it and press Refresh there."
        )
    document: dict[str, Any] = row.document
    return document


def _sources(request: SignedInRequest, workload: dict[str, Any] | None) -> SourceRows:
    """The boxes of the earlier studies that could teach a study of this workload, with what was ticked."""
    ticked = [number for text in request.POST.getlist("warm_start") if (number := _whole(text)) is not None]
    return SourceRows(
        teaching_studies(request.user, workload["name"] if workload else "", ticked),
        request.POST if request.method == "POST" else None,
    )


def _look(sources: SourceRows, form: StudyForm, space: dict[str, Any] | None) -> None:
    metric = form["metric"].value() or ""
    direction = form["direction"].value() if "direction" in form.fields else form.goals.get(metric)
    sources.look(parse_space(space) if space else None, metric.strip(), direction or "minimize")


def _create(
    request: SignedInRequest, workload: dict[str, Any] | None, form: StudyForm, rows: Any, sources: SourceRows
) -> Any:
    """The new study, or None with the errors in the form and the rows."""
    valid = form.is_valid()
    rows.is_valid()
    define_by_run = workload is not None and workload.get("kind") == "objective" and not rows.rows()
    space = None if define_by_run else rows.check()
    _look(sources, form, space)
    if not valid or rows.has_errors() or not sources.valid():
        return None
    try:
        return create_study(
            owner=request.user,
            workload=workload["name"] if workload else "",
            space=space,
            warm_start=sources.warm_start(),
            **form.arguments(),
        )
    except Invalid as error:
        form.take_errors(error)
        sources.take_errors(error)
        rows.show(error.space_issues)
        if not error.space_issues:
            rows.non_form_errors().extend(error.fields.get("space", []))
        return None


def _page(
    request: SignedInRequest, workload: Any, form: StudyForm, rows: Any, sources: SourceRows, status: int = 200
) -> HttpResponse:
    if rows.is_bound:
        rows.is_valid()
    _draw(rows)
    space = _space(rows)
    _look(sources, form, space)
    context = {
        "section": "studies",
        "workload": workload,
        "chosen": workload["name"] if workload else SCRIPT,
        "form": form,
        "rows": rows,
        "sources": sources,
        "plan": _plan(request, workload, form, space, sources),
    }
    return render(request, "tuning/study_new.html", context, status=status)


def _initial(workload: dict[str, Any] | None) -> dict[str, Any]:
    now = timezone.localtime()
    today = f"{now.day} {now:%b, %H:%M}"
    initial: dict[str, Any] = {
        "name": f"{workload['name'] if workload else 'script'}, {today}",
        "n_trials": 30,
    }
    slots = sum(len(device.slots) for host in hosts_overview() if host.alive for device in host.devices)
    initial["parallel"] = max(1, slots)
    if workload:
        initial |= {"metric": workload["metric"], "max_resource": workload.get("max_resource")}
    return initial


def _first_rows(workload: dict[str, Any] | None) -> Any:
    return SpaceRows(initial=initial_rows((workload or {}).get("space") or {}))


def _change_rows(data: QueryDict) -> None:
    """What the buttons for adding and removing a row do where no script does it."""
    if "add_row" in data:
        data["form-TOTAL_FORMS"] = str((_whole(data.get("form-TOTAL_FORMS")) or 0) + 1)
    else:
        data[f"form-{data['remove_row']}-DELETE"] = "on"


def _bare(data: QueryDict) -> Any:
    """The rows with what was entered, but without errors: nothing has been submitted yet."""
    fields = list(SpaceRows.form.base_fields)
    total = min(_whole(data.get("form-TOTAL_FORMS")) or 0, MOST_ROWS)
    kept = [index for index in range(total) if not data.get(f"form-{index}-DELETE")]
    initial = [{field: data.get(f"form-{index}-{field}", "") for field in fields} for index in kept]
    for row in initial:
        row["kind"] = row["kind"] or "float"
    return SpaceRows(initial=initial)


def _entries(rows: Any) -> list[tuple[Any, str, dict[str, Any]]]:
    """Each row's form, name and entry as far as it can be read; read from copies, so no error is left behind."""
    found = []
    for form in rows.kept() if rows.is_bound else rows.initial_forms:
        copy = type(form)({name: form[name].value() for name in form.base_fields})
        if copy.is_valid() and not copy.is_blank():
            entry = copy.entry()
            if not copy.errors:
                found.append((form, copy.cleaned_data["name"].strip() or "parameter", entry))
    return found


def _draw(rows: Any) -> None:
    for form, name, entry in _entries(rows):
        form.drawing = drawing_of(name, entry)


def _space(rows: Any) -> dict[str, Any] | None:
    document = {name: entry for _, name, entry in _entries(rows)}
    try:
        parse_space(document)
    except Invalid:
        return None
    return document


def _plan(
    request: SignedInRequest, workload: Any, form: StudyForm, space: dict[str, Any] | None, sources: SourceRows
) -> dict[str, Any]:
    """What will be run, as far as it can be said: trials, epochs, slots, and the time that earlier studies suggest."""
    trials, parallel = _whole(form["n_trials"].value()), _whole(form["parallel"].value())
    epochs = _whole(form["max_resource"].value()) if "max_resource" in form.fields else None
    plan: dict[str, Any] = {
        "here": workload is not None,
        "unit": (workload or {}).get("resource_unit") or "steps",
        "parallel": parallel,
        "epochs": epochs,
        "sampler": form["sampler"].value() or "auto",
        "grid": None,
        "learns": sources.learnt,
    }
    if space is not None:
        try:
            sampler = registry.make_sampler(plan["sampler"], {}, budget=trials, parallel=parallel or 1)
            engine_space = parse_space(space)
            sampler.check(engine_space)
            plan["grid"] = sampler.plan_size(engine_space)
        except ValueError as error:  # the sampler's complaint about single parameters, or about its own settings
            plan["issues"] = getattr(error, "errors", [])
            plan["problem"] = f"{plan['sampler'].capitalize()} cannot search this space yet: see the marked parameters."
            if not plan["issues"]:
                plan["problem"] = str(error)
    if sources.chosen and not registry.samplers()[plan["sampler"]].learns:
        plan["problem"] = f"{plan['sampler'].capitalize()} does not learn from trials: choose another sampler."
    if plan["grid"] is not None:
        trials = min(trials, plan["grid"]) if trials else plan["grid"]
    plan["trials"] = trials
    plan["total"] = trials * epochs if trials and epochs else None
    hosts = hosts_overview()
    plan["slots"] = sum(len(device.slots) for host in hosts if host.alive for device in host.devices)
    if workload and trials and epochs:
        plan |= _predicted(request, workload["name"], trials, epochs, min(parallel or 1, plan["slots"] or 1))
    return plan


def _whole(value: Any) -> int | None:
    """A positive whole number as a person writes it, None for all else; 18 digits are more than any plan needs."""
    text = str(value).strip() if value is not None else ""
    return int(text) or None if text.isdecimal() and len(text) <= 18 else None


def _predicted(request: SignedInRequest, workload: str, trials: int, epochs: int, at_once: int) -> dict[str, Any]:
    """The time from the newest study of the same workload that has completed trials."""
    for study in study_list(request.user, search=workload, per_page=10).rows:
        if study.workload != workload or not study.max_resource or not study.n_complete:
            continue
        seconds = study_facts(study).seconds_per_trial
        if seconds:
            each = seconds * epochs / study.max_resource
            return {"seconds": each * trials / at_once, "each": each, "after": study}
    return {}
