"""The best strength of a regulariser against the size of the model or of the training set."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from tuning.charts.rounding import padded_range, significant
from tuning.charts.sides import log_ticks
from tuning.charts.theme import ACTION, BEST, PRUNED, QUIET, VALIDATION, Figure, axis, blank, faint, layout
from tuning.engine.values import short_number

SYMBOLS = {"": "circle", "low": "triangle-down", "high": "triangle-up"}


class StrengthPoint(NamedTuple):
    """A size, its best strength with its interval, "low" or "high" at an end of what was searched, and whether the
    strength makes a difference there."""

    size: float
    best: float
    low: float
    high: float
    edge: str
    told: bool
    trials: int


def strength_figure(
    points: Sequence[StrengthPoint],
    *,
    parameter: str,
    across: str,
    log: bool,
    line: tuple[float, float] | None = None,
) -> Figure:
    """Best strength against size, both logarithmic but for a dropout rate; a triangle points to where the optimum may
    lie beyond the range, what tells nothing is hollow.

    line: intercept and slope over log10 of the size of a fit that is claimed.
    """
    if len(points) < 2:
        return blank("too few sizes to compare")
    data = [] if line is None else [_line(points, line, log)]
    for told in (False, True):
        members = [point for point in points if point.told is told]
        if members:
            data.append(_markers(members, told))
    sizes = [math.log10(point.size) for point in points]
    x_range = padded_range(min(sizes), max(sizes), 0.08)
    ends = [value for point in points for value in (point.low, point.high)]
    if log:
        y_range = padded_range(*(math.log10(end) for end in (min(ends), max(ends))))
        ticks = log_ticks(*y_range)
        up = axis(title=f"best {parameter}", grid=True, type="log", range=y_range,
                  tickvals=ticks, ticktext=[short_number(tick) for tick in ticks])  # fmt: skip
    else:
        up = axis(title=f"best {parameter}", grid=True, nticks=6, range=padded_range(min(ends), max(ends)))
    named = sorted({significant(point.size, 3) or point.size for point in points})
    names = [f"{size:,.0f}" if size >= 10 else f"{size:g}" for size in named]
    return {
        "data": data,
        "layout": layout(
            axis(title=across, type="log", range=x_range, tickvals=named, ticktext=names),
            up,
        ),
    }


def _line(points: Sequence[StrengthPoint], fit: tuple[float, float], log: bool) -> Figure:
    ends = [min(point.size for point in points), max(point.size for point in points)]
    heights = [fit[0] + fit[1] * math.log10(end) for end in ends]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "fit",
        "x": [significant(end) for end in ends],
        "y": [significant(10**height if log else height) for height in heights],
        "line": {"color": BEST, "width": 2},
        "hoverinfo": "skip",
    }


def _markers(points: Sequence[StrengthPoint], told: bool) -> Figure:
    colours = [VALIDATION if point.edge else ACTION for point in points]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "best strength" if told else "no difference beyond chance",
        "x": [significant(point.size) for point in points],
        "y": [significant(point.best) for point in points],
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [significant(max(0.0, point.high - point.best)) for point in points],
            "arrayminus": [significant(max(0.0, point.best - point.low)) for point in points],
            "color": faint(ACTION, 0.5) if told else faint(QUIET, 0.4),
            "thickness": 1.5,
            "width": 4,
        },
        "marker": {
            "symbol": [SYMBOLS[point.edge] + ("" if told else "-open") for point in points],
            "size": 10,
            "color": colours if told else PRUNED,
        },
        "customdata": [
            f"{point.size:,.4g}: best {point.best:.3g}, {point.low:.3g} to {point.high:.3g}<br>{point.trials} trials"
            for point in points
        ],
        "cliponaxis": False,
        "hovertemplate": "%{customdata}<extra></extra>",
    }
