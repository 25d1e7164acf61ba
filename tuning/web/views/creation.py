"""A new study: choose a workload, look at its space and change it, choose method and budget, create, start.

With ?from= the form starts with everything of another study, which the new one then is a clone of; ?scheduler= and its
settings under their names in the form take the place of that study's.
"""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from tuning.engine import registry
from tuning.selectors.clones import clone_name, settings_of
from tuning.selectors.hosts import hosts_overview
from tuning.selectors.sources import teaching_studies
from tuning.selectors.space_templates import template_named, templates_for
from tuning.selectors.studies import study_facts, study_for, study_list
from tuning.selectors.workloads import describe_pending, workload_list, workload_named
from tuning.services.cloning import clone_study
from tuning.services.errors import Conflict, Invalid, NotFound
from tuning.services.lifecycle import start_study
from tuning.services.spaces import parse_space
from tuning.services.studies import create_study
from tuning.web.errors import SignedInRequest, signed_in
from tuning.web.forms.editing import bare_rows, change_rows, draw_rows, insert_rows, space_of_rows, whole_number
from tuning.web.forms.limits import limits_for_form
from tuning.web.forms.linting import apply_fix, lint_rows
from tuning.web.forms.rows import written_value
from tuning.web.forms.sources import FIELD, PREFIX, SourceRows
from tuning.web.forms.space import SpaceRows, initial_rows
from tuning.web.forms.study import SHARED, StudyForm
from tuning.web.forms.time import seconds_of

TIMES = ("study_seconds", "device_seconds")
SCRIPT = "script"  # in the address: trials that scripts run over REST


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def new_study(request: SignedInRequest) -> HttpResponse:
    """Without ?workload= the choice of one; with it the form; POST creates, and starts unless told otherwise."""
    chosen, source = request.GET.get("workload", ""), _source(request)
    if source is not None:
        chosen = source.workload or SCRIPT
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
    settings = settings_of(request.user, source) if source is not None else None
    sources = _sources(request, workload, settings)
    if request.method != "POST":
        initial = _initial(workload) if source is None else _initial_clone(source, settings or {}, request.GET)
        rows = _first_rows(workload) if settings is None else SpaceRows(initial=initial_rows(settings["space"] or {}))
        return _page(request, workload, StudyForm(workload, initial=initial), rows, sources, source)
    data = request.POST.copy()
    form, rows = StudyForm(workload, data), SpaceRows(data)
    if "fix" in data:
        apply_fix(data, rows, **_lint_plan(form))
    if "add_row" in data or "remove_row" in data:
        change_rows(data)
    note = _insert_template(workload, form, data) if "insert_template" in data else ""
    if {"fix", "add_row", "remove_row", "insert_template"} & set(data):
        form = StudyForm(workload, initial=data.dict())
        return _page(request, workload, form, bare_rows(data), sources, source, note=note)
    study = _create(request, workload, form, rows, sources, source)
    if study is None:
        return _page(request, workload, form, rows, sources, source, status=400)
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
    draw_rows(rows)
    sources = _sources(request, workload)
    _look(sources, form, space)
    plan = _plan(request, workload, form, space, sources)
    rows.show(plan.pop("issues", []))
    plan["findings"] = lint_rows(rows, **_lint_plan(form))
    context = {"rows": rows, "plan": plan, "form": form, "sources": sources}
    return render(request, "tuning/_study_check.html", context)


def _insert_template(workload: dict[str, Any] | None, form: StudyForm, data: QueryDict) -> str:
    """Append the rows of the chosen template; what it is, and which are left out because their names are taken."""
    form.is_valid()
    parameters = form.cleaned_data.get("limit_parameters")
    template = template_named(data.get("template", ""), workload["name"] if workload else "", parameters)
    taken = insert_rows(data, template.space)
    left_out = f" Left out, since they are there already: {', '.join(taken)}." if taken else ""
    return f"{template.title}: {template.why} {template.build}{left_out}"


def _source(request: SignedInRequest) -> Any | None:
    """The study that the new one is to be like, by ?from=. Raises NotFound."""
    if "from" not in request.GET:
        return None
    number = whole_number(request.GET["from"])
    if number is None:
        raise NotFound(f"There is no study {request.GET['from']!r} to clone.")
    return study_for(request.user, number)


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


def _sources(
    request: SignedInRequest, workload: dict[str, Any] | None, settings: dict[str, Any] | None = None
) -> SourceRows:
    """The boxes of the earlier studies that could teach a study of this workload, with what was ticked.

    settings: of the study that is cloned; what it learns from is ticked at first.
    """
    data: QueryDict | None = request.POST if request.method == "POST" else None
    if data is None and settings is not None:
        data = _ticked_clone(settings)
    ticked = [number for text in data.getlist(FIELD) if (number := whole_number(text))] if data else []
    return SourceRows(teaching_studies(request.user, workload["name"] if workload else "", ticked), data)


