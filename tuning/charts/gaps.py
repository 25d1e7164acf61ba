"""The gap between training and validation loss against the score, over all trials of a study."""

from collections.abc import Sequence
from typing import NamedTuple

from tuning.charts.rounding import finite, padded_range, significant, tick_format, worst_shown
from tuning.charts.theme import (
    ACTION,
    BEST,
    FAILED,
    PRUNED,
    QUIET,
    VALIDATION,
    Figure,
    axis,
    blank,
    faint,
    layout,
    vertical_line,
)
from tuning.charts.thinning import thinned

MOST = 2_000
# rule -> its group: trials of one group look alike
GROUPS = {
    "overfit_turning": "overfits",
    "overfit": "overfits",
    "underfit": "underfits",
    "train_rises": "unstable",
    "spikes": "unstable",
    "diverged": "unstable",
    "noise": "cannot be told",
    "unclear": "cannot be told",
}
PLAIN = "nothing stands out"
MARKERS: dict[str, Figure] = {
    "cannot be told": {"symbol": "circle-open", "size": 6, "color": QUIET, "line": {"width": 1}},
    PLAIN: {"symbol": "circle", "size": 7, "color": faint(ACTION, 0.6)},
    "underfits": {"symbol": "square-open", "size": 7, "color": PRUNED, "line": {"width": 1.5}},
    "overfits": {"symbol": "diamond", "size": 8, "color": VALIDATION},
    "unstable": {"symbol": "x", "size": 7, "color": FAILED},
}


class GapPoint(NamedTuple):
    """A trial: validation less training loss at its end, its objective value, its verdict's rule and title."""

    number: int
    gap: float
    value: float
    rule: str
    title: str


def gap_figure(points: Sequence[GapPoint], *, direction: str, metric: str, best: int | None = None) -> Figure:
    """Objective value against the gap, a symbol for each kind of verdict; `best` is ringed.

    What lies far outside is drawn at the edge, so that a few that went wrong do not squeeze the rest together.
    """
    points = [point for point in points if len(finite([point.gap, point.value])) == 2]
    if len(points) < 2:
        return blank("too few trials with both curves to compare")
    across, up = _ranges(points, direction)
    drawn = thinned(points, [point.value for point in points], MOST)
    data = []
    for group, marker in MARKERS.items():
        members = [point for point in drawn if GROUPS.get(point.rule, PLAIN) == group]
        if members:
            data.append(_markers(members, group, marker, across, up))
    ring = {"symbol": "circle-open", "size": 13, "color": BEST, "line": {"width": 2}}
    data += [_markers([point], "best", ring, across, up) for point in points if point.number == best]
    return {
        "data": data,
        "layout": layout(
            axis(title="gap: validation less training loss", nticks=8, range=across, tickformat=tick_format(*across)),
            axis(title=metric, grid=True, nticks=6, range=up, tickformat=tick_format(*up)),
            shapes=[vertical_line(0.0)] if across[0] < 0 < across[1] else [],
        ),
    }


def _ranges(points: Sequence[GapPoint], direction: str) -> tuple[list[float], list[float]]:
    """The ends of both axes: for the gap outliers on either side are left outside, for the value bad ones."""
    gaps, values = [point.gap for point in points], [point.value for point in points]
    good = min(values) if direction == "minimize" else max(values)
    ends = (
        [worst_shown(gaps, "maximize") or 0.0, worst_shown(gaps, "minimize") or 0.0],
        sorted([good, worst_shown(values, direction) or 0.0]),
    )
    across, up = ([significant(end) or 0.0 for end in padded_range(low, high)] for low, high in ends)
    return across, up


def _markers(points: Sequence[GapPoint], name: str, marker: Figure, across: list[float], up: list[float]) -> Figure:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [significant(min(max(point.gap, across[0]), across[1])) for point in points],
        "y": [significant(min(max(point.value, up[0]), up[1])) for point in points],
        "customdata": [
            f"trial {point.number}: {point.title}<br>gap {point.gap:.4g}, value {point.value:.4g}" for point in points
        ],
        "marker": marker,
        "cliponaxis": False,
        "hovertemplate": "%{customdata}<extra></extra>",
    }
