"""Small drawings of what a parameter matters: a bar with its spread, and the mean value along it."""

import math
from collections.abc import Sequence
from html import escape
from typing import Any

from tuning.charts.sides import choice_text, log_ticks
from tuning.engine.values import short_number

WIDE, HIGH = 160, 14
WIDTH, HEIGHT = 256, 116
LEFT, RIGHT, TOP, BASE = 44, 248, 8, 94  # where the values are drawn
LETTER = 5.6  # the width of a character of the ticks


def share_svg(share: float, spread: float | None = None, most: float = 1.0) -> str:
    """An `<svg>` of a bar from 0 to `share` on an axis to `most`, with a line for `spread` on either side."""

    def across(value: float) -> float:
        return round(WIDE * min(max(value / most if most > 0 else 0.0, 0.0), 1.0), 1)

    parts = [
        f'<rect class="share__track" width="{WIDE}" height="{HIGH - 6}" y="3"/>',
        f'<rect class="share__bar" width="{across(share):g}" height="{HIGH - 6}" y="3"/>',
    ]
    if spread:
        parts.append(f'<path class="share__spread" d="M{across(share - spread):g} 7H{across(share + spread):g}"/>')
    frame = f'viewBox="0 0 {WIDE} {HIGH}" preserveAspectRatio="none" aria-hidden="true"'
    return f'<svg class="share" {frame}>{"".join(parts)}</svg>'


def marginal_range(curves: Sequence[tuple[Sequence[float], Sequence[float]]]) -> tuple[float, float]:
    """The values, with their spread, that all small curves (means, spreads) of one page show."""
    low = min(mean - std for means, stds in curves for mean, std in zip(means, stds, strict=True))
    high = max(mean + std for means, stds in curves for mean, std in zip(means, stds, strict=True))
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def marginal_svg(
    name: str, values: Sequence[Any], means: Sequence[float], stds: Sequence[float], within: tuple[float, float], *,
    numeric: bool, places: Sequence[float], log: bool = False
) -> str:  # fmt: skip
    """An `<svg>` of the mean value along a parameter and its spread, between the values `within`, with ticks: a line
    and a band, or for choices a point and an interval each.

    places: where each value stands, from 0 to 1; `log` puts the ticks at powers of ten. Choices are escaped.
    """
    low, high = within
    xs = [_across(place) for place in places]

    def up(value: float) -> float:
        return round(BASE - (BASE - TOP) * (min(max(value, low), high) - low) / (high - low), 1)

    middle = [up(mean) for mean in means]
    tops = [up(mean + std) for mean, std in zip(means, stds, strict=True)]
    bottoms = [up(mean - std) for mean, std in zip(means, stds, strict=True)]
    parts = [
        f'<path class="marginal__frame" d="M{LEFT} {TOP}V{BASE}H{RIGHT}"/>',
        _tick(LEFT - 6, BASE, short_number(low), "end"),
        _tick(LEFT - 6, TOP + 6, short_number(high), "end"),
    ]
    parts += _line(xs, middle, tops, bottoms) if numeric else _choices(xs, middle, tops, bottoms)
    ticks = _ticks(values, places, log=log) if numeric else _words(xs, [choice_text(value) for value in values])
    parts += [_tick(x, HEIGHT - 6, text, anchor) for x, text, anchor in ticks]
    words = escape(f"mean value along {name}", quote=True)
    return (
        f'<svg class="marginal" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" '
        f'aria-label="{words}">{"".join(parts)}</svg>'
    )


def _across(place: float) -> float:
    return round(LEFT + (RIGHT - LEFT) * place, 1)


def _tick(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text class="small-slice__tick" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{text}</text>'


def _ticks(values: Sequence[float], places: Sequence[float], *, log: bool) -> list[tuple[float, str, str]]:
    """The ends of the range, and between them as many powers of ten as there is room for."""
    first, last = math.log10(values[0]) if log else 0.0, math.log10(values[-1]) if log else 0.0
    ends = [
        (_across(places[0]), short_number(values[0]), "start"),
        (_across(places[-1]), short_number(values[-1]), "end"),
    ]
    if not log or last <= first:
        return ends
    taken = [ends[0][0] + LETTER * (len(ends[0][1]) + 1), ends[1][0] - LETTER * (len(ends[1][1]) + 1)]
    between = []
    for tick in log_ticks(first, last):
        x = _across(places[0] + (places[-1] - places[0]) * (math.log10(tick) - first) / (last - first))
        text = short_number(tick)
        half = LETTER * len(text) / 2
        if x - half >= taken[0] and x + half <= taken[1]:
            between.append((x, text, "middle"))
            taken[0] = x + half + LETTER
    return [ends[0], *between, ends[1]]


def _words(xs: Sequence[float], texts: Sequence[str]) -> list[tuple[float, str, str]]:
    """All choices where they fit, else the first and the last."""
    room = (RIGHT - LEFT) / len(xs) / LETTER
    if all(len(text) <= room for text in texts):
        return [(x, text, "middle") for x, text in zip(xs, texts, strict=True)]
    return [(LEFT, texts[0], "start"), (RIGHT, texts[-1], "end")]


def _line(xs: Sequence[float], middle: Sequence[float], tops: Sequence[float], bottoms: Sequence[float]) -> list[str]:
    band = [*zip(xs, tops, strict=True), *reversed(list(zip(xs, bottoms, strict=True)))]
    area = "L".join(f"{x:g} {y:g}" for x, y in band)
    line = "L".join(f"{x:g} {y:g}" for x, y in zip(xs, middle, strict=True))
    return [f'<path class="small-slice__band" d="M{area}Z"/>', f'<path class="small-slice__line" d="M{line}"/>']


def _choices(
    xs: Sequence[float], middle: Sequence[float], tops: Sequence[float], bottoms: Sequence[float]
) -> list[str]:
    return [
        f'<path class="marginal__interval" d="M{x:g} {top:g}V{bottom:g}M{x - 4:g} {top:g}h8M{x - 4:g} {bottom:g}h8"/>'
        f'<circle class="marginal__point" cx="{x:g}" cy="{y:g}" r="3.5"/>'
        for x, y, top, bottom in zip(xs, middle, tops, bottoms, strict=True)
    ]
