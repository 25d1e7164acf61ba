"""The rung ladder: what each trial came to at each rung, and where it ended."""

import itertools
import math
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from tuning.charts.rounding import padded_range, significant, tick_format, worst_shown
from tuning.charts.theme import ACTION, BEST, PRUNED, Figure, axis, blank, faint, layout

FAINT_LINES = 60  # from here on the lines of trials are fainter, so that density shows
SPREAD_FROM = 200  # entries from which those of a rung stand beside each other, over this share of the way to the next
SPREAD = 0.12
LOG_FROM = 8.0  # values that differ by more than this factor, all above 0, stand on a logarithmic axis
MARKERS: dict[str, Figure] = {
    "cut": {"symbol": "circle-open", "size": 7, "color": PRUNED, "line": {"width": 1.5}},
    "promoted": {"symbol": "circle", "size": 6, "color": faint(ACTION, 0.7)},
    "reached": {"symbol": "circle-open", "size": 8, "color": ACTION, "line": {"width": 1.5}},
    "complete": {"symbol": "circle", "size": 7, "color": BEST},
}
GOLDEN = 0.6180339887498949
WORDS = {"cut": "cut here", "promoted": "went on", "reached": "waits for a decision", "complete": "has run to its end"}


class RungPoint(NamedTuple):
    """A trial at a rung: its number, the rung's step, the metric there, the entry's state in lower case."""

    number: int
    step: int
    value: float
    state: str


def ladder_figure(points: Sequence[RungPoint], *, direction: str, unit: str = "epochs") -> Figure:
    """A line for each trial over the rungs that it came to, a marker at each rung; steps on a logarithmic axis.

    Values far worse than the bulk stand at the edge of the axis, their value in the hover. Losses that fall to a small
    part of what they were are shown on a logarithmic axis: else nobody sees the decisions at the upper rungs.
    """
    known = [point for point in points if significant(point.value) is not None and point.state in MARKERS]
    if not known:
        return blank("no trial has come to a rung yet")
    edge = worst_shown([point.value for point in known], direction) or 0.0
    best = (min if direction == "minimize" else max)(point.value for point in known)
    low, high = sorted((best, edge))
    log = low > 0 and high / low > LOG_FROM
    low, high = padded_range(*(math.log10(end) if log else end for end in (low, high)))
    inside = max if direction == "maximize" else min
    heights = {point: significant(inside(point.value, edge)) for point in known}
    steps = sorted({point.step for point in known})
    places = _places(known, steps)
    data = [_lines(known, places, heights), *_markers(known, places, heights)]
    return {
        "data": data,
        "layout": layout(
            axis(
                title=unit,
                type="log",
                tickvals=steps,
                ticktext=[f"{step:,}" for step in steps],
            ),
            axis(
                grid=True,
                type="log" if log else "linear",
                dtick="D2" if log else "",
                range=[significant(low), significant(high)],
                tickformat="~g" if log else tick_format(low, high),
            ),
        ),
    }


def _places(points: Sequence[RungPoint], steps: Sequence[int]) -> dict[RungPoint, float]:
    """Where each entry stands on the axis of steps: at its rung, or where there are many a little to its left or right.

    A trial's number says how far, so that it stands alike at all rungs; the golden ratio spreads any set evenly.
    """
    if len(points) < SPREAD_FROM:
        return {point: point.step for point in points}
    apart = min((high / low for low, high in itertools.pairwise(steps)), default=3.0)
    wide = {point.number: apart ** (SPREAD * (point.number * GOLDEN % 1.0 - 0.5) * 2) for point in points}
    return {point: significant(point.step * wide[point.number], 4) or 0.0 for point in points}


def _lines(
    points: Sequence[RungPoint], places: dict[RungPoint, float], heights: dict[RungPoint, float | None]
) -> Figure:
    """One trace for all trials: a gap between two keeps them apart."""
    by_trial: dict[int, list[RungPoint]] = defaultdict(list)
    for point in points:
        by_trial[point.number].append(point)
    x: list[float | None] = []
    y: list[float | None] = []
    several = [sorted(path, key=lambda point: point.step) for path in by_trial.values() if len(path) > 1]
    for path in several:
        x += [*(places[point] for point in path), None]
        y += [*(heights[point] for point in path), None]
    strength = 0.6 if len(several) <= FAINT_LINES else max(0.08, 0.35 * FAINT_LINES / len(several))
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "trials",
        "x": x,
        "y": y,
        "line": {"color": faint(ACTION, round(strength, 2)), "width": 1.2},
        "hoverinfo": "skip",
    }


def _markers(
    points: Sequence[RungPoint], places: dict[RungPoint, float], heights: dict[RungPoint, float | None]
) -> list[Figure]:
    data = []
    small = {"size": 4} if len(points) >= SPREAD_FROM else {}
    for state, marker in MARKERS.items():
        chosen = [point for point in points if point.state == state]
        if chosen:
            data.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "name": WORDS[state],
                    "x": [places[point] for point in chosen],
                    "y": [heights[point] for point in chosen],
                    "customdata": [[point.number, f"{point.value:.4g}"] for point in chosen],
                    "marker": marker | small,
                    "cliponaxis": False,
                    "hovertemplate": f"trial %{{customdata[0]}}<br>%{{customdata[1]}}, {WORDS[state]}<extra></extra>",
                }
            )
    return data
