"""The small drawing beside a parameter of a search space: where its values will be drawn from.

The drawing asks the parameter itself, through its cumulative distribution, so that it cannot tell another story
than the sampler: exact masses, divided by the length that they cover on the axis (logarithmic where it is one).
"""

import math
import re
from collections.abc import Sequence
from html import escape
from itertools import pairwise
from typing import Any, Protocol

WIDTH, HEIGHT, BASE, TOP = 132, 32, 21, 3
LEFT, RIGHT = 2, 130
BINS = 48
MOST_BARS = 16


class Drawable(Protocol):
    """What a drawing needs of an engine parameter; `value_at` and `span` are asked of finite ones only."""

    @property
    def name(self) -> str: ...

    @property
    def size(self) -> int | None:
        """How many values it takes; None for a continuous one."""

    @property
    def low(self) -> float | None: ...

    @property
    def high(self) -> float | None: ...

    def quantile(self, u: float) -> Any:
        """The value below which a share `u` of the probability lies, 0 <= u <= 1."""

    def to_unit(self, value: Any) -> float:
        """The share of the probability that lies below `value` of a continuous parameter."""

    def value_at(self, index: int) -> Any:
        """The value with this index, 0..size - 1."""


def distribution_svg(parameter: Drawable, *, log: bool = False) -> str:
    """An `<svg>` of the parameter's distribution: an outline, or bars where it takes at most 16 values.

    log: draw a logarithmic axis (values are then all above 0, else ValueError). Names of choices are escaped.
    """
    if parameter.size is None:
        body = _continuous(parameter, log)
    elif parameter.size <= MOST_BARS:
        values = [parameter.value_at(index) for index in range(parameter.size)]
        body = _bars([_mass(parameter, value) for value in values], [_short(value) for value in values])
    else:
        body = _finite(parameter, parameter.size, log)
    words = escape(f"distribution of {parameter.name}", quote=True)
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    return f'<svg class="distribution" {size} role="img" aria-label="{words}">{body}</svg>'


def _mass(parameter: Any, value: Any) -> float:
    start, end = parameter.span(value)
    return float(end - start)


def _bars(masses: Sequence[float], names: Sequence[str]) -> str:
    slot = (RIGHT - LEFT) / len(masses)
    width = min(slot * 0.6, 24)
    highest = max(masses)
    parts, ticks = [], []
    room = int(slot / 5.2)
    for index, (mass, name) in enumerate(zip(masses, names, strict=True)):
        height = max((BASE - TOP) * mass / highest, 1)
        centre = LEFT + slot * (index + 0.5)
        parts.append(
            f'<rect class="distribution__bar" x="{centre - width / 2:.1f}" y="{BASE - height:.1f}" '
            f'width="{width:.1f}" height="{height:.1f}"/>'
        )
        if len(name) <= room or (room > 1 and len(masses) <= 4):
            ticks.append(_tick(centre, name if len(name) <= room else name[: room - 1] + "…", "middle"))
    if not ticks:
        ticks = [_tick(LEFT, names[0], "start"), _tick(RIGHT, names[-1], "end")]
    return "".join([*parts, _base_line(), *ticks])


def _continuous(parameter: Drawable, log: bool) -> str:
    """Masses of equal bins of the axis; a side without a bound ends where a thousandth is left."""
    low = float(parameter.quantile(0.0 if parameter.low is not None else 0.001))
    high = float(parameter.quantile(1.0 if parameter.high is not None else 0.999))
    forward, back = _axis(log, low)
    start, length = forward(low), forward(high) - forward(low)
    edges = [back(start + length * index / BINS) for index in range(BINS + 1)]
    edges[0], edges[-1] = low, high
    below = [parameter.to_unit(min(max(edge, low), high)) for edge in edges]
    heights = [after - before for before, after in pairwise(below)]
    places = [(index + 0.5) / BINS for index in range(BINS)]
    return _outline(places, heights, low, high, log)


def _finite(parameter: Drawable, size: int, log: bool) -> str:
    """The density at up to BINS values, evenly spread over the axis: mass over the length that a value covers."""
    low, high = parameter.value_at(0), parameter.value_at(size - 1)
    forward, back = _axis(log, low)
    start, length = forward(low), forward(high) - forward(low)
    step = (high - low) / (size - 1)
    wanted = [back(start + length * index / (BINS - 1)) for index in range(BINS)]
    indices = sorted({min(max(round((value - low) / step), 0), size - 1) for value in wanted})
    places, heights = [], []
    for value in map(parameter.value_at, indices):
        covered = forward(value + step / 2) - forward(max(value - step / 2, value / 2)) if log else step
        places.append((forward(value) - start) / length)
        heights.append(_mass(parameter, value) / covered)
    return _outline(places, heights, low, high, log)


def _axis(log: bool, low: float) -> tuple[Any, Any]:
    if not log:
        return float, float
    if low <= 0:
        raise ValueError(f"a logarithmic axis needs values above 0, not {low:g}")
    return math.log, math.exp


def _outline(places: Sequence[float], heights: Sequence[float], low: Any, high: Any, log: bool) -> str:
    highest = max(heights)
    points = [
        f"{LEFT + (RIGHT - LEFT) * place:.1f} {BASE - (BASE - TOP) * height / highest:.1f}"
        for place, height in zip(places, heights, strict=True)
    ]
    first, last = points[0].split()[1], points[-1].split()[1]
    line = f"M{LEFT} {first}L" + "L".join(points) + f"L{RIGHT} {last}"
    return (
        f'<path class="distribution__area" d="{line}L{RIGHT} {BASE}L{LEFT} {BASE}Z"/>'
        f'<path class="distribution__line" d="{line}"/>'
        + _base_line()
        + _tick(LEFT, _short(low), "start")
        + (_tick((LEFT + RIGHT) / 2, "log", "middle") if log else "")
        + _tick(RIGHT, _short(high), "end")
    )


def _short(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    text = f"{value:.0e}" if 0 < abs(value) < 1e-3 else f"{value:.3g}"
    return re.sub(r"e([+-])0*", lambda found: "e" + found[1].replace("+", ""), text)


def _base_line() -> str:
    return f'<path class="distribution__axis" d="M{LEFT} {BASE + 0.5}H{RIGHT}"/>'


def _tick(x: float, text: str, anchor: str) -> str:
    place = f'x="{x:.1f}" y="{HEIGHT - 2}" text-anchor="{anchor}"'
    return f'<text class="distribution__tick" {place}>{escape(text)}</text>'
