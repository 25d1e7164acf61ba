"""Metric points into packed chunks and curve summaries. Called with the trial's row already fenced."""

import math
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tuning.models import CurveSummary, Metric, MetricChunk, Study, Trial, Workload
from tuning.models.fields import storable
from tuning.services.errors import Invalid

Row = tuple[int, float, float]  # step, value, unix time
CHUNK_POINTS = 512
PREVIEW_POINTS = 64
MAX_STEP = 2**31 - 1
MAX_METRICS = 200


@dataclass(frozen=True)
class Point:
    """What one step reported: metric name -> value (NaN and infinities allowed), and the reporter's unix time."""

    step: int
    metrics: dict[str, float]
    wall: float


def goal_of(study: Study, name: str) -> str:
    """minimize or maximize: the study's direction for its own metric, else by the words of the name."""
    if name == study.metric:
        return study.direction
    words = name.lower()
    return "minimize" if any(word in words for word in ("loss", "error", "mse", "mae", "rmse")) else "maximize"


def check_step(step: int) -> None:
    """Raises Invalid where it is none."""
    if not 0 <= step <= MAX_STEP:
        raise Invalid({"step": [f"{step} is no step; count from 1 (0 is allowed) up to {MAX_STEP}."]})


def check_metric_name(name: str) -> None:
    """Raises Invalid where it is none."""
    if not 1 <= len(name) <= 120 or storable(name) != name:
        raise Invalid({"metrics": [f"The metric name {name[:40]!r} must have 1 to 120 printable characters."]})


def _described_goals(study: Study) -> dict[str, str]:
    """Goals of the metrics that the workload says it reports; the study's own metric goes by its direction."""
    document = Workload.objects.filter(name=study.workload).values_list("document", flat=True).first() or {}
    goals = {entry["name"]: entry["goal"] for entry in document.get("metrics") or ()}
    return {**goals, study.metric: study.direction}


def metrics_named(study: Study, names: Iterable[str]) -> dict[str, Metric]:
    """The study's Metric rows of these names, made where they are new. Raises Invalid past MAX_METRICS names."""
    wanted = sorted(names)  # one order for all: two transactions that make the same two must not wait for each other
    for name in wanted:
        check_metric_name(name)
    found = {metric.name: metric for metric in Metric.objects.filter(study=study, name__in=wanted)}
    if missing := [name for name in wanted if name not in found]:
        if Metric.objects.filter(study=study).count() + len(missing) > MAX_METRICS:
            raise Invalid({"metrics": [f"A study keeps at most {MAX_METRICS} metrics; put counters into one of them."]})
        described = _described_goals(study)
        Metric.objects.bulk_create(
            [
                Metric(
                    study=study,
                    name=name,
                    split=name.partition("/")[0] if "/" in name else "",
                    goal=described.get(name) or goal_of(study, name),
                )
                for name in missing
            ],
            ignore_conflicts=True,
        )
        found = {metric.name: metric for metric in Metric.objects.filter(study=study, name__in=wanted)}
    return found


def pack(values: Sequence[float], kind: str) -> bytes:
    data = array(kind, values)
    return data.tobytes()


def unpack(data: bytes | memoryview, kind: str) -> list[Any]:
    result: array[Any] = array(kind)
    result.frombytes(bytes(data))
    return result.tolist()


def append_points(study: Study, trial: Trial, fence: int, points: Sequence[Point]) -> None:
    """Store points of one attempt; a step that this attempt already reported of a metric is left as it was."""
    columns: dict[str, list[tuple[int, float, float]]] = {}
    for point in points:
        check_step(point.step)
        for name, value in point.metrics.items():
            columns.setdefault(name, []).append((point.step, float(value), point.wall))
    metrics = metrics_named(study, columns)
    summaries = {
        summary.metric_id: summary for summary in CurveSummary.objects.filter(trial=trial, metric__in=metrics.values())
    }
    for summary in summaries.values():
        summary.pk = None  # written by trial and metric: an id of its own would be a second thing to conflict on
    changed: list[MetricChunk] = []
    for name, rows in columns.items():
        metric = metrics[name]
        summary = summaries.setdefault(metric.pk, CurveSummary(trial=trial, metric=metric))
        for step, value, _wall in _stored(trial, metric, fence, rows, changed):
            _summarise(summary, metric.goal, step, value)
    # One statement for the chunks of all metrics and one for their summaries, whatever the number of metrics.
    MetricChunk.objects.bulk_create(
        changed,
        update_conflicts=True,
        unique_fields=["trial", "metric", "fence", "first_step"],
        update_fields=["n", "steps", "values", "wall_times"],
    )
    CurveSummary.objects.bulk_create(
        summaries.values(),
        update_conflicts=True,
        unique_fields=["trial", "metric"],
        update_fields=["n", "last_step", "last", "best", "best_step", "preview"],
    )


