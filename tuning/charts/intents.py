"""What each trial was after, by its number: one lane for each intent, a stroke for each trial."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tuning.charts.theme import ACTION, BEST, FAILED, PRUNED, Figure, axis, blank, faint, layout

LANES = {
    "startup": "start-up",
    "survey": "survey",
    "explore": "exploring",
    "exploit": "exploiting",
    "given": "by hand",
    "unknown": "no reason",
}
NOTES = {"improved": "improved the best", "ended": "ended", "pruned": "pruned", "failed": "failed", "open": "not ended"}
COLOURS = {
    "improved": BEST,
    "ended": faint(ACTION, 0.75),
    "pruned": PRUNED,
    "failed": FAILED,
    "open": faint(ACTION, 0.35),
}


class IntentPoint(NamedTuple):
    """One trial: its intent (a key of LANES), its state in upper case, whether it improved the best."""

    number: int
    intent: str
    state: str
    improved: bool


def intent_figure(points: Sequence[IntentPoint], counts: Mapping[str, int], *, budget: int | None = None) -> Figure:
    """Strokes by trial number in a lane for each intent that occurs, named with its count; improvements are dots.

    budget: the planned number of trials, up to which the axis goes.
    """
    lanes = [intent for intent in LANES if counts.get(intent)]
    if not lanes:
        return blank("no trial yet")
    heights = {intent: len(lanes) - 1 - place for place, intent in enumerate(lanes)}
    data: list[Figure] = []
    for kind, words in NOTES.items():
        group = [point for point in points if _kind(point) == kind]
        if group:
            data.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "name": words,
                    "x": [point.number for point in group],
                    "y": [heights[point.intent] for point in group],
                    "marker": _marker(kind),
                    "customdata": [f"{LANES[point.intent]}, {words}" for point in group],
                    "hovertemplate": "trial %{x}<br>%{customdata}<extra></extra>",
                }
            )
    data.sort(key=lambda trace: str(trace["name"]) == NOTES["improved"])
    last = max([point.number for point in points] + [(budget or 1) - 1, 5])
    names = [f"{LANES[intent]}  {counts[intent]:,}" for intent in lanes]
    drawn = layout(
        axis(title="trial", range=[-0.02 * last - 0.5, 1.02 * last], tickformat="d"),
        axis(
            range=[-0.6, len(lanes) - 0.4],
            tickvals=[heights[intent] for intent in lanes],
            ticktext=names,
            showline=False,
        )
        | {"ticks": ""},
    )
    return {"data": data, "layout": drawn}


def _kind(point: IntentPoint) -> str:
    if point.improved:
        return "improved"
    return {"COMPLETE": "ended", "PRUNED": "pruned", "FAILED": "failed"}.get(point.state, "open")


def _marker(kind: str) -> Figure:
    if kind == "improved":
        return {"symbol": "circle", "size": 9, "color": COLOURS[kind]}
    return {"symbol": "line-ns", "size": 12, "line": {"width": 2, "color": COLOURS[kind]}}
