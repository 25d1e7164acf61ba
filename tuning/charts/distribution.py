"""The small drawing beside a parameter of a search space: where its values will be drawn from.

The drawing asks the parameter itself, through its quantile function, so that it cannot tell another story
than the sampler: values at evenly spread probabilities are counted into bins of the axis (logarithmic where
the parameter is).
"""

import math
import re
from collections.abc import Sequence
from html import escape
from itertools import groupby
from typing import Any, Protocol

WIDTH, HEIGHT, BASE, TOP = 132, 32, 21, 3
LEFT, RIGHT = 2, 130
BINS = 32
DRAWS = 1024
MOST_BARS = 16


class Drawable(Protocol):
    """What a drawing needs of an engine parameter."""

    @property
    def name(self) -> str: ...

    @property
    def size(self) -> int | None:
        """How many values it takes; None for a continuous one."""

    def quantile(self, u: float) -> Any:
        """The value below which a share `u` of the probability lies, 0 <= u <= 1."""


def distribution_svg(parameter: Drawable, *, log: bool = False) -> str:
    """An `<svg>` of the parameter's distribution: an outline, or bars where it takes at most 16 values.

    log: draw a logarithmic axis (values are then all above 0, else ValueError). Names of choices are escaped.
    """
    draws = [parameter.quantile((index + 0.5) / DRAWS) for index in range(DRAWS)]
    if parameter.size is not None and parameter.size <= MOST_BARS:
        runs = [list(run) for _, run in groupby(draws, key=repr)]
        body = _bars([len(run) for run in runs], [_short(run[0]) for run in runs])
    else:
        ends = float(parameter.quantile(0.0)), float(parameter.quantile(1.0))
        body = _outline([float(value) for value in draws], ends, log)
    words = escape(f"distribution of {parameter.name}", quote=True)
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    return f'<svg class="distribution" {size} role="img" aria-label="{words}">{body}</svg>'


def _bars(counts: Sequence[int], names: Sequence[str]) -> str:
    slot = (RIGHT - LEFT) / len(counts)
    width = min(slot * 0.6, 24)
    highest = max(counts)
    parts = []
    for index, (count, name) in enumerate(zip(counts, names, strict=True)):
        height = max((BASE - TOP) * count / highest, 1)
        centre = LEFT + slot * (index + 0.5)
        parts.append(
            f'<rect class="distribution__bar" x="{centre - width / 2:.1f}" y="{BASE - height:.1f}" '
            f'width="{width:.1f}" height="{height:.1f}"/>'
        )
        room = int(slot / 5.2)
        if room >= 1 and (len(name) <= room or len(counts) <= 4):
            text = name if len(name) <= room else name[: max(room - 1, 1)] + "…"
            parts.append(_tick(centre, text, "middle"))
    if len(counts) > 1 and not any("text" in part for part in parts):
        parts += [_tick(LEFT, names[0], "start"), _tick(RIGHT, names[-1], "end")]
    return "".join([*parts, _base_line()])


def _outline(draws: Sequence[float], ends: tuple[float, float], log: bool) -> str:
    if log and ends[0] <= 0:
        raise ValueError(f"a logarithmic axis needs values above 0, not {ends[0]:g}")
    low, high = (math.log(ends[0]), math.log(ends[1])) if log else ends
    counts = [0] * BINS
    for value in draws:
        share = ((math.log(value) if log else value) - low) / (high - low)
        counts[min(int(share * BINS), BINS - 1)] += 1
    # Bins of a flat distribution differ by a draw or two: 1-2-1 smoothing hides that, not a shape.
    smooth = [(counts[max(i - 1, 0)] + 2 * counts[i] + counts[min(i + 1, BINS - 1)]) / 4 for i in range(BINS)]
    highest = max(smooth)
    step = (RIGHT - LEFT) / (BINS - 1)
    places = [
        f"{LEFT + i * step:.1f} {BASE - (BASE - TOP) * count / highest:.1f}" for i, count in enumerate(smooth)
    ]
    line = "M" + "L".join(places)
    return (
        f'<path class="distribution__area" d="{line}L{RIGHT} {BASE}L{LEFT} {BASE}Z"/>'
        f'<path class="distribution__line" d="{line}"/>'
        + _base_line()
        + _tick(LEFT, _short(ends[0]), "start")
        + (_tick((LEFT + RIGHT) / 2, "log", "middle") if log else "")
        + _tick(RIGHT, _short(ends[1]), "end")
    )


def _short(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    return re.sub(r"e([+-])0*", lambda found: "e" + found[1].replace("+", ""), f"{value:.2g}")


def _base_line() -> str:
    return f'<path class="distribution__axis" d="M{LEFT} {BASE + 0.5}H{RIGHT}"/>'


def _tick(x: float, text: str, anchor: str) -> str:
    place = f'x="{x:.1f}" y="{HEIGHT - 2}" text-anchor="{anchor}"'
    return f'<text class="distribution__tick" {place}>{escape(text)}</text>'
