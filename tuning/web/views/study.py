"""A study's page: its tabs, its controls, its settings, and what a person takes away."""

import json
from typing import Any

import yaml
from django.contrib import messages
from django.core.cache import cache
from django.http import FileResponse, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.views.decorators.http import require_http_methods, require_safe

from tuning.charts import curve_table, learning_curves_figure
from tuning.findings import Finding
from tuning.selectors import exports
from tuning.selectors.advice_tests import paired_for
from tuning.selectors.clones import clone_source
from tuning.selectors.curves import study_curves
from tuning.selectors.hindrances import hindrances
from tuning.selectors.preflights import Standing, standing_of
from tuning.selectors.schedulers import has_rungs
from tuning.selectors.seal import seal_of
from tuning.selectors.sources import visible_sources
from tuning.selectors.spaces import fit_of, space_versions
from tuning.selectors.studies import may_edit, study_facts, study_for
from tuning.selectors.trials import trial_for
from tuning.selectors.workloads import split_of
from tuning.services.diagnostics import awaits_look, diagnosis_soon
from tuning.services.errors import Conflict, Invalid, NotFound
from tuning.services.forecasts import prediction
from tuning.services.importance import awaits_finding
from tuning.services.studies import update_study
from tuning.web.diagnosis import diagnosis_mark
from tuning.web.drawings import space_table
from tuning.web.errors import SignedInRequest, signed_in
from tuning.web.final import final_mark
from tuning.web.forms.study import SettingsForm
from tuning.web.importance import importance_ready
from tuning.web.limits import limit_rows
from tuning.web.polling import once, page_or_fragment, tag_of, unchanged
from tuning.web.preflight import mark_of
from tuning.web.sections import DRAWS, TABS, columns_of, curves_of, overview, unit_of

MOST_COMPARED = 8
HINDRANCE_SECONDS = 4


@signed_in
@require_safe
def study_tab(request: SignedInRequest, study_id: int, tab: str) -> HttpResponse:
    """A tab, or for a poll its changing part: 304 where the version is the one that the page shows."""
    study = study_for(request.user, study_id)
    if tab == "rungs" and not has_rungs(study):
        raise NotFound("The trials of this study run to their ends by themselves: it has no rungs.")
    editable = may_edit(request.user, study)
    query = request.GET.urlencode()
    found = _hindrances(study) if tab == "overview" else []
    standing = standing_of(study) if tab == "preflight" or study.state == "READY" else None
    mark = mark_of(standing.preflight) if standing else ()
    diagnosed = diagnosis_soon(study) if tab == "diagnosis" else None
    diagnosis = diagnosis_mark(diagnosed) if tab == "diagnosis" else ()
    ready = tab != "importance" or importance_ready(study, request.GET)
    final = final_mark(study) if tab == "final" else ()
    words = [finding.message for finding in found]
    shown = (study.version, study.state, editable, query, words, mark, diagnosis, ready, final)
    tag = tag_of(tab, study.pk, *shown)
    answer = unchanged(request, tag)
    if answer is not None:
        return answer

    def _tab_context() -> dict[str, Any]:
        return overview(study, request.GET, found) if tab == "overview" else TABS[tab](study, request.GET)

    # The body is the same for all who may do the same; forms hold a person's CSRF token and stay out of the cache.
    body = once(
        tag_of("body", tab, study.pk, *shown),
        lambda: render_to_string(f"tuning/_{tab}.html", {**_tab_context(), "editable": editable}),
    )
    facts = once(tag_of("facts", study.pk, study.version, study.state), lambda: study_facts(study))
    standing = standing or once(tag_of("standing", study.pk, study.version), lambda: standing_of(study))
    context = {**_header(request, study, tab, standing), "facts": facts, "body": body, "draws": tab in DRAWS}
    context["final_standing"] = final[0] if final and not final[2] else ""
    measured = bool(final) and final[0] in ("waits", "runs")
    checks = standing is not None and standing.state == "OPEN"
    live = study.state in ("READY", "RUNNING", "PAUSED") or study.n_open > 0 or checks or not ready
    live = live or measured or (tab == "overview" and awaits_finding(study))
    live = live or (tab == "diagnosis" and awaits_look(study, diagnosed))
    return page_or_fragment(request, "tuning/study.html", "tuning/_study.html", context, tag=tag, live=live)


