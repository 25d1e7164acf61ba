"""JSON values as a parameter takes them: their identity, their numbers, and how messages show them.

Python holds `True == 1 == 1.0`; a search space must not: choices of `true`, `1` and `1.0` are three.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Hashable, Iterable
from numbers import Integral, Real
from typing import Any

import numpy as np

MAX_DEPTH = 32


def identity(value: Any, depth: int = 0) -> Hashable:
    """A hashable key, equal for two JSON values exactly when they are the same value of the same type.

    Raises ValueError for what JSON does not have (NaN, an infinity, a key that is not text, a Python object)
    and for lists and objects nested deeper than 32 levels.
    """
    if depth > MAX_DEPTH:
        raise ValueError(f"is nested deeper than {MAX_DEPTH} levels")
    if value is None:
        return ("null",)
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, int):
        return ("int", int(value))
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("is not a finite number")
        return ("float", float(value) + 0.0)  # -0.0 + 0.0 is 0.0: one zero
    if isinstance(value, str):
        return ("text", value)
    if isinstance(value, list | tuple):
        return ("list", tuple(identity(item, depth + 1) for item in value))
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise ValueError("is an object with a key that is not text")
        return ("object", tuple((key, identity(value[key], depth + 1)) for key in sorted(value)))
    raise ValueError(f"is a {type(value).__name__}, which JSON does not have")


def plain(value: Any) -> Any:
    """A numpy scalar as the Python value it holds, anything else as it is."""
    return value.item() if isinstance(value, np.generic) else value


def detached(value: Any) -> Any:
    """The value itself, or a deep copy where it could be changed from outside."""
    return copy.deepcopy(value) if isinstance(value, list | tuple | dict) else value


def whole_number(value: Any) -> int | None:
    """The value as an int where it is a whole number of any type; None otherwise, and for true and false."""
    if isinstance(value, bool | np.bool_):
        return None
    if isinstance(value, Integral):
        return int(value)
    number = real_number(value)
    return int(number) if number is not None and number.is_integer() else None


def real_number(value: Any) -> float | None:
    """The value as a finite double where it is a number of any type; None otherwise, and for true, false."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def shown(value: Any) -> str:
    """The value as a reader of a message would write it in JSON, shortened; never fails."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        text = value if len(value) <= 40 else value[:37] + "..."
        return json.dumps(text, ensure_ascii=not text.isprintable())
    if isinstance(value, int):
        return str(int(value)) if abs(value) < 10**30 else f"a whole number of {value.bit_length()} bits"
    if isinstance(value, float):
        return repr(float(value))
    if isinstance(value, list | tuple):
        items = ["..." if isinstance(item, list | tuple | dict) else shown(item) for item in value[:4]]
        return f"[{', '.join(items + ['...'] * (len(value) > 4))}]"
    if isinstance(value, dict):
        return "an object" if len(value) != 1 else f"an object with the key {shown(next(iter(value)))}"
    return f"a {type(value).__name__}"


def listed(values: Iterable[Any], limit: int = 8) -> str:
    """Several values as `a, b, c`, cut after `limit`."""
    items = list(values)
    text = ", ".join(shown(item) for item in items[:limit])
    return f"{text} and {len(items) - limit} more" if len(items) > limit else text


def short_number(value: float) -> str:
    """A number as short as it gets: 1e-5, 0.02, 128."""
    text = f"{value:.3e}" if 0 < abs(value) < 1e-3 else f"{value:.4g}"
    mantissa, mark, power = text.partition("e")
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return f"{mantissa}e{int(power)}" if mark else mantissa
