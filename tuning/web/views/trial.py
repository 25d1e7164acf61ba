"""One trial: its configuration against the best, its curves, its attempts, its log, how to run it again."""

import json
from typing import Any

from django.http import FileResponse, HttpResponse
from django.views.decorators.http import require_safe

from tuning.charts import Mark, Series, curve_table, trial_curves_figure
from tuning.selectors import exports
from tuning.selectors.curves import trial_curves
from tuning.selectors.diagnostics import trial_verdict
from tuning.selectors.errors import NotFound
from tuning.selectors.logs import LogText, attempt_log, log_mark
from tuning.selectors.sealed import sealed_counts
from tuning.selectors.studies import may_edit
from tuning.selectors.trials import retry_of, trial_for, trial_neighbours
from tuning.web.errors import SignedInRequest, signed_in
from tuning.web.limits import size_rows
from tuning.web.polling import page_or_fragment, tag_of, unchanged
from tuning.web.sections import curves_of, unit_of

TAIL_BYTES = 8_000


@signed_in
@require_safe
def trial_page(request: SignedInRequest, trial_id: int) -> HttpResponse:
    trial = trial_for(request.user, trial_id)
    study = trial.study
    editable = may_edit(request.user, study)
    printed = log_mark(trial) if trial.state == trial.State.RUNNING else 0
    tag = tag_of("trial", trial.pk, study.version, trial.state, trial.resource_done, printed, editable)
    answer = unchanged(request, tag)
    if answer is not None:
        return answer
    return page_or_fragment(
        request,
        "tuning/trial.html",
        "tuning/_trial.html",
        _context(trial, editable),
        tag=tag,
        live=trial.is_open,
    )


def _context(trial: Any, editable: bool) -> dict[str, Any]:
    study = trial.study
    curves = trial_curves(trial)
    best = study.best_trial if study.best_trial_id not in (None, trial.pk) else None
    attempts = list(trial.attempts.select_related("slot__device").order_by("-fence"))
    before, after = trial_neighbours(trial)
    log = _log(attempts)
    verdict = trial_verdict(trial, curves)
    figure = trial_curves_figure(
        curves_of(trial.number, curves, study.metric),
        direction=study.direction,
        resource_unit=unit_of(study),
        name="validation" if "/" in study.metric else study.metric,
        best_step=trial.value_step if study.objective == "best" else None,
        max_step=trial.resource or study.max_resource,
        marks=_marks(verdict),
    )
    return {
        "section": "studies",
        "study": study,
        "unit": unit_of(study),
        "trial": trial,
        "editable": editable,
        "is_best": study.best_trial_id == trial.pk,
        "best": best,
        "retried": retry_of(trial),
        "params": _against(trial.params, best.params if best else None, trial.fixed_params or {}),
        "curves": figure,
        "verdict": verdict,
        "paired": len([name for name in curves if name.partition("/")[2] == study.metric.partition("/")[2]]) > 1,
        "curve_columns": list(curves),
        "curve_rows": curve_table({name: Series(curve.steps, curve.values) for name, curve in curves.items()}),
        "size": size_rows(study.constraints, trial.facts.get("footprint") or {}),
        "sealed": sealed_counts(trial),
        "attempts": attempts,
        "device": trial.facts.get("device") or _device(attempts),
        "log": log,
        "before": before,
        "after": after,
        "again": _again(trial),
        "has_checkpoint": bool(trial.best_checkpoint or trial.checkpoint),
    }


# what is written at the epoch of a verdict; of the rest there is no epoch, or it would say nothing
MARKED = {
    "diverged": "diverged",
    "train_rises": "rises from here",
    "spikes": "first spike",
    "overfit_turning": "validation turns",
    "overfit": "gap opens",
    "plateau": "flat from here",
}


def _marks(verdict: Any) -> list[Mark]:
    """Where the verdict happened, as a line on the curves."""
    if verdict is None or verdict.epoch is None or verdict.rule not in MARKED:
        return []
    return [Mark(verdict.epoch, MARKED[verdict.rule])]


def _against(params: dict[str, Any], best: dict[str, Any] | None, fixed: dict[str, Any]) -> list[dict[str, Any]]:
    """A row per parameter of this trial or the best one: both values, and whether they differ."""
    names = list(dict.fromkeys([*params, *(best or {})]))
    return [
        {
            "name": name,
            "value": params.get(name),
            "given": name in params,
            "best": (best or {}).get(name),
            "best_given": best is not None and name in best,
            "differs": best is not None and params.get(name) != best.get(name),
            "fixed": name in fixed,
        }
        for name in names
    ]


def _log(attempts: list[Any]) -> LogText | None:
    """The end of the newest attempt's log, None where there is none to read from here."""
    for attempt in attempts:
        try:
            return attempt_log(attempt, limit_bytes=TAIL_BYTES)
        except NotFound:
            continue
    return None


def _device(attempts: list[Any]) -> str:
    """What the newest attempt runs or ran on; the runner names it more exactly once a trial has ended well."""
    if not attempts:
        return ""
    return str(attempts[0].slot.device.kind if attempts[0].slot else attempts[0].device)


def _again(trial: Any) -> str:
    """All that decides this trial's result, as JSON to keep or to queue again."""
    study = trial.study
    document = {
        "workload": study.workload,
        "workload_digest": study.workload_digest,
        "params": trial.params,
        "seed": trial.seed,
        "epochs": trial.resource,
        "metric": study.metric,
        "deterministic": study.deterministic,
        "environment": trial.facts.get("environment", {}),
    }
    return json.dumps({key: value for key, value in document.items() if value not in ("", None, {})}, indent=2)


@signed_in
@require_safe
def trial_checkpoint(request: SignedInRequest, trial_id: int) -> FileResponse:
    """The checkpoint that the trial's value comes from."""
    trial = trial_for(request.user, trial_id)
    path = exports.trial_checkpoint(trial)
    return FileResponse(path.open("rb"), as_attachment=True, filename=f"study-{trial.study_id}-trial-{trial.number}.pt")
