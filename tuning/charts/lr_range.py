"""The loss against the learning rate of a range test: raw points, the smoothed line, and the bracket."""

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from tuning.charts.rounding import padded_range, significant, tick_format
from tuning.charts.sides import log_ticks
from tuning.charts.theme import (
    ACTION,
    BEST,
    QUIET,
    TEXT,
    TRAIN,
    VALIDATION,
    Figure,
    axis,
    blank,
    faint,
    label,
    layout,
    spread_labels,
)
from tuning.engine.values import short_number

# of curves that lie over each other; more than so many are never drawn
COLOURS = (ACTION, VALIDATION, BEST, TRAIN, QUIET, TEXT)
DASHES = ("solid", "solid", "solid", "6px,3px", "2px,2px", "6px,2px,2px,2px")
HEADROOM = 0.6  # of the fall, above where the loss begins: how much of a blow-up is shown
LONGEST = 22  # characters of a name
LABEL_GAP = 0.075  # of the height of the figure, between words one above the other


def _shown(name: str) -> str:
    return escape(name if len(name) <= LONGEST else name[: LONGEST - 1] + "…")


class LRPoints(NamedTuple):
    """One curve: its name (empty where there is one only), and its bracket or None."""

    name: str
    lrs: Sequence[float]
    losses: Sequence[float]
    smoothed: Sequence[float]
    bracket: tuple[float, float] | None


def lr_range_figure(curves: Sequence[LRPoints], *, parameter: str = "learning rate") -> Figure:
    """Losses over a logarithmic axis. What lies above the beginning by more than a part of the fall is cut off, since a
    loss that blows up would flatten the valley."""
    drawn = [curve for curve in curves if curve.lrs][: len(COLOURS)]
    if not drawn:
        return blank("no loss was measured")
    low, high = _range(drawn)
    data: list[Figure] = []
    shapes: list[Figure] = []
    notes: list[Figure] = []
    for index, curve in enumerate(drawn):
        colour = COLOURS[index]
        data += _traces(curve, colour, DASHES[index], several=len(drawn) > 1)
        if curve.bracket is not None:
            shapes += _bracket(curve.bracket, colour, several=len(drawn) > 1, level=index, low=low, high=high)
            if len(drawn) == 1:
                notes.append(_bracket_words(curve.bracket))
    if len(drawn) > 1:
        notes += _names(drawn, low, high)
    first, last = (math.log10(end(curve.lrs[side] for curve in drawn)) for end, side in ((min, 0), (max, -1)))
    ticks = log_ticks(first, last)
    xaxis = axis(
        title=_shown(parameter),
        type="log",
        range=[significant(end) for end in padded_range(first, last, 0.02)],
        tickvals=ticks,
        ticktext=[short_number(tick) for tick in ticks],
    )
    yaxis = axis(grid=True, range=[significant(low), significant(high)], tickformat=tick_format(low, high), nticks=6)
    longest = max(len(_shown(curve.name)) for curve in drawn)
    right = 16 if len(drawn) == 1 else min(150, 24 + 7 * longest)
    return {"data": data, "layout": layout(xaxis, yaxis, right=right, shapes=shapes, annotations=notes)}


def _range(curves: Sequence[LRPoints]) -> tuple[float, float]:
    least = min(min(curve.smoothed) for curve in curves)
    start = max(curve.smoothed[min(len(curve.smoothed) - 1, 10)] for curve in curves)
    top = start + HEADROOM * (start - least or abs(start) or 1.0)
    reached = max(max(curve.smoothed) for curve in curves)
    dots = min(min(curve.losses) for curve in curves)  # single batches lie below the line while it falls
    low, high = padded_range(min(least, dots), min(top, max(reached, start)), 0.08)
    return low, high


def _traces(curve: LRPoints, colour: str, dash: str, *, several: bool) -> list[Figure]:
    lrs = [significant(lr) for lr in curve.lrs]
    shown = _shown(curve.name)
    name = shown or "loss"
    raw = {
        "type": "scatter",
        "mode": "markers",
        "name": f"{name}, batch",
        "x": lrs,
        "y": [significant(loss) for loss in curve.losses],
        "marker": {"size": 3 if several else 4, "color": faint(colour, 0.22 if several else 0.35)},
        "hoverinfo": "skip",
    }
    smoothed = {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": lrs,
        "y": [significant(loss) for loss in curve.smoothed],
        "line": {"color": colour, "width": 2, **({} if dash == "solid" else {"dash": dash})},
        "hovertemplate": f"{shown + '<br>' if shown else ''}%{{x:.2g}}: loss %{{y:.4g}}<extra></extra>",
    }
    return [raw, smoothed]


def _bracket(
    bracket: tuple[float, float], colour: str, *, several: bool, level: int, low: float, high: float
) -> list[Figure]:
    """A shaded band; where curves lie over each other, bars along the bottom, one above the other."""
    ends = {"type": "rect", "xref": "x", "x0": bracket[0], "x1": bracket[1], "line": {"width": 0}, "layer": "below"}
    if not several:
        return [{**ends, "yref": "paper", "y0": 0, "y1": 1, "fillcolor": faint(BEST, 0.14)}]
    bottom = 0.012 + 0.022 * level
    return [{**ends, "yref": "paper", "y0": bottom, "y1": bottom + 0.014, "fillcolor": faint(colour, 0.8)}]


def _bracket_words(bracket: tuple[float, float]) -> Figure:
    """The suggestion beside its band; annotations count in decades on a logarithmic axis."""
    middle = significant((math.log10(bracket[0]) + math.log10(bracket[1])) / 2) or 0.0
    words = f"{short_number(float(f'{bracket[0]:.2g}'))} to {short_number(float(f'{bracket[1]:.2g}'))}"
    return label(words, middle, 1.0, yref="paper", xanchor="center", yanchor="top", colour=TEXT)


def _names(curves: Sequence[LRPoints], low: float, high: float) -> list[Figure]:
    """Each curve's name where its line ends, moved apart where they would lie over each other."""
    gap = LABEL_GAP * (high - low)
    heights = [min(max(curve.smoothed[-1], low), high) for curve in curves]
    placed = spread_labels(heights, gap, low, high)
    return [
        label(_shown(curve.name), 1.0, significant(place) or 0.0, xref="paper", colour=COLOURS[index], xshift=6)
        for index, (curve, place) in enumerate(zip(curves, placed, strict=True))
    ]
