"""The mean value over two parameters, the others averaged over the space, as a map."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from tuning.charts.rounding import significant, tick_format
from tuning.charts.sides import choice_text, log_ticks
from tuning.charts.theme import BEST, QUIET, Figure, axis, faint, layout
from tuning.engine.values import short_number


@dataclass(frozen=True)
class MapSide:
    """One side of a map: a parameter and the values (g,) along it."""

    name: str
    values: Sequence[Any]
    numeric: bool
    log: bool


def pair_map_figure(x: MapSide, y: MapSide, mean: Sequence[Sequence[float]], *, value: str, direction: str) -> Figure:
    """A heat map of mean[i][j] at x.values[i] and y.values[j], deep where it is good. `value`: what it is, in words."""
    rows = [[significant(column[j]) for column in mean] for j in range(len(y.values))]
    heights = [height for row in rows for height in row if height is not None]
    low, high = (min(heights), max(heights)) if heights else (0.0, 1.0)
    ramp = [faint(BEST, 0.9), faint(BEST, 0.02)]
    surface: Figure = {
        "type": "heatmap",
        "name": value,
        "x": _at(x),
        "y": _at(y),
        "z": rows,
        "zmin": low,
        "zmax": high if high > low else low + (abs(low) or 1.0) * 1e-6,
        "xgap": int(not x.numeric),
        "ygap": int(not y.numeric),
        "colorscale": [[0, ramp[0]], [1, ramp[1]]] if direction == "minimize" else [[0, ramp[1]], [1, ramp[0]]],
        "colorbar": {
            "thickness": 8,
            "outlinewidth": 0,
            "xpad": 6,
            "ypad": 0,
            "nticks": 5,
            "tickfont": {"size": 11, "color": QUIET},
            "tickformat": tick_format(low, high),
        },
        "hovertemplate": f"{escape(x.name)} %{{x}}<br>{escape(y.name)} %{{y}}<br>{escape(value)} %{{z:.4g}}"
        "<extra></extra>",
    }
    return {"data": [surface], "layout": layout(_axis(x), _axis(y) | {"showline": True}, right=8)}


def _at(side: MapSide) -> list[Any]:
    return [significant(value, 8) for value in side.values] if side.numeric else list(range(len(side.values)))


def _axis(side: MapSide) -> Figure:
    name = escape(side.name)
    if not side.numeric:
        ticks: Figure = {"tickvals": _at(side), "ticktext": [choice_text(value) for value in side.values]}
        return axis(title=name) | ticks | {"ticks": ""}
    if side.log:
        marks = log_ticks(math.log10(side.values[0]), math.log10(side.values[-1]))
        return axis(title=name) | {"type": "log", "tickvals": marks, "ticktext": [short_number(mark) for mark in marks]}
    return axis(title=name, tickformat=tick_format(side.values[0], side.values[-1]), nticks=8)