def _hindrances(study: Any) -> list[Finding]:
    """Why nothing starts, looked at once in HINDRANCE_SECONDS for all viewers: polls stay cheap."""
    key = f"hindrances:{study.pk}:{study.version}"
    found: list[Finding] | None = cache.get(key)
    if found is None:
        found = hindrances(study)
        cache.set(key, found, HINDRANCE_SECONDS)
    return found


def _header(request: SignedInRequest, study: Any, tab: str, standing: Standing | None = None) -> dict[str, Any]:
    editable = may_edit(request.user, study)
    cloned = study.clone_of_id is not None and clone_source(request.user, study)
    return {
        "section": "studies",
        "study": study,
        "editable": editable,
        "tab": tab,
        "unit": unit_of(study),
        "rungs": has_rungs(study),
        "standing": standing or standing_of(study),
        "cloned_from": cloned or None,
        "tests": paired_for(study),
    }


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def study_setup(request: SignedInRequest, study_id: int) -> HttpResponse:
    """What the study searches and how; POST changes what may still change."""
    study = study_for(request.user, study_id)
    form = SettingsForm(study, request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            update_study(study=study, actor=request.user, **form.changes())
            messages.success(request, "The settings are changed.")
            return redirect("study_setup", study.pk)
        except Invalid as error:
            form.take_errors(error)
        except Conflict as error:
            form.add_error(None, error.message)
    context = {
        **_header(request, study, "setup"),
        "form": form,
        "facts": study_facts(study),
        "split": split_of(study.workload),
        "seal": seal_of(study),
        "predicted": prediction(study),
        "limits": limit_rows(study.constraints),
        "sources": visible_sources(request.user, study),
        "space_rows": space_table(study.space.document) if study.space else [],
        "versions": space_versions(study),
        "fit": fit_of(study),
        "live": False,
    }
    return render(request, "tuning/study_setup.html", context, status=400 if form.errors else 200)


@signed_in
@require_safe
def best_configuration(request: SignedInRequest, study_id: int, form: str) -> HttpResponse | FileResponse:
    """The best configuration as JSON or YAML, or the checkpoint that its value comes from."""
    study = study_for(request.user, study_id)
    name = f"study-{study.pk}-best.{form}"
    if form == "pt":
        return FileResponse(exports.best_checkpoint(study).open("rb"), as_attachment=True, filename=name)
    if form == "json":
        text, kind = json.dumps(exports.best_configuration(study), indent=2) + "\n", "application/json"
    elif form == "yaml":
        text = yaml.safe_dump(exports.best_configuration(study), sort_keys=False, allow_unicode=True)
        kind = "application/yaml"
    else:
        raise NotFound(f"The best configuration can be had as json, yaml or pt, not as {form}.")
    return HttpResponse(text, content_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})


@signed_in
@require_safe
def compare(request: SignedInRequest, study_id: int) -> HttpResponse:
    """Trials of a study side by side: ?trial= several times, at most 8."""
    study = study_for(request.user, study_id)
    ids = [int(text) for text in dict.fromkeys(request.GET.getlist("trial")) if text.isdecimal()]
    trials = [
        trial for trial in (trial_for(request.user, pk) for pk in ids[:MOST_COMPARED]) if trial.study_id == study.pk
    ]
    found = study_curves(study, [trial.pk for trial in trials])
    drawn = [curves_of(trial.number, found.get(trial.pk, {}), study.metric) for trial in trials]
    series = {
        f"{curves.number} {name}": part
        for curves in drawn
        for name, part in (("training", curves.train), ("validation", curves.validation))
        if part is not None
    }
    rows = []
    for name in columns_of(study, trials):
        values = [trial.params.get(name) for trial in trials]
        rows.append({"name": name, "values": values, "differs": any(value != values[0] for value in values)})
    context = {
        "section": "studies",
        "study": study,
        "trials": trials,
        "rows": rows,
        "curves": learning_curves_figure(
            drawn, direction=study.direction, max_step=study.max_resource, named=MOST_COMPARED
        ),
        "curve_columns": list(series),
        "curve_rows": curve_table(series),
        "too_many": len(ids) > MOST_COMPARED,
        "most": MOST_COMPARED,
    }
    return render(request, "tuning/compare.html", context)