def _ticked_clone(settings: dict[str, Any]) -> QueryDict:
    """What the form would send of the earlier studies that the cloned one learns from."""
    data = QueryDict(mutable=True)
    for entry in settings["warm_start"]:
        data.appendlist(FIELD, str(entry["study"]))
        data.update({f"{PREFIX}{name}": written_value(value) for name, value in entry["assumed"].items()})
    return data


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
) -> HttpResponse:
    if rows.is_bound:
        rows.is_valid()
    draw_rows(rows)
    space = space_of_rows(rows)
    _look(sources, form, space)
    plan = _plan(request, workload, form, space, sources)
    plan["findings"] = lint_rows(rows, **_lint_plan(form))
    context = {
        "section": "studies",
        "workload": workload,
        "chosen": workload["name"] if workload else SCRIPT,
        "form": form,
        "rows": rows,
        "sources": sources,
        "source": source,
        "plan": plan,
        "note": note,
        "chosen_template": request.POST.get("template", ""),
        "templates": templates_for(workload["name"] if workload else ""),
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


def _initial_clone(source: Any, settings: dict[str, Any], query: QueryDict) -> dict[str, Any]:
    """Everything of the source, as the form's fields; a scheduler that the address names comes with its settings."""
    options = {
        f"{settings[method]}-{name}": value
        for method in ("sampler", "scheduler")
        for name, value in settings[f"{method}_options"].items()
    }
    options |= {f"{settings['scheduler']}-{name}": settings[name] for name in ("min_resource", "reduction_factor")}
    chosen = query.get("scheduler", "")
    if chosen in registry.schedulers():
        names = ("scheduler", "max_resource", *(name for name in query if name.startswith(f"{chosen}-")))
        options |= {name: query[name] for name in names if name in query}
    return {**settings, **options, **limits_for_form(settings["constraints"]), "name": clone_name(source)}


def _first_rows(workload: dict[str, Any] | None) -> Any:
    return SpaceRows(initial=initial_rows((workload or {}).get("space") or {}))


def _lint_plan(form: StudyForm) -> dict[str, Any]:
    """What the lint has to know of the study beside its space."""
    return {
        "budget": whole_number(form["n_trials"].value()),
        "sampler": form["sampler"].value() or "auto",
        "scheduler": form["scheduler"].value() or "none",
        "metric": (form["metric"].value() or "").strip(),
    }


def _plan(
    request: SignedInRequest, workload: Any, form: StudyForm, space: dict[str, Any] | None, sources: SourceRows
) -> dict[str, Any]:
    """What will be run, as far as it can be said: trials, epochs, slots, and the time that earlier studies suggest."""
    trials, parallel = whole_number(form["n_trials"].value()), whole_number(form["parallel"].value())
    epochs = whole_number(form["max_resource"].value()) if "max_resource" in form.fields else None
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
    hosts = hosts_overview()
    plan["slots"] = sum(len(device.slots) for host in hosts if host.alive for device in host.devices)
    at_once = min(parallel or 1, plan["slots"] or 1)
    plan |= _pace(request, workload["name"], epochs) if workload and epochs else {}
    plan |= _schedule(form, trials, epochs)
    if "each" in plan and plan["total"]:
        plan["seconds"] = plan["each"] / epochs * plan["total"] / at_once
    return plan | _cut(form, plan, at_once)


def _schedule(form: StudyForm, trials: int | None, epochs: int | None) -> dict[str, Any]:
    """What the chosen scheduler makes of so many trials and steps: brackets, their rungs, the epochs in all.

    "trials" None where neither is said; "about" where it is what the steps pay by an expectation.
    """
    steps = whole_number(form["total_resource"].value()) if "total_resource" in form.fields else None
    try:
        name, options = form.schedule()
        shared = {key: options.pop(key) for key in SHARED if key in options}
        scheduler = registry.make_scheduler(name, options, max_resource=epochs, **shared)
        paid = scheduler.trials_for(steps) if steps and epochs else None
        by_steps = paid is not None and (trials is None or paid < trials)
        trials = paid if by_steps else trials
        plan = scheduler.plan(trials or None)
    except ValueError as error:  # a setting that the form marks when it is sent
        return {"trials": trials, "total": None, "problem": str(error)}
    brackets = [
        {"rungs": bracket.rungs, "most": max(size for size, _ in bracket.rungs)}
        for bracket in plan.brackets
        if len(bracket.rungs) > 1 or len(plan.brackets) > 1
    ]
    exact = plan.exact and not (by_steps and not scheduler.pauses)
    few = f"{steps:,} in all do not pay a single trial, which takes {epochs:,}." if trials == 0 else ""
    return {
        "trials": trials,
        "about": by_steps and not exact,
        "exact": exact,
        "brackets": brackets,
        "steps": steps,
        "total": plan.resource if trials else None,
        **({"problem": few} if few else {}),
    }


def _pace(request: SignedInRequest, workload: str, epochs: int) -> dict[str, Any]:
    """The time of a whole trial, from the newest study of the same workload whose trials all ran to their ends."""
    for study in study_list(request.user, search=workload, per_page=10).rows:
        if study.workload != workload or not study.max_resource or not study.n_complete or study.scheduler != "none":
            continue
        seconds = study_facts(study).seconds_per_trial
        if seconds:
            return {"each": seconds / study.max_resource * epochs, "after": study}
    return {}


def _cut(form: StudyForm, plan: dict[str, Any], at_once: int) -> dict[str, Any]:
    """Where a limit of time ends the study before its plan is done, as far as that can be said."""
    given = {name: seconds_of(str(form[name].value() or "")) for name in TIMES if name in form.fields}
    spans = {name: seconds / (at_once if name == "device_seconds" else 1) for name, seconds in given.items() if seconds}
    if not spans:
        return {}
    ends = min(spans.values())
    if "seconds" in plan and plan["seconds"] > ends:
        return {"cut": ends, "seconds": ends, "share": max(1, round(100 * ends / plan["seconds"]))}
    if "seconds" not in plan:
        whole = int(ends * at_once / plan["each"]) if "each" in plan and not plan["trials"] else 0
        return {"cut": ends, **({"seconds": ends} if "each" in plan else {}), "whole": whole}
    return {}
