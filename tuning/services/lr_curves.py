"""What a trial process answers to a learning-rate test, looked at before it is stored: pages draw it as it is."""

import math
from collections.abc import Mapping
from typing import Any

LISTS = ("lrs", "losses", "smoothed")
TEXTS = ("label", "reason", "note", "ended")
FIELDS = {*LISTS, *TEXTS, "params", "bracket", "lowest", "seconds"}


def check_curves(answer: Mapping[str, Any], *, expected: int) -> None:
    """Whether pages can show the curves, `expected` of them, or fewer where the test was stopped.

    What a page does not know (the device of each curve) is taken out. Raises TypeError, KeyError with what is wrong.
    """
    curves = answer["curves"]
    if not isinstance(curves, list) or not (len(curves) == expected or (answer["stopped"] is True and curves)):
        raise TypeError(f"{expected} curves were asked for")
    for curve in curves:
        for name in set(curve) - FIELDS:
            del curve[name]
        rows = [curve[name] for name in LISTS]
        if not all(isinstance(row, list) and all(map(_is_finite, row)) for row in rows):
            raise TypeError("a curve's numbers are finite")
        if len({len(row) for row in rows}) != 1:
            raise TypeError("a curve has as many losses as learning rates")
        bracket = curve["bracket"]
        if bracket is not None and not (len(bracket) == 2 and 0 < bracket[0] <= bracket[1] and _is_finite(bracket[1])):
            raise TypeError("a bracket is two learning rates, the lower one first")
        if not all(isinstance(curve[name], str) for name in TEXTS) or not isinstance(curve["params"], dict):
            raise TypeError("a curve has a label, parameters, and words")
        if not _is_finite(curve["seconds"]) or not (curve["lowest"] is None or _is_finite(curve["lowest"])):
            raise TypeError("a curve says how long it took")


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
