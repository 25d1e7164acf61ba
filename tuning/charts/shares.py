"""Small drawings of what a parameter matters: a bar with its spread, and the mean value along it."""

from collections.abc import Sequence
from html import escape
from typing import Any

from tuning.charts.sides import choice_text, short_number

WIDE, HIGH = 160, 14
WIDTH, HEIGHT, INSET, BASE = 176, 68, 4, 54


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
    numeric: bool, places: Sequence[float]
) -> str:  # fmt: skip
    """An `<svg>` of the mean value along a parameter and its spread, between the values `within`.

    places: where each value stands, from 0 to 1. Choices are escaped.
    """
    low, high = within
    xs = [round(INSET + (WIDTH - 2 * INSET) * place, 1) for place in places]

    def up(value: float) -> float:
        return round(BASE - 4 - (BASE - 8) * (min(max(value, low), high) - low) / (high - low), 1)

    middle = [up(mean) for mean in means]
    tops = [up(mean + std) for mean, std in zip(means, stds, strict=True)]
    bottoms = [up(mean - std) for mean, std in zip(means, stds, strict=True)]
    parts = _line(xs, middle, tops, bottoms) if numeric else _choices(xs, middle, tops, bottoms)
    first, last = (short_number(v) if numeric else choice_text(v) for v in (values[0], values[-1]))
    parts += [
        f'<text class="small-slice__tick" x="{x}" y="{HEIGHT - 4}" text-anchor="{anchor}">{text}</text>'
        for x, text, anchor in ((INSET, first, "start"), (WIDTH - INSET, last, "end"))
    ]
    words = escape(f"mean value along {name}", quote=True)
    return (
        f'<svg class="small-slice" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" '
        f'aria-label="{words}">{"".join(parts)}</svg>'
    )


def _line(xs: Sequence[float], middle: Sequence[float], tops: Sequence[float], bottoms: Sequence[float]) -> list[str]:
    band = [*zip(xs, tops, strict=True), *reversed(list(zip(xs, bottoms, strict=True)))]
    area = "L".join(f"{x:g} {y:g}" for x, y in band)
    line = "L".join(f"{x:g} {y:g}" for x, y in zip(xs, middle, strict=True))
    return [f'<path class="small-slice__band" d="M{area}Z"/>', f'<path class="small-slice__line" d="M{line}"/>']


def _choices(
    xs: Sequence[float], middle: Sequence[float], tops: Sequence[float], bottoms: Sequence[float]
) -> list[str]:
    half = round(min(12.0, 0.3 * (WIDTH - 2 * INSET) / len(xs)), 1)
    return [
        f'<rect class="small-slice__band" x="{x - half:g}" y="{top:g}" width="{2 * half:g}" '
        f'height="{max(bottom - top, 1):g}"/><path class="small-slice__line" d="M{x - half:g} {y:g}h{2 * half:g}"/>'
        for x, y, top, bottom in zip(xs, middle, tops, bottoms, strict=True)
    ]
