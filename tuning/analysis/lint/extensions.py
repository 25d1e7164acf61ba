"""How far a range is extended at one end, and where that end lies in the nature of things."""

from __future__ import annotations

import math

from tuning.analysis.lint.entries import role, rounded
from tuning.engine.parameters import Int, Parameter

NEAR_ONE_END, DROPOUT_END = 0.9, 0.7


def extended(parameter: Parameter, side: str) -> float | int | None:
    """The bound moved outwards by a decade (log; whole numbers a factor of two), or half of the range (linear).

    None at a bound that lies in the nature of things: 0, 1 of a share, one layer, a momentum near 1.
    """
    low, high = parameter.low, parameter.high
    if low is None or high is None:
        return None
    if isinstance(parameter, Int):
        return _extended_int(parameter, side)
    if parameter.log:
        return rounded(low / 10, 6) if side == "low" else rounded(high * 10, 6)
    return _lower(parameter, low, high) if side == "low" else _higher(parameter, low, high)


def _extended_int(parameter: Int, side: str) -> int | None:
    low, high, step = parameter.low, parameter.effective_high, parameter.step
    if side == "high":
        return 2 * high if parameter.log else high + math.ceil((high - low) / 2 / step) * step
    if low in (0, 1):
        return None
    further = low // 2 if parameter.log else low - math.ceil((high - low) / 2 / step) * step
    if low > 0 and further < 1:
        return 1 if step == 1 else None
    return further


def _lower(parameter: Parameter, low: float, high: float) -> float | None:
    if low == 0:
        return None
    further = low - _half(parameter, low, high)
    return 0.0 if low > 0 and further < 0 and parameter.step is None else _if_same_sign(low, further)


def _if_same_sign(low: float, further: float) -> float | None:
    return None if low > 0 and further < 0 else rounded(further, 12)


def _higher(parameter: Parameter, low: float, high: float) -> float | None:
    what = role(parameter)
    most = DROPOUT_END if what == "dropout" else 1.0 if low >= 0 and high <= 1 else math.inf
    if high >= most or (what == "near_one" and low >= 0 and NEAR_ONE_END <= high <= 1):
        return None
    further = high + _half(parameter, low, high)
    if further > most:
        return most if parameter.step is None else None
    return rounded(further, 12)


def _half(parameter: Parameter, low: float, high: float) -> float:
    """Half of the range, in whole steps."""
    if parameter.step is None:
        return rounded((high - low) / 2, 3)
    return math.ceil((high - low) / 2 / parameter.step - 1e-9) * parameter.step
