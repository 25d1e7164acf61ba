"""What the parts of a study's page show: contexts for the fragments, from selectors and charts.

Each function makes the context of one tab. The page caches what is rendered from it, so these may read freely but
must depend on nothing but the study, its version and the query.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict

from tuning.charts import (
    Band,
    HistoryPoint,
    Series,
    TrialCurves,
    curve_table,
    history_figure,
    learning_curves_figure,
    sparkline_svg,
)
from tuning.findings import Finding
from tuning.selectors.audit import study_events
from tuning.selectors.budget import expected_trials
from tuning.selectors.curves import Curve, curve_band, study_curves
from tuning.selectors.history import history_points
from tuning.selectors.preflights import standing_of
from tuning.selectors.trials import leaderboard
from tuning.selectors.worth import worth_findings, worth_look, worth_words
from tuning.services.forecasts import prediction
from tuning.services.linting import range_findings
from tuning.web.attention import study_findings
from tuning.web.diagnosis import diagnosis_tab
from tuning.web.final import final_tab
from tuning.web.importance import importance_tab
from tuning.web.model import model_tab
from tuning.web.preflight import panel_of
from tuning.web.rungs import rungs_tab
from tuning.web.what_if import what_if_tab

STATES = ("complete", "running", "waiting", "paused", "pruned", "failed")
TOPS = (3, 10, 30)
PER_PAGE = 50
ON_OVERVIEW = 8
CURVES_ON_OVERVIEW = 3


@dataclass(frozen=True)
class Row:
    """A trial in a table: its rank (None where the order is not by value), values by column, small curves."""

    trial: Any
    rank: int | None
    values: list[Any]
    sparkline: str
    is_best: bool


def metric_pair(metric: str) -> tuple[str, str]:
    """The training and the validation side of a metric: both are drawn together."""
    _, slash, name = metric.partition("/")
    return (f"train/{name}", metric) if slash else ("", metric)


def curves_of(number: int, curves: dict[str, Curve], metric: str) -> TrialCurves:
    """One trial's two curves of a metric, as the charts take them."""
    train, validation = (
        Series(curves[name].steps, curves[name].values) if name in curves else None for name in metric_pair(metric)
    )
    return TrialCurves(number, train, validation)


def unit_of(study: Any) -> str:
    """What a study counts: a script and a function that suggests its own parameters report steps, loops epochs."""
    return "epochs" if study.workload and study.space_id is not None else "steps"


def columns_of(study: Any, trials: Sequence[Any]) -> list[str]:
    """The parameters that a table of these trials needs: the space's, constants left out, or those suggested."""
    if study.space is not None:
        return [name for name, form in study.space.document.items() if form["type"] != "constant"]
    return list(dict.fromkeys(name for trial in trials for name in trial.params))


def table_rows(study: Any, trials: Sequence[Any], first_rank: int | None) -> tuple[list[str], list[Row]]:
    """Columns and rows of a table of trials, in five queries whatever their number."""
    columns = columns_of(study, trials)
    names = [name for name in metric_pair(study.metric) if name]
    curves = study_curves(study, [trial.pk for trial in trials], names)
    rows, rank = [], first_rank
    for trial in trials:
        found = {name.partition("/")[0]: curve.values for name, curve in curves.get(trial.pk, {}).items()}
        spark = sparkline_svg(found, direction=study.direction, title=f"learning curve of trial {trial.number}")
        counts = trial.state == "COMPLETE" and trial.value is not None and not trial.is_excluded
        ranked = rank if counts else None
        values = [trial.params.get(name) for name in columns]
        rows.append(Row(trial, ranked, values, spark, trial.pk == study.best_trial_id))
        rank = rank + 1 if rank is not None and ranked is not None else rank
    return columns, rows


def overview(study: Any, query: QueryDict, hindrances: Sequence[Finding] = ()) -> dict[str, Any]:
    """History, best curves, findings, the best configuration, what runs, the top of the leaderboard.

    `hindrances` (selectors.hindrances) depend on more than the study, so they are part of the page's tag.
    """
    points = history_points(study)
    log = query.get("axis") == "log"
    history = history_figure(
        [HistoryPoint(point.number, point.value, point.state) for point in points],
        direction=study.direction,
        budget=expected_trials(study),
        log=log,
    )
    complete = leaderboard(study, states=["COMPLETE"], limit=ON_OVERVIEW, counted=True).rows
    running = leaderboard(study, states=["RUNNING"], ordering="number", limit=16).rows
    columns, rows = table_rows(study, complete, 1)
    # Long trials show their curves from the first epoch on; where all have failed, how they went is worth a look.
    drawn = [*complete, *running][:CURVES_ON_OVERVIEW] or leaderboard(
        study, limit=CURVES_ON_OVERVIEW, counted=True
    ).rows
    look = worth_look(study)
    reasons = Counter(point.reason_code for point in points if point.state == "FAILED")
    return {
        "study": study,
        "history": history,
        "history_rows": [point for point in points if point.state != "RUNNING"][-200:],
        "log": log,
        **_curve_context(study, drawn, study.metric),
        "curve_words": "best" if complete else "running" if running else "first",
        "findings": study_findings(
            study, reasons, hindrances, range_findings(study), prediction(study), worth_findings(study, look)
        ),
        "next_hour": worth_words(study, look),
        "best": study.best_trial,
        "best_params": study.best_trial.params if study.best_trial else {},
        "running": running,
        "columns": columns,
        "rows": rows,
    }