def _stored(trial: Trial, metric: Metric, fence: int, rows: list[Row], changed: list[MetricChunk]) -> list[Row]:
    """The rows that are new for this attempt, in order of step; the chunks that have to be written for them come into
    `changed`."""
    chunks = MetricChunk.objects.filter(trial=trial, metric=metric, fence=fence).order_by("-first_step")
    tail = chunks.first()
    rows = sorted({row[0]: row for row in reversed(rows)}.values())
    if tail and rows[0][0] <= unpack(tail.steps, "i")[-1]:
        return _merge(trial, metric, fence, rows)
    rest = rows
    if tail and tail.n < CHUNK_POINTS:
        head, rest = rows[: CHUNK_POINTS - tail.n], rows[CHUNK_POINTS - tail.n :]
        longer = new_chunk(trial.pk, metric.pk, fence, head)
        longer.first_step, longer.n = tail.first_step, tail.n + len(head)
        longer.steps = bytes(tail.steps) + longer.steps
        longer.values = bytes(tail.values) + longer.values
        longer.wall_times = bytes(tail.wall_times) + longer.wall_times
        changed.append(longer)
    changed += [
        new_chunk(trial.pk, metric.pk, fence, rest[start : start + CHUNK_POINTS])
        for start in range(0, len(rest), CHUNK_POINTS)
    ]
    return rows


def _merge(trial: Trial, metric: Metric, fence: int, rows: list[Row]) -> list[Row]:
    """Steps between those already stored: the attempt's chunks are made anew, so that they stay in order."""
    chunks = MetricChunk.objects.filter(trial=trial, metric=metric, fence=fence)
    known = {
        int(step): (int(step), value, wall)
        for chunk in chunks
        for step, value, wall in zip(
            unpack(chunk.steps, "i"), unpack(chunk.values, "d"), unpack(chunk.wall_times, "d"), strict=True
        )
    }
    fresh = [row for row in rows if row[0] not in known]
    if fresh:
        together = sorted([*known.values(), *fresh])
        chunks.delete()
        MetricChunk.objects.bulk_create(
            [
                new_chunk(trial.pk, metric.pk, fence, together[start : start + CHUNK_POINTS])
                for start in range(0, len(together), CHUNK_POINTS)
            ]
        )
    return fresh


def new_chunk(trial_id: int, metric_id: int, fence: int, rows: Sequence[tuple[int, float, float]]) -> MetricChunk:
    """An unsaved chunk of (step, value, unix time) rows in order of step."""
    return MetricChunk(
        trial_id=trial_id,
        metric_id=metric_id,
        fence=fence,
        first_step=rows[0][0],
        n=len(rows),
        steps=pack([row[0] for row in rows], "i"),
        values=pack([row[1] for row in rows], "d"),
        wall_times=pack([row[2] for row in rows], "d"),
    )


def _summarise(summary: CurveSummary, goal: str, step: int, value: float) -> None:
    summary.n += 1
    finite = math.isfinite(value)
    if summary.last_step is None or step >= summary.last_step:
        summary.last_step, summary.last = step, value if finite else None
    if finite and (summary.best is None or (value < summary.best if goal == "minimize" else value > summary.best)):
        summary.best, summary.best_step = value, step
    points = [*summary.preview, [step, value]]
    if len(points) > 1 and step < points[-2][0]:
        points.sort(key=lambda point: point[0])
    summary.preview = thin(points)


def thin(preview: list[list[float]]) -> list[list[float]]:
    """At most PREVIEW_POINTS points: every second one is dropped when there are more, the newest is kept."""
    if len(preview) <= PREVIEW_POINTS:
        return preview
    return [*preview[:-1:2], preview[-1]]


def rebuild_summaries(study: Study, trial: Trial, curves: dict[str, list[tuple[int, float]]]) -> None:
    """Make the trial's summaries anew from its valid curves, after a resume that left later steps behind."""
    CurveSummary.objects.filter(trial=trial).delete()
    metrics = metrics_named(study, curves)
    for name, rows in curves.items():
        summary = CurveSummary(trial=trial, metric=metrics[name])
        for step, value in rows:
            _summarise(summary, metrics[name].goal, step, value)
        summary.save()
