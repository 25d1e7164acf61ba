"""What other schedulers would have spent, and what they would have found."""

from collections.abc import Sequence
from typing import NamedTuple

from tuning.charts.rounding import padded_range, significant, tick_format, worst_shown
from tuning.charts.theme import ACTION, BEST, PRUNED, TEXT, Figure, axis, blank, label, layout


class OutcomePoint(NamedTuple):
    """A scheduler's settings in words, the share of the recorded steps that it takes, its best value, and whether it
    keeps the recorded winner."""

    words: str
    share: float
    value: float
    kept: bool


def what_if_figure(points: Sequence[OutcomePoint], recorded: float | None, *, direction: str, unit: str) -> Figure:
    """Best value against the share of the recorded steps; what was recorded stands at 100 %."""
    if not points or recorded is None:
        return blank("no other setting can be told from this record")
    values = [recorded, *(point.value for point in points)]
    edge = worst_shown(values, direction) or 0.0
    low, high = padded_range(min(recorded, edge), max(recorded, edge), 0.12)
    inside = max if direction == "maximize" else min
    data: list[Figure] = [
        _markers([(100.0, recorded, "as recorded")], {"symbol": "diamond", "size": 9, "color": ACTION}, "as recorded")
    ]
    for kept, words, marker in (
        (False, "loses the winner", {"symbol": "circle-open", "size": 8, "color": PRUNED, "line": {"width": 1.5}}),
        (True, "keeps the winner", {"symbol": "circle", "size": 8, "color": BEST}),
    ):
        rows = [
            (100.0 * point.share, inside(point.value, edge), f"{point.words}<br>{point.value:.4g}, {words}")
            for point in points
            if point.kept is kept
        ]
        if rows:
            data.append(_markers(rows, marker, words))
    better_side = 14 if direction == "maximize" else -14  # pixels: few settings find better, so it is free
    note = label("as recorded", 100.0, significant(recorded) or 0.0, colour=TEXT, xanchor="right", yshift=better_side)
    return {
        "data": data,
        "layout": layout(
            axis(title=f"{unit}, % of those recorded", range=[-4, 106], tickvals=[0, 25, 50, 75, 100]),
            axis(grid=True, range=[significant(low), significant(high)], tickformat=tick_format(low, high), nticks=6),
            annotations=[note],
        ),
    }


def _markers(rows: Sequence[tuple[float, float, str]], marker: Figure, name: str) -> Figure:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [significant(share) for share, _, _ in rows],
        "y": [significant(value) for _, value, _ in rows],
        "customdata": [words for _, _, words in rows],
        "marker": marker,
        "cliponaxis": False,
        "hovertemplate": "%{customdata}<br>%{x:.3g} %<extra></extra>",
    }
