"""Slices the size of a thumb, one for each parameter on one scale: what matters is steep, what does not is flat."""

from collections.abc import Mapping, Sequence
from html import escape
from types import MappingProxyType
from typing import Any

from tuning.charts.rounding import finite, worst_shown
from tuning.charts.sides import Coordinates, choice_text
from tuning.engine.surrogates.slices import Cut
from tuning.engine.values import short_number

WIDTH, HEIGHT, INSET, BASE = 176, 68, 4, 54
NOWHERE: Mapping[str, Any] = MappingProxyType({})
ROOM = 0.35  # of the lines' range, for the bands above and below it


def common_range(cuts: Sequence[Cut], direction: str) -> tuple[float, float]:
    """The values that all small slices of one page show, the lower end first."""
    middles = finite([value for cut in cuts for value in cut.expected.median.tolist()])
    if not middles:
        return 0.0, 1.0
    worst = worst_shown(middles, direction)
    best = min(middles) if direction == "minimize" else max(middles)
    low, high = sorted((best, best if worst is None else worst))
    room = ROOM * (high - low) or abs(high) * 1e-6 or 1.0
    return low - room, high + room


def slice_svg(
    cut: Cut, low: float, high: float, *, held: Mapping[str, Any] = NOWHERE, upcoming: Mapping[str, Any] = NOWHERE
) -> str:
    """An `<svg>` of a cut along one parameter between the values `low` and `high`: line, 95 % band, its ends in words.

    held, upcoming: configurations; where they have the parameter, a dot on the line and a dashed line. Choices are
    escaped.
    """
    place = Coordinates(cut.x)
    first, last = place.on_axis(cut.x.values[0]), place.on_axis(cut.x.values[-1])
    margin = (WIDTH - 2 * INSET) / len(cut.x.values) / 2 if place.categorical else 0.0

    def across(value: Any) -> float:
        share = (place.on_axis(value) - first) / (last - first) if last > first else 0.5
        return round(INSET + margin + (WIDTH - 2 * (INSET + margin)) * share, 1)

    def up(value: float) -> float:
        share = (min(max(value, low), high) - low) / (high - low)
        return round(BASE - 4 - (BASE - 8) * share, 1)

    xs = [across(value) for value in cut.x.values]
    expected = cut.expected
    middle = [up(value) for value in expected.median.tolist()]
    ends = [[up(value) for value in side.tolist()] for side in (expected.high, expected.low)]
    parts = _choices(xs, middle, ends, margin) if place.categorical else _line(xs, middle, ends)
    name = cut.x.name
    if name in upcoming:
        parts.append(f'<path class="small-slice__next" d="M{across(upcoming[name]):g} 2V{BASE}"/>')
    if name in held:
        nearest = min(range(len(xs)), key=lambda index: abs(xs[index] - across(held[name])))
        parts.append(f'<circle class="small-slice__held" cx="{xs[nearest]:g}" cy="{middle[nearest]:g}" r="3"/>')
    parts += _words(cut, xs, place.categorical)
    words = escape(f"expected value along {cut.x.name}", quote=True)
    return (
        f'<svg class="small-slice" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" '
        f'aria-label="{words}">{"".join(parts)}</svg>'
    )


def _line(xs: Sequence[float], middle: Sequence[float], ends: Sequence[Sequence[float]]) -> list[str]:
    band = [*zip(xs, ends[0], strict=True), *reversed(list(zip(xs, ends[1], strict=True)))]
    area = "L".join(f"{x:g} {y:g}" for x, y in band)
    line = "L".join(f"{x:g} {y:g}" for x, y in zip(xs, middle, strict=True))
    return [f'<path class="small-slice__band" d="M{area}Z"/>', f'<path class="small-slice__line" d="M{line}"/>']


def _choices(xs: Sequence[float], middle: Sequence[float], ends: Sequence[Sequence[float]], margin: float) -> list[str]:
    half = round(min(0.5 * margin, 12.0), 1)
    parts = []
    for x, y, top, bottom in zip(xs, middle, *ends, strict=True):
        start, end = min(top, bottom), max(top, bottom)
        parts.append(
            f'<rect class="small-slice__band" x="{x - half:g}" y="{start:g}" width="{2 * half:g}" '
            f'height="{max(end - start, 1):g}"/><path class="small-slice__line" d="M{x - half:g} {y:g}h{2 * half:g}"/>'
        )
    return parts


def _words(cut: Cut, xs: Sequence[float], categorical: bool) -> list[str]:
    """The ends of the range, or the choices where they fit."""
    values = cut.x.values
    if not categorical:
        named: list[tuple[float, str, str]] = [
            (INSET, short_number(values[0]), "start"),
            (WIDTH - INSET, short_number(values[-1]), "end"),
        ]
    else:
        texts = [choice_text(value) for value in values]
        room = (WIDTH - 2 * INSET) / len(values) / 5.2
        fits = all(len(text) <= room for text in texts)
        named = [(x, text, "middle") for x, text in zip(xs, texts, strict=True)] if fits else []
        named = named or [(INSET, texts[0], "start"), (WIDTH - INSET, texts[-1], "end")]
    return [
        f'<text class="small-slice__tick" x="{x:g}" y="{HEIGHT - 4}" text-anchor="{anchor}">{text}</text>'
        for x, text, anchor in named
    ]
