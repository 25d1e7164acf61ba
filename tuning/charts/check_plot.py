"""The small plot beside a check before tuning, as inline SVG that needs no script: lines, or bars, and a target."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from tuning.charts.rounding import finite
from tuning.charts.thinning import thinned

WIDTH, HEIGHT = 280, 104
LEFT, RIGHT, TOP, BOTTOM = 46, 8, 8, 22
MOST_POINTS = 160
MOST_BARS = 24

Place = tuple[float, float]


def check_plot_svg(plot: Mapping[str, Any] | None, title: str) -> str:
    """One `<svg>` of a check's plot document; an empty string where there is nothing finite to draw.

    plot: {"kind": "line" | "bars", "x", "y" or "series": {name: [...]}, "x_title", "y_title", "log_x", "log_y",
    "target": a level that matters, or None}.
    """
    series = _series(plot or {})
    scale = Scale(plot or {}, series)
    if plot is None or not scale.drawable:
        return ""
    bars = plot.get("kind") == "bars"
    parts = [_axis(plot, scale)]
    for number, (name, values) in enumerate(series.items()):
        parts.append(_bars(values, scale) if bars else _line(name, number, plot.get("x"), values, scale))
    if scale.target is not None:
        level = scale.down(scale.target)
        parts.append(f'<path class="check-plot__target" d="M{LEFT} {level:g}H{WIDTH - RIGHT}"/>')
    words = escape(f"{title}: {plot.get('y_title') or 'value'} over {plot.get('x_title') or 'steps'}", quote=True)
    return (
        f'<svg class="check-plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{words}">{"".join(parts)}</svg>'
    )


def _series(plot: Mapping[str, Any]) -> dict[str, list[float | None]]:
    found = plot.get("series") or {"": plot.get("y") or []}
    return {str(name): list(values) for name, values in found.items() if finite(values)}


class Scale:
    """Where values lie in the drawing."""

    def __init__(self, plot: Mapping[str, Any], series: Mapping[str, Sequence[float | None]]) -> None:
        self.log_x, self.log_y = bool(plot.get("log_x")), bool(plot.get("log_y"))
        every = [value for values in series.values() for value in finite(values) if not self.log_y or value > 0]
        across = [value for value in plot.get("x") or [] if isinstance(value, int | float) and math.isfinite(value)]
        across = [value for value in across if not self.log_x or value > 0]
        longest = max((len(values) for values in series.values()), default=0)
        self.drawable = bool(every)
        target = plot.get("target")
        usable = isinstance(target, int | float) and math.isfinite(target) and not (self.log_y and target <= 0)
        self.target = float(target) if usable and target is not None else None
        levels = [*every, *([self.target] if self.target is not None else [])]
        if plot.get("kind") == "bars" and not self.log_y:
            levels.append(0.0)
        self.low, self.high = min(levels, default=0.0), max(levels, default=1.0)
        self.first, self.last = (min(across), max(across)) if across else (0.0, float(max(1, longest - 1)))

    def down(self, value: float) -> float:
        """Pixels from the top."""
        share = _share(value, self.low, self.high, self.log_y)
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share, 1)

    def across(self, value: float) -> float:
        """Pixels from the left."""
        return round(LEFT + (WIDTH - LEFT - RIGHT) * _share(value, self.first, self.last, self.log_x), 1)


def _share(value: float, low: float, high: float, log: bool) -> float:
    if log:
        value, low, high = math.log(value), math.log(low), math.log(high)
    return 0.5 if high == low else (value - low) / (high - low)


def _axis(plot: Mapping[str, Any], scale: Scale) -> str:
    base, edge = HEIGHT - BOTTOM, WIDTH - RIGHT
    texts: list[tuple[float, float, str, str]] = [
        (LEFT - 4, scale.down(scale.high) + 4, "end", _text(scale.high)),
        (LEFT - 4, scale.down(scale.low) + 4, "end", _text(scale.low)),
    ]
    if plot.get("kind") != "bars":
        texts += [(LEFT, HEIGHT - 8, "start", _text(scale.first)), (edge, HEIGHT - 8, "end", _text(scale.last))]
    middle = (LEFT + edge) / 2
    texts.append((middle, HEIGHT - 8, "middle", str(plot.get("x_title") or "")))
    if scale.low == scale.high:
        texts = texts[1:]
    drawn = "".join(
        f'<text x="{x:g}" y="{y:g}" text-anchor="{side}">{escape(text)}</text>' for x, y, side, text in texts
    )
    return f'<path class="check-plot__axis" d="M{LEFT} {TOP}V{base}H{edge}"/>{drawn}'


def _text(value: float) -> str:
    return f"{value:.3g}".replace("e-0", "e-").replace("e+0", "e")


def _line(name: str, number: int, x: Any, values: Sequence[float | None], scale: Scale) -> str:
    at = list(x) if isinstance(x, list | tuple) and len(x) >= len(values) else list(range(len(values)))
    places: list[Place | None] = [
        (scale.across(float(place)), scale.down(value)) if _drawn(place, value, scale) and value is not None else None
        for place, value in zip(at, values, strict=False)
    ]
    kept = thinned(places, [place[1] if place is not None else 0.0 for place in places], MOST_POINTS)
    path, pen_down = [], False
    for place in kept:
        if place is not None:
            path.append(f"{'L' if pen_down else 'M'}{place[0]:g} {place[1]:g}")
        pen_down = place is not None
    drawn = f'<path class="check-plot__line check-plot__line--{number % 4}" d="{"".join(path)}"/>'
    last = next((place for place in reversed(kept) if place is not None), None)
    if name and last is not None:
        x, y = min(last[0], WIDTH - RIGHT), max(10.0, last[1] - 4)
        drawn += f'<text class="check-plot__name" x="{x:g}" y="{y:g}" text-anchor="end">{escape(name)}</text>'
    return drawn


def _drawn(place: Any, value: float | None, scale: Scale) -> bool:
    if value is None or not isinstance(place, int | float):
        return False
    right = math.isfinite(value) and math.isfinite(place)
    return right and (value > 0 or not scale.log_y) and (place > 0 or not scale.log_x)


def _bars(values: Sequence[float | None], scale: Scale) -> str:
    shown = values[:MOST_BARS]
    room = (WIDTH - LEFT - RIGHT) / max(1, len(shown))
    base = scale.down(min(max(0.0, scale.low), scale.high) if not scale.log_y else scale.low)
    drawn = []
    for index, value in enumerate(shown):
        if value is None or not math.isfinite(value) or (scale.log_y and value <= 0):
            continue
        left, level = LEFT + room * index + 0.15 * room, scale.down(value)
        top, tall = min(level, base), max(1.0, abs(base - level))
        drawn.append(
            f'<rect class="check-plot__bar" x="{left:.1f}" y="{top:g}" width="{0.7 * room:.1f}" height="{tall:.1f}"/>'
        )
    return "".join(drawn)
