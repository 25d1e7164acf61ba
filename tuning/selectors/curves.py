"""Reading metric curves. Steps that a dead attempt reported beyond the checkpoint of the next one are left out."""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tuning.models import Attempt, Metric, MetricChunk, Study, Trial

BAND_TRIALS = 500


@dataclass(frozen=True)
class Curve:
    """One metric of one trial: steps in order, values (may be NaN or infinite), unix times, all of one length."""

    steps: list[int]
    values: list[float]
    wall_times: list[float]


@dataclass(frozen=True)
class Band:
    """Quantiles at each step of the curves of `n_trials` trials."""

    steps: list[int]
    low: list[float]
    high: list[float]
    median: list[float]
    n_trials: int


def trial_curves(trial: Trial) -> dict[str, Curve]:
    """Every metric of the trial, by name, in order of name."""
    return study_curves(trial.study, [trial.pk]).get(trial.pk, {})


def curve_rows(trial: Trial) -> dict[str, list[tuple[int, float]]]:
    """The valid (step, value) rows of each metric of the trial."""
    return {name: list(zip(curve.steps, curve.values, strict=True)) for name, curve in trial_curves(trial).items()}


def study_curves(
    study: Study, trial_ids: Sequence[int], names: Iterable[str] | None = None
) -> dict[int, dict[str, Curve]]:
    """The curves of several trials, in three queries: {trial id: {metric name: Curve}}."""
    metrics = Metric.objects.filter(study=study)
    if names is not None:
        metrics = metrics.filter(name__in=list(names))
    by_id = {metric.pk: metric.name for metric in metrics}
    limits = valid_until(trial_ids)
    points: dict[int, dict[str, dict[int, tuple[float, float]]]] = defaultdict(lambda: defaultdict(dict))
    chunks = MetricChunk.objects.filter(trial_id__in=trial_ids, metric_id__in=by_id).order_by(
        "fence", "first_step", "pk"
    )
    for chunk in chunks:
        target = points[chunk.trial_id][by_id[chunk.metric_id]]
        limit = limits.get((chunk.trial_id, chunk.fence))
        steps, values, walls = _unpack(chunk)
        for step, value, wall in zip(steps, values, walls, strict=True):
            if limit is None or step <= limit:
                target[step] = (value, wall)
    return {
        trial_id: {name: _curve(rows) for name, rows in sorted(by_name.items()) if rows}
        for trial_id, by_name in points.items()
    }


def valid_until(trial_ids: Sequence[int]) -> dict[tuple[int, int], int]:
    """The last step of each attempt that a later one kept: {(trial id, fence): step}; the newest has no limit."""
    by_trial: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for trial_id, fence, start in Attempt.objects.filter(trial_id__in=trial_ids).values_list(
        "trial_id", "fence", "start_step"
    ):
        by_trial[trial_id].append((fence, start))
    limits: dict[tuple[int, int], int] = {}
    for trial_id, attempts in by_trial.items():
        lowest: int | None = None
        for fence, start in sorted(attempts, reverse=True):
            if lowest is not None:
                limits[(trial_id, fence)] = lowest
            lowest = start if lowest is None else min(lowest, start)
    return limits


def _unpack(chunk: MetricChunk) -> tuple[array, array, array]:
    steps, values, walls = array("i"), array("d"), array("d")
    steps.frombytes(bytes(chunk.steps))
    values.frombytes(bytes(chunk.values))
    walls.frombytes(bytes(chunk.wall_times))
    return steps, values, walls


def _curve(rows: dict[int, tuple[float, float]]) -> Curve:
    steps = sorted(rows)
    return Curve(steps, [rows[step][0] for step in steps], [rows[step][1] for step in steps])


def curve_band(study: Study, name: str, *, low: float = 0.1, high: float = 0.9) -> Band:
    """Quantiles at each step over the newest BAND_TRIALS ended trials that count; steps with a finite value stay."""
    trial_ids = list(
        Trial.objects.filter(study=study, state__in=Trial.TERMINAL, excluded_at__isnull=True)
        .order_by("-number")
        .values_list("pk", flat=True)[:BAND_TRIALS]
    )
    columns: dict[int, list[float]] = defaultdict(list)
    by_trial = study_curves(study, trial_ids, [name])
    for curves in by_trial.values():
        for step, value in zip(curves[name].steps, curves[name].values, strict=True):
            if np.isfinite(value):
                columns[step].append(value)
    steps = sorted(columns)
    quantiles = [np.quantile(columns[step], [low, 0.5, high]).tolist() for step in steps]
    return Band(
        steps,
        [row[0] for row in quantiles],
        [row[2] for row in quantiles],
        [row[1] for row in quantiles],
        len(by_trial),
    )
