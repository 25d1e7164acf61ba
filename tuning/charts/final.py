"""The final look as a figure: the score that chose, the fresh validation scores, the test scores with interval."""

from collections.abc import Sequence

from tuning.charts.rounding import finite, padded_range, significant, tick_format
from tuning.charts.theme import TEST, VALIDATION, Figure, axis, blank, faint, label, layout

ROWS = ("chosen", "fresh validation", "test")


def final_figure(
    *, chosen: float | None, validation: Sequence[float], test: Sequence[float], low: float | None, high: float | None
) -> Figure:
    """One score on a common axis, a row for each kind; `low` to `high` is the interval of the mean test score."""
    given = {"chosen": finite([chosen]), "fresh validation": finite(validation), "test": finite(test)}
    rows = [name for name in ROWS if given[name]]
    if not given["test"]:
        return blank("no finite test score")
    shown = [value for name in rows for value in given[name]] + finite([low, high])
    ends = padded_range(min(shown), max(shown), 0.1)
    heights = {name: len(rows) - 1 - place for place, name in enumerate(rows)}
    data = [_points(name, given[name], heights[name]) for name in rows]
    mean = sum(given["test"]) / len(given["test"])
    if low is not None and high is not None:
        data.append(_interval(mean, low, high, heights["test"]))
    words = [
        label(name, 0.0, heights[name] + 0.32, xref="paper", colour=TEST if name == "test" else VALIDATION)
        for name in rows
    ]
    xaxis = axis(grid=True, range=[significant(end) for end in ends], tickformat=tick_format(*ends), nticks=6)
    yaxis = axis(range=[-0.5, len(rows) - 0.4], showticklabels=False, showline=False, tickvals=[], fixedrange=True)
    return {"data": data, "layout": layout(xaxis, yaxis, annotations=words)}


def _points(name: str, values: Sequence[float], height: float) -> Figure:
    colour = TEST if name == "test" else VALIDATION
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [significant(value) for value in values],
        "y": [height] * len(values),
        "marker": {
            "size": 9,
            "color": colour if name != "fresh validation" else faint(colour, 0.6),
            "symbol": "diamond" if name == "chosen" else "circle",
        },
        "hovertemplate": f"{name}: %{{x:.4g}}<extra></extra>",
    }


def _interval(mean: float, low: float, high: float, height: float) -> Figure:
    """A bar from end to end with the mean in its middle."""
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": "mean, 95 % interval",
        "x": [significant(value) for value in (low, mean, high)],
        "y": [height - 0.22] * 3,
        "line": {"color": TEST, "width": 2},
        "marker": {"size": 9, "color": TEST, "symbol": "line-ns-open"},
        "hovertemplate": "test, mean and 95 % interval: %{x:.4g}<extra></extra>",
    }
