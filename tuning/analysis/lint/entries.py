"""What the rules share: the study around a space, changed entries of its JSON form, numbers as a person writes them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuning.analysis.roles import role_of
from tuning.engine import SearchSpace, SpaceError
from tuning.engine.parameters import Parameter

Entry = Mapping[str, Any]
SCALE = ("low", "high", "log", "step", "prior", "choices", "weights", "value")  # what a change of kind leaves behind
BY_NATURE_LOG = ("learning_rate", "penalty", "epsilon")
ZERO_SHARE = 1e-4  # where a log scale begins instead of at 0: four decades below the high


@dataclass(frozen=True)
class Plan:
    """What a space is searched with, as far as it is known."""

    budget: int | None = None
    sampler: str = "auto"
    scheduler: str = "none"
    first_round: bool = True

    @property
    def is_grid(self) -> bool:
        return self.sampler == "grid"


def role(parameter: Parameter) -> str | None:
    return role_of(parameter.name, parameter.annotation)


def changed(parameter: Parameter, **fields: Any) -> dict[str, Any]:
    """The parameter's entry with these fields, None taking one away; the others stay as they are."""
    entry = {**parameter.to_json(), **fields}
    return {field: value for field, value in entry.items() if value is not None}


def as_kind(parameter: Parameter, kind: str, **fields: Any) -> dict[str, Any]:
    """The parameter's entry as another kind: of the old one its condition and annotation stay."""
    return changed(parameter, **{**dict.fromkeys(SCALE), "type": kind, **fields})


def read_alone(name: str, entry: Any) -> Parameter | None:
    """The parameter of one entry without its condition; None where the engine refuses it."""
    if not isinstance(entry, Mapping):
        return None
    try:
        return SearchSpace.from_json({name: {field: v for field, v in entry.items() if field != "when"}})[name]
    except SpaceError:
        return None


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def rounded(x: float, digits: int = 2) -> float:
    """The number to so many significant digits."""
    return float(f"{x:.{digits - 1}e}")


def rounded_down(x: float, digits: int = 2) -> float:
    """The next number of so many digits at or below a positive one."""
    near = rounded(x, digits)
    return near if near <= x else rounded(near - 10.0 ** (math.floor(math.log10(x)) - digits + 1), digits)


def rounded_up(x: float, digits: int = 2) -> float:
    """The next number of so many digits at or above a positive one."""
    near = rounded(x, digits)
    return near if near >= x else rounded(near + 10.0 ** (math.floor(math.log10(x)) - digits + 1), digits)


def written(x: float | int) -> str:
    """A number as a person would write it: 1e-5, 0.1, 16."""
    if isinstance(x, int) or (float(x).is_integer() and abs(x) < 1e6):
        return str(int(x))
    mantissa, mark, power = f"{x:.6g}".partition("e")
    return f"{mantissa}e{int(power)}" if mark else mantissa


def decades(parameter: Parameter) -> float:
    """How many powers of ten a range with a low above 0 spans."""
    low, high = parameter.low, parameter.high
    return math.log10(high) - math.log10(low) if low is not None and high is not None and low > 0 else 0.0
