"""Numbers on their way to the browser: few digits, all finite, and axes that no outlier flattens."""

import math
from collections.abc import Iterable, Sequence

DIGITS = 5
CURVE_REACH = 15.0  # a curve begins far above where it ends: that is its shape, not an outlier


def significant(value: float | None, digits: int = DIGITS) -> float | None:
    """`value` rounded to `digits` significant digits; None for None, NaN and the infinities."""
    if value is None or not math.isfinite(value):
        return None
    if value == 0:
        return 0.0
    return float(f"{value:.{digits - 1}e}")


def finite(values: Iterable[float | None]) -> list[float]:
    """The finite ones of `values`, in their order."""
    return [value for value in values if value is not None and math.isfinite(value)]


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value below which `share` of the non-empty sorted sequence lies, interpolated linearly."""
    position = share * (len(ordered) - 1)
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    weight = position - below
    # The weighted form cannot overflow where `low + weight * (high - low)` would.
    return ordered[below] * (1 - weight) + ordered[above] * weight


def worst_shown(values: Iterable[float], direction: str = "minimize", reach: float = 2.0) -> float | None:
    """The worst value the axis should reach so that the bulk of `values` keeps its shape; None for none.

    Three quarters of the values, counted from the best, always fit; beyond them the axis goes on for `reach`
    times their spread and ends at the last value inside. A lone 1e9 is left outside (the charts mark it at
    the edge); a mild tail is not.
    """
    sign = 1.0 if direction == "minimize" else -1.0
    ordered = sorted(sign * value for value in values)
    if not ordered:
        return None
    best, bulk = ordered[0], ordered[(3 * (len(ordered) - 1)) // 4]
    spread = (bulk - best) or 0.5 * abs(bulk) or 1.0
    if len(ordered) < 3 or ordered[-1] <= bulk + reach * spread:
        return sign * ordered[-1]
    return sign * max(value for value in ordered if value <= bulk + reach * spread)


def padded_range(low: float, high: float, share: float = 0.06) -> list[float]:
    """`[low, high]` widened by `share` of its length on both sides; a single value gets room around it."""
    room = share * (high - low) or 0.1 * abs(high) or 1.0
    return [low - room, high + room]


def tick_format(low: float, high: float) -> str:
    """The d3 format that gives all ticks between `low` and `high` the same number of decimals; "" leaves it open."""
    length = abs(high - low)
    if not 1e-5 < length < 1e6 or max(abs(low), abs(high)) >= 1e6:
        return ""
    decimals = max(0, -math.floor(math.log10(length / 4)))
    return f".{decimals}f"
