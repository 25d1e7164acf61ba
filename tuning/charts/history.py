"""The history of a study: every trial's value by its number, and the best so far."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from tuning.charts.rounding import padded_range, significant, tick_format, worst_shown
from tuning.charts.theme import (
    ACTION,
    BEST,
    FAILED,
    PRUNED,
    Figure,
    axis,
    blank,
    faint,
    label,
    layout,
    vertical_line,
)
from tuning.charts.thinning import MAX_POINTS, thinned

CROWD = 400  # from here on markers are smaller and fainter, so that density shows
MARKERS: dict[str, Figure] = {
    "complete": {"symbol": "circle", "size": 7, "color": faint(ACTION, 0.6)},
    "pruned": {"symbol": "circle-open", "size": 7, "color": PRUNED, "line": {"width": 1.5}},
    "open": {"symbol": "circle-open", "size": 7, "color": ACTION, "line": {"width": 1.5}},
    "outside": {"size": 8, "color": faint(ACTION, 0.6)},
    "failed": {"symbol": "x-thin", "size": 7, "line": {"width": 1.5, "color": FAILED}},
}
NOTES = {
    "complete": "complete",
    "pruned": "pruned",
    "open": "not finished",
    "outside": "off the axis",
    "failed": "failed",
}


class HistoryPoint(NamedTuple):
    """One trial: its number, its value (None or NaN when it has none) and its state in upper case."""

    number: int
    value: float | None
    state: str


def best_so_far(points: Sequence[HistoryPoint], direction: str) -> list[HistoryPoint]:
    """The COMPLETE trials that were the best when they appeared, in the order of their numbers."""
    sign = 1.0 if direction == "minimize" else -1.0
    best, records = math.inf, []
    for point in sorted(points):
        if point.state == "COMPLETE" and _has_value(point) and sign * float(point.value or 0.0) < best:
            best = sign * float(point.value or 0.0)
            records.append(point)
    return records


def history_figure(
    points: Sequence[HistoryPoint],
    *,
    direction: str,
    budget: int | None = None,
    log: bool = False,
) -> Figure:
    """Values by trial number with the best so far; pruned ones hollow, failed ones crosses at the worse edge.

    direction: "minimize" or "maximize", else ValueError. budget: the planned number of trials; the axis goes
    up to it and a line marks where the study stands. log: a logarithmic value axis, ignored unless all values
    are above 0. Values far worse than the bulk are triangles at the edge of the axis, named in the hover.
    """
    if direction not in ("minimize", "maximize"):
        raise ValueError(f"direction is {direction!r}: it must be 'minimize' or 'maximize'")
    valued = [point for point in sorted(points) if _has_value(point) and point.state != "FAILED"]
    if not any(point.state == "FAILED" for point in points) and not valued:
        return blank("no trial has a value yet")
    records = best_so_far(points, direction)
    log = log and bool(valued) and all(_value(point) > 0 for point in valued)
    edge, value_range = _value_axis([_value(point) for point in valued], direction, log)

    groups: dict[str, list[HistoryPoint]] = {kind: [] for kind in MARKERS}
    for point in thinned(valued, [_value(point) for point in valued], MAX_POINTS):
        groups[_group(point, edge, direction)].append(point)
    failed = [point for point in sorted(points) if point.state == "FAILED"]
    groups["failed"] = thinned(failed, [float(point.number) for point in failed], 400)
    crowded = len(valued) > CROWD
    data = [_markers(kind, group, edge, direction, crowded) for kind, group in groups.items() if group]
    last = max((point.number for point in points), default=0)
    if records:
        data += _best_line(records, last)
    figure_layout = layout(
        axis(
            title="trial",
            range=[-0.02 * max(budget or 0, last, 5), 1.02 * max((budget or 0) - 1, last, 5)],
            tickformat="d",
        ),
        axis(
            grid=True,
            range=value_range,
            type="log" if log else "linear",
            tickformat="" if log else tick_format(*value_range),
            showticklabels=bool(valued),
        ),
        right=72 if records and (budget is None or last > 0.86 * budget) else 16,
        shapes=[],
        annotations=[],
    )
    if budget is not None and points and last + 1 < budget:
        figure_layout["shapes"].append(vertical_line(last + 0.5))
    if records:
        best = significant(records[-1].value) or 0.0
        height = math.log10(best) if log and best > 0 else best
        figure_layout["annotations"].append(
            label("best so far", last, height, colour=BEST, xshift=10, yanchor="middle")
        )
    return {"data": data, "layout": figure_layout}


def _has_value(point: HistoryPoint) -> bool:
    return point.value is not None and math.isfinite(point.value)


def _value(point: HistoryPoint) -> float:
    return float(point.value) if point.value is not None else math.nan


def _value_axis(values: list[float], direction: str, log: bool) -> tuple[float, list[float]]:
    """The worst value shown and the axis range (in decades for a logarithmic axis)."""
    worst = worst_shown(values, direction) if not log else (max(values) if direction == "minimize" else min(values))
    if worst is None:
        return 0.5, [0.0, 1.0]
    best = min(values) if direction == "minimize" else max(values)
    ends = sorted((math.log10(best), math.log10(worst)) if log else (best, worst))
    low, high = padded_range(*ends)
    return worst, [significant(low) or 0.0, significant(high) or 0.0]


def _group(point: HistoryPoint, edge: float, direction: str) -> str:
    outside = _value(point) > edge if direction == "minimize" else _value(point) < edge
    if outside:
        return "outside"
    return {"COMPLETE": "complete", "PRUNED": "pruned"}.get(point.state, "open")


def _markers(kind: str, points: Sequence[HistoryPoint], edge: float, direction: str, crowded: bool = False) -> Figure:
    """A trace of markers; trials off the axis and failed ones stand at its edge, their value in the hover."""
    marker = dict(MARKERS[kind])
    if crowded:
        marker["size"] = 5
        marker["opacity"] = 0.6
    if kind == "outside":
        marker["symbol"] = "triangle-up" if direction == "minimize" else "triangle-down"
    values = [significant(point.value) for point in points]
    at_edge = kind in ("outside", "failed")
    return {
        "type": "scatter",
        "mode": "markers",
        "name": NOTES[kind],
        "x": [point.number for point in points],
        "y": [significant(edge)] * len(points) if at_edge else values,
        "customdata": [f"{value:.4g}" if value is not None else "no value" for value in values],
        "marker": marker,
        "cliponaxis": False,
        "hovertemplate": f"trial %{{x}}<br>%{{customdata}}, {NOTES[kind]}<extra></extra>",
    }


def _best_line(records: Sequence[HistoryPoint], last: int) -> list[Figure]:
    xs = [record.number for record in records]
    ys = [significant(record.value) for record in records]
    line = {
        "type": "scatter",
        "mode": "lines",
        "name": "best so far",
        "x": [*xs, max(last, xs[-1])],
        "y": [*ys, ys[-1]],
        "line": {"shape": "hv", "color": BEST, "width": 2},
        "hoverinfo": "skip",
    }
    ring = {
        "type": "scatter",
        "mode": "markers",
        "name": "best",
        "x": xs[-1:],
        "y": ys[-1:],
        "marker": {"symbol": "circle-open", "size": 13, "color": BEST, "line": {"width": 2}},
        "hoverinfo": "skip",
    }
    return [line, ring]
