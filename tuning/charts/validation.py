"""How good a model is: the value of every trial as the others predict it, against what was observed."""

from collections.abc import Sequence
from typing import NamedTuple

from tuning.charts.rounding import padded_range, significant, tick_format, worst_shown
from tuning.charts.theme import ACTION, QUIET, Figure, axis, blank, faint, layout

WARNING = "token:warning"


class PredictedPoint(NamedTuple):
    """A trial, its value predicted without it, the value observed, and whether that lies in the 95 % band."""

    number: int
    predicted: float
    observed: float
    inside: bool


def validation_figure(points: Sequence[PredictedPoint], *, direction: str) -> Figure:
    """Observed against predicted values, with the line where both are the same; outside their band: hollow."""
    if len(points) < 2:
        return blank("too few trials to compare")
    both = [value for point in points for value in (point.predicted, point.observed)]
    worst = worst_shown(both, direction) or 0.0
    best = min(both) if direction == "minimize" else max(both)
    ends = [significant(end) or 0.0 for end in padded_range(min(best, worst), max(best, worst), 0.05)]
    line: Figure = {
        "type": "scatter",
        "mode": "lines",
        "name": "predicted as observed",
        "x": ends,
        "y": ends,
        "line": {"color": QUIET, "width": 1, "dash": "3px,3px"},
        "hoverinfo": "skip",
    }
    data = [line]
    for inside, words in ((True, "in its band"), (False, "outside its band")):
        group = [point for point in points if point.inside is inside]
        if group:
            marker: Figure = {"symbol": "circle", "size": 6, "color": faint(ACTION, 0.6)}
            if not inside:
                marker = {"symbol": "circle-open", "size": 7, "color": WARNING, "line": {"width": 1.5}}
            data.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "name": words,
                    "x": [significant(min(max(point.predicted, ends[0]), ends[1])) for point in group],
                    "y": [significant(min(max(point.observed, ends[0]), ends[1])) for point in group],
                    "customdata": [
                        f"trial {point.number}, {words}<br>predicted {point.predicted:.4g}, was {point.observed:.4g}"
                        for point in group
                    ],
                    "marker": marker,
                    "cliponaxis": False,
                    "hovertemplate": "%{customdata}<extra></extra>",
                }
            )
    numbers: Figure = {"range": ends, "tickformat": tick_format(*ends), "nticks": 5}
    return {
        "data": data,
        "layout": layout(axis(title="predicted without it", **numbers), axis(title="observed", grid=True, **numbers)),
    }
