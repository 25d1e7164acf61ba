"""Limits on a study's model: what may be limited, how people write and read it, and by how much a model is above.

The trial process counts a model before it trains (training.footprint) and compares; services and pages say it in the
same words. A constraint is met where it is at most 0: count / limit - 1, so that 0.5 is half as much again as allowed.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

NAMES = ("parameters", "memory", "flops")  # also the order of a trial's constraints
MOST = 2**60
EXAMPLES = {"parameters": "100000 or 2.5 M", "memory": "2 GB or 512 MiB", "flops": "1e9 or 3 G"}
UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
FACTORS = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "B": 10**9, "T": 10**12}
_NUMBER = re.compile(r"(\d{1,19}(?:\.\d{1,9})?(?:e[+]?\d{1,2})?)\s*([A-Za-z]*)")


def read_limit(name: str, given: Any) -> int:
    """A limit as a whole number: given as such, or as text with a unit (bytes for memory).

    Raises ValueError with what would be right.
    """
    number: float | None = None
    if isinstance(given, int | float) and not isinstance(given, bool):
        number = given
    elif isinstance(given, str) and (match := _NUMBER.fullmatch(given.strip().replace(",", ""))):
        units = UNITS | {"": 1, "B": 1} if name == "memory" else FACTORS
        number = float(match[1]) * units[match[2]] if match[2] in units else None
    if number is None or not math.isfinite(number) or not 1 <= number <= MOST:
        kind = "a size with its unit" if name == "memory" else "a number above 0"
        raise ValueError(f"{given!r} is no limit of {name}; give {kind}, such as {EXAMPLES[name]}.")
    return round(number)


def constraints_of(limits: Mapping[str, int], counts: Mapping[str, int]) -> list[float]:
    """One number for each limit, in the order of NAMES: above 0 where the count is above the limit."""
    return [counts[name] / limits[name] - 1 for name in NAMES if name in limits]


def limit_text(name: str, value: int) -> str:
    """A limit as a person writes it, without loss: 2 GB, 1,500,000, 3 G."""
    if name == "parameters":
        return f"{value:,}"
    units = UNITS if name == "memory" else {unit: FACTORS[unit] for unit in "kMGT"}
    for unit, factor in sorted(units.items(), key=lambda one: -one[1]):
        if value >= factor and value % factor == 0:
            return f"{value // factor:,} {unit}"
    return f"{value:,} B" if name == "memory" else f"{value:,}"


def count_words(name: str, count: float) -> str:
    """A count in words: 93,248 parameters; 2.1 GB of memory; 38 MFLOPs for one example."""
    if name == "parameters":
        return f"{count:,.0f} parameters"
    unit, factor = next(
        ((unit, factor) for unit, factor in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)) if count >= factor),
        ("", 1.0),
    )
    size = f"{count / factor:.3g} {unit if unit != 'k' or name == 'flops' else 'K'}"
    return f"{size}B of memory" if name == "memory" else f"{size}FLOPs for one example"


def above_words(limits: Mapping[str, int], counts: Mapping[str, int]) -> str:
    """Why a model is infeasible, a clause for each limit that it is above."""
    return "; ".join(
        f"{count_words(name, counts[name])}, {counts[name] / limits[name]:.3g} times the limit of "
        f"{limit_text(name, limits[name])}"
        for name in NAMES
        if name in limits and counts[name] > limits[name]
    )
