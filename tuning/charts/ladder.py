"""The rung ladder: what each trial came to at each rung, and where it ended."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from tuning.charts.rounding import padded_range, significant, tick_format, worst_shown
from tuning.charts.theme import ACTION, BEST, PRUNED, Figure, axis, blank, faint, layout

FAINT_LINES = 60  # from here on the lines of trials are fainter, so that density shows
MARKERS: dict[str, Figure] = {
    "cut": {"symbol": "circle-open", "size": 7, "color": PRUNED, "line": {"width": 1.5}},
    "promoted": {"symbol": "circle", "size": 6, "color": faint(ACTION, 0.7)},
    "reached": {"symbol": "circle-open", "size": 8, "color": ACTION, "line": {"width": 1.5}},
    "complete": {"symbol": "circle", "size": 7, "color": BEST},
}
WORDS = {"cut": "cut here", "promoted": "went on", "reached": "waits for a decision", "complete": "has run to its end"}


class RungPoint(NamedTuple):
    """A trial at a rung: its number, the rung's step, the metric there, the entry's state in lower case."""

    number: int
    step: int
    value: float
    state: str


def ladder_figure(points: Sequence[RungPoint], *, direction: str, unit: str = "epochs") -> Figure:
    """A line for each trial over the rungs that it came to, a marker at each rung; steps on a logarithmic axis.

    Values far worse than the bulk stand at the edge of the axis, their value in the hover.
    """
    known = [point for point in points if significant(point.value) is not None and point.state in MARKERS]
    if not known:
        return blank("no trial has come to a rung yet")
    edge = worst_shown([point.value for point in known], direction) or 0.0
    best = (min if direction == "minimize" else max)(point.value for point in known)
    low, high = padded_range(*sorted((best, edge)))
    inside = max if direction == "maximize" else min
    heights = {point: significant(inside(point.value, edge)) for point in known}
    data = [_lines(known, heights), *_markers(known, heights)]
    steps = sorted({point.step for point in known})
    return {
        "data": data,
        "layout": layout(
            axis(
                title=unit,
                type="log",
                tickvals=steps,
                ticktext=[f"{step:,}" for step in steps],
            ),
            axis(grid=True, range=[significant(low), significant(high)], tickformat=tick_format(low, high)),
        ),
    }


def _lines(points: Sequence[RungPoint], heights: dict[RungPoint, float | None]) -> Figure:
    """One trace for all trials: a gap between two keeps them apart."""
    by_trial: dict[int, list[RungPoint]] = defaultdict(list)
    for point in points:
        by_trial[point.number].append(point)
    x: list[float | None] = []
    y: list[float | None] = []
    several = [sorted(path, key=lambda point: point.step) for path in by_trial.values() if len(path) > 1]
    for path in several:
        x += [*(point.step for point in path), None]
        y += [*(heights[point] for point in path), None]
    width = 0.35 if len(several) > FAINT_LINES else 0.6
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "trials",
        "x": x,
        "y": y,
        "line": {"color": faint(ACTION, width), "width": 1.2},
        "hoverinfo": "skip",
    }


def _markers(points: Sequence[RungPoint], heights: dict[RungPoint, float | None]) -> list[Figure]:
    data = []
    for state, marker in MARKERS.items():
        chosen = [point for point in points if point.state == state]
        if chosen:
            data.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "name": WORDS[state],
                    "x": [point.step for point in chosen],
                    "y": [heights[point] for point in chosen],
                    "customdata": [[point.number, f"{point.value:.4g}"] for point in chosen],
                    "marker": marker,
                    "cliponaxis": False,
                    "hovertemplate": f"trial %{{customdata[0]}}<br>%{{customdata[1]}}, {WORDS[state]}<extra></extra>",
                }
            )
    return data
