"""What a study was predicted to take when it started, kept with it, and held against what it took."""

from typing import Any

from django.db.models import Sum

from tuning.analysis.predictions import Actual, held_against
from tuning.engine.forecast import Forecast, Method, forecast
from tuning.findings import Finding
from tuning.models import Study, Trial
from tuning.selectors.budget import trial_limit
from tuning.selectors.work import workload_document
from tuning.services.advising import speed_of
from tuning.services.proposing import engine_space

LIMITS = ("total_resource", "device_seconds", "study_seconds")


def forecast_of(study: Study) -> dict[str, Any]:
    """The forecast as JSON, with the limits that it is of; empty where nobody can say, as of trials without an end.

    Scripts run where they like: of theirs only the steps are told.
    """
    space = engine_space(study)
    trials = trial_limit(study)
    if study.max_resource is None or (trials is None and study.total_resource is None):
        return {}
    method = Method(
        sampler=study.sampler,
        scheduler=study.scheduler,
        n_trials=trials,
        max_resource=study.max_resource,
        min_resource=study.min_resource,
        reduction_factor=study.reduction_factor,
        parallel=study.parallel,
        **{name: getattr(study, name) for name in LIMITS},
        scheduler_options=study.scheduler_options,
    )
    speed = speed_of(workload_document(study.workload), space) if study.workload and space is not None else None
    return {**forecast(method, speed).to_json(), "limits": limits_now(study)}


def limits_now(study: Study) -> dict[str, int | None]:
    return {"n_trials": study.budget_total, "parallel": study.parallel} | {
        name: getattr(study, name) for name in LIMITS
    }


def prediction(study: Study) -> Finding | None:
    """How the forecast came out so far, or at the end; None without one, or where the limits were changed since.

    A study that was stopped, or has failed trials, took less than it would have: it is held to the upper end alone.
    """
    if not study.forecast or study.started is None or study.forecast.get("limits") != limits_now(study):
        return None
    ended = study.state == Study.State.FINISHED and not study.n_failed
    sums = Trial.objects.filter(study=study).aggregate(steps=Sum("resource_done"), seconds=Sum("run_seconds"))
    seconds = (study.finished - study.started).total_seconds() if study.finished else None
    actual = Actual(study.n_created, sums["steps"] or 0, sums["seconds"] if study.workload else None, seconds)
    return held_against(Forecast.from_json(study.forecast), actual, ended=ended)
