"""A workload's defaults: the configuration in the middle of its space, for checks that come before any search.

The middle of a log range is the geometric one, of another range the arithmetic one; of choices the first is taken. A
parameter whose condition fails is left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def defaults(space: Mapping[str, Mapping[str, Any]], given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The middle configuration of a space in its JSON form, with the values `given` in place of the middle ones.

    Given values of parameters whose condition fails are left out with them.
    """
    params: dict[str, Any] = {}
    for name, entry in space.items():
        if all(_holds(params, parent, wanted) for parent, wanted in (entry.get("when") or {}).items()):
            params[name] = given[name] if given and name in given else _middle(entry)
    return params


def _holds(params: Mapping[str, Any], parent: str, wanted: Any) -> bool:
    if parent not in params:
        return False
    value = params[parent]
    if isinstance(wanted, Mapping):
        return bool(wanted.get("low", -math.inf) <= value <= wanted.get("high", math.inf))
    return any(value == choice and isinstance(value, bool) == isinstance(choice, bool) for choice in wanted)


def _middle(entry: Mapping[str, Any]) -> Any:
    kind = entry["type"]
    if kind == "constant":
        return entry.get("value")
    if kind == "categorical":
        return entry["choices"][0]
    low, high = entry.get("low"), entry.get("high")
    prior = entry.get("prior") or {}
    if low is None or high is None:  # an open end has only its prior
        middle = math.exp(prior.get("mu", 0.0)) if prior.get("name") == "log_normal" else float(prior.get("mu", 0.5))
        middle = min(max(middle, -math.inf if low is None else low), math.inf if high is None else high)
    elif entry.get("log"):
        middle = math.sqrt(low) * math.sqrt(high)
    else:
        middle = low + (high - low) / 2
    step = entry.get("step") or (1 if kind == "int" else None)
    if step is not None:
        first = low if low is not None else 0
        middle = first + step * math.floor((middle - first) / step + 0.5)
        middle = middle if high is None or middle <= high else middle - step
    return round(middle) if kind == "int" else float(middle)
