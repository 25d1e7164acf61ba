"""A parameter as an axis of a chart: logarithmic where it is one, its choices in words where they are no numbers."""

import json
import math
from collections.abc import Mapping
from html import escape
from typing import Any, NamedTuple

from tuning.charts.rounding import padded_range, significant, tick_format
from tuning.charts.theme import Figure, axis
from tuning.engine.surrogates.slices import Side
from tuning.engine.values import identity, short_number

LONGEST = 14  # characters of a choice on an axis
LONGEST_NAME = 40
MOST_TICKS = 7


class TrialPoint(NamedTuple):
    """A trial beside a cut: its configuration, the value that the model took for it, and how near it lies, 0 to 1."""

    number: int
    params: Mapping[str, Any]
    value: float
    state: str
    nearness: float


class Mark(NamedTuple):
    """A configuration that a chart names: where it lies, its value or None, and the words beside it."""

    params: Mapping[str, Any]
    value: float | None
    words: str


def choice_text(value: Any) -> str:
    """A choice in words: text as it is, other JSON values as JSON; short, and without markup."""
    text = value if isinstance(value, str) else json.dumps(value)
    return escape(text if len(text) <= LONGEST else text[: LONGEST - 1] + "…")


def log_ticks(first: float, last: float) -> list[float]:
    """Round numbers between 10^first and 10^last, at most about MOST_TICKS of them.

    They come with their texts: Plotly's own powers of ten need style attributes, which the pages' policy forbids.
    """
    decades = range(math.floor(first), math.ceil(last) + 1)
    for steps in ((1, 2, 5), (1, 3), (1,)):
        ticks = [step * 10.0**decade for decade in decades for step in steps]
        inside = [tick for tick in ticks if first - 1e-9 <= math.log10(tick) <= last + 1e-9]
        if len(inside) <= MOST_TICKS:
            return inside or [10.0**first, 10.0**last]
    return inside[:: -(-len(inside) // MOST_TICKS)]


class Coordinates:
    """Where the values of one side stand on its axis."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self.categorical = side.kind == "categorical"
        self._places = {identity(value): place for place, value in enumerate(side.values)}
        self.at = [self.of(value) for value in side.values]

    def of(self, value: Any) -> float | None:
        """The coordinate of a value; None for a choice that is not among the side's."""
        return self._places.get(identity(value)) if self.categorical else significant(value, 8)

    def on_axis(self, value: Any) -> float:
        """The same for shapes and annotations, which count in decades on a logarithmic axis."""
        place = self.of(value)
        if place is None:
            return 0.0
        return math.log10(place) if self.side.log and not self.categorical else place

    def axis(self, *, padded: bool = True) -> Figure:
        """The axis of the side; not `padded`, it ends where the values end."""
        name = self.side.name if len(self.side.name) <= LONGEST_NAME else self.side.name[: LONGEST_NAME - 1] + "…"
        name = escape(name)
        if self.categorical:
            words = [choice_text(value) for value in self.side.values]
            ends = [-0.5, len(words) - 0.5]
            return axis(title=name, tickvals=self.at, ticktext=words, range=ends) | {"ticks": ""}
        first, last = self.on_axis(self.side.values[0]), self.on_axis(self.side.values[-1])
        if self.side.stepped and not self.side.log:
            half = (last - first) / max(1, len(self.side.values) - 1) / 2
            ends = [first - half, last + half]
        else:
            ends = padded_range(first, last, 0.015) if padded else [first, last]
        drawn = axis(title=name, range=[significant(end, 8) for end in ends])
        if self.side.log:
            ticks = log_ticks(first, last)
            drawn |= {"type": "log", "tickvals": ticks, "ticktext": [short_number(tick) for tick in ticks]}
        elif self.side.kind == "int":
            few = len(self.side.values) <= 10
            drawn |= {"tickvals": self.at} if few else {"tickformat": "d", "nticks": 8}
        else:
            drawn |= {"tickformat": tick_format(first, last), "nticks": 8}
        return drawn