def _curve_context(study: Any, trials: Sequence[Any], metric: str) -> dict[str, Any]:
    names = [name for name in metric_pair(metric) if name]
    found = study_curves(study, [trial.pk for trial in trials], names)
    drawn = [curves_of(trial.number, found.get(trial.pk, {}), metric) for trial in trials]
    band = curve_band(study, metric)
    figure = learning_curves_figure(
        drawn,
        direction=study.direction,
        resource_unit=unit_of(study),
        band=Band(band.steps, band.low, band.high) if band.n_trials >= 5 else None,
        max_step=study.max_resource,
    )
    named = {
        f"{trial.number} {name.partition('/')[0]}": Series(curve.steps, curve.values)
        for trial in trials[:10]
        for name, curve in sorted(found.get(trial.pk, {}).items())
    }
    return {
        "curves": figure,
        "curve_columns": list(named),
        "curve_rows": curve_table(named),
        "curve_count": sum(1 for curves in drawn if curves.train or curves.validation),
        "band_trials": band.n_trials if band.n_trials >= 5 else 0,
        "metric_name": metric.partition("/")[2] or metric,
        "paired": any(curves.train and curves.validation for curves in drawn),
    }


def leaderboard_tab(study: Any, query: QueryDict) -> dict[str, Any]:
    """One page of trials: ?order=, ?state=, ?cursor= and ?from= (the rank of its first row)."""
    ordering = query.get("order", "value")
    state = query.get("state", "")
    start = query.get("from", "1")
    first = int(start) if start.isdecimal() else 1
    page = leaderboard(
        study,
        states=[state.upper()] if state in STATES else [],
        ordering=ordering,
        limit=PER_PAGE,
        cursor=query.get("cursor", ""),
    )
    columns, rows = table_rows(study, page.rows, first if ordering == "value" else None)
    return {
        "study": study,
        "columns": columns,
        "rows": rows,
        "ordering": ordering,
        "state": state,
        "states": STATES,
        "next_cursor": page.next_cursor,
        "next_from": first + sum(1 for row in rows if row.rank is not None),
    }


def curves_tab(study: Any, query: QueryDict) -> dict[str, Any]:
    """The best trials' curves of one metric: ?top=, ?metric=."""
    top = int(query.get("top", "3")) if query.get("top", "3") in map(str, TOPS) else TOPS[0]
    trials = leaderboard(study, limit=top, counted=True).rows
    reported = study_curves(study, [trial.pk for trial in trials[:3]])
    metrics = sorted({name for curves in reported.values() for name in curves if not name.startswith("train/")})
    metric = query.get("metric", study.metric)
    if metric not in metrics:
        metric = study.metric
    return {
        "study": study,
        **_curve_context(study, trials, metric),
        "metrics": metrics or [study.metric],
        "metric": metric,
        "top": top,
        "tops": TOPS,
    }


def activity_tab(study: Any, query: QueryDict) -> dict[str, Any]:
    """Who did what to the study, the newest first."""
    return {"study": study, "events": study_events(study)}


def _rungs(study: Any, query: QueryDict) -> dict[str, Any]:
    return rungs_tab(study, query, unit_of(study))


def _what_if(study: Any, query: QueryDict) -> dict[str, Any]:
    return what_if_tab(study, unit_of(study))


def preflight_tab(study: Any, query: QueryDict) -> dict[str, Any]:
    """The checks before tuning, of the code and data that the study is pinned to."""
    standing = standing_of(study)
    return {"study": study, "standing": standing, **panel_of(standing.preflight)}


TABS = {
    "overview": overview,
    "leaderboard": leaderboard_tab,
    "curves": curves_tab,
    "diagnosis": diagnosis_tab,
    "model": model_tab,
    "importance": importance_tab,
    "rungs": _rungs,
    "what_if": _what_if,
    "preflight": preflight_tab,
    "final": final_tab,
    "activity": activity_tab,
}
DRAWS = ("overview", "curves", "diagnosis", "model", "importance", "rungs", "what_if", "final")
