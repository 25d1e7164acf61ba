"""Sparklines: a curve the size of a word, as inline SVG that needs no script.

After Tufte, "Beautiful Evidence" (2006): no axis, the last value dotted.
"""

import math
from collections.abc import Mapping, Sequence
from html import escape

from tuning.charts.rounding import CURVE_REACH, finite, worst_shown
from tuning.charts.thinning import thinned

WIDTH, HEIGHT, INSET = 72, 24, 3


def sparkline_svg(curves: Mapping[str, Sequence[float | None]], *, direction: str = "minimize", title: str = "") -> str:
    """One `<svg>` with a line per entry of `curves` ("train", "validation" or other names) on a common scale.

    Values are taken at equal distances; gaps (None, NaN) break the line; an outlier is cut at the edge. An
    empty string when there is nothing to draw. The names and `title` are escaped.
    """
    shown = {name: list(values) for name, values in curves.items() if finite(values)}
    if not shown:
        return ""
    every = [value for values in shown.values() for value in finite(values)]
    worst = worst_shown(every, direction, CURVE_REACH)
    best = min(every) if direction == "minimize" else max(every)
    low, high = sorted((best, best if worst is None else worst))
    longest = max(len(values) for values in shown.values())
    parts = []
    for name, values in shown.items():
        kind = escape(name, quote=True)
        places = [_place(index, value, longest, low, high) for index, value in enumerate(values)]
        parts.append(f'<path class="sparkline__line sparkline__line--{kind}" d="{_path(places)}"/>')
        x, y = next(place for place in reversed(places) if place is not None)
        parts.append(f'<circle class="sparkline__dot sparkline__dot--{kind}" cx="{x:g}" cy="{y:g}" r="1.75"/>')
    words = escape(title or "learning curve", quote=True)
    return (
        f'<svg class="sparkline" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" '
        f'aria-label="{words}">{"".join(parts)}</svg>'
    )


def _place(index: int, value: float | None, longest: int, low: float, high: float) -> tuple[float, float] | None:
    if value is None or not math.isfinite(value):
        return None
    across = INSET + (WIDTH - 2 * INSET) * (index / (longest - 1) if longest > 1 else 0.5)
    share = 0.5 if high == low else (min(max(value, low), high) - low) / (high - low)
    return round(across, 1), round(HEIGHT - INSET - (HEIGHT - 2 * INSET) * share, 1)


def _path(places: Sequence[tuple[float, float] | None]) -> str:
    kept = thinned(places, [place[1] if place is not None else 0.0 for place in places], 120)
    path, pen_down = [], False
    for place in kept:
        if place is not None:
            path.append(f"{'L' if pen_down else 'M'}{place[0]:g} {place[1]:g}")
        pen_down = place is not None
    return "".join(path)
