"""A workload's defaults: the configuration in the middle of its space, for checks that come before any search.

The middle of a log range is the geometric one, of another range the arithmetic one; of choices the first is taken. A
parameter whose condition fails is left out.
"""

from __future__ import annotations

import math
import random
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
    if entry["type"] == "constant":
        return entry.get("value")
    if entry["type"] == "categorical":
        return entry["choices"][0]
    low, high = entry.get("low"), entry.get("high")
    if low is None or high is None:
        return _on_grid(entry, _of_prior(entry))
    return _on_grid(entry, math.sqrt(low) * math.sqrt(high) if entry.get("log") else low + (high - low) / 2)


def _of_prior(entry: Mapping[str, Any]) -> float:
    """The middle of the prior, all that a range with an open end has."""
    low, high, prior = entry.get("low"), entry.get("high"), entry.get("prior") or {}
    middle = math.exp(prior.get("mu", 0.0)) if prior.get("name") == "log_normal" else float(prior.get("mu", 0.5))
    return min(max(middle, -math.inf if low is None else low), math.inf if high is None else high)


def _on_grid(entry: Mapping[str, Any], value: float) -> Any:
    """The nearest value that the parameter may take."""
    low, high = entry.get("low"), entry.get("high")
    step = entry.get("step") or (1 if entry["type"] == "int" else None)
    if step is not None:
        first = low if low is not None else 0
        value = first + step * math.floor((value - first) / step + 0.5)
        value = value if high is None or value <= high else value - step
    return round(value) if entry["type"] == "int" else float(value)


def spread(space: Mapping[str, Mapping[str, Any]], count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Configurations that cover the space: of each parameter's range one value in each of `count` equal parts.

    A Latin hypercube sample (McKay, Beckman & Conover, 1979).
    """
    stream = random.Random(seed)
    places = {name: stream.sample(range(count), count) for name in space}
    drawn = []
    for i in range(count):
        shares = {name: (places[name][i] + stream.random()) / count for name in space}
        drawn.append(defaults(space, {name: _at(entry, shares[name]) for name, entry in space.items()}))
    return drawn


def _at(entry: Mapping[str, Any], share: float) -> Any:
    """The value at a share of the range, from 0 to 1."""
    if entry["type"] == "categorical":
        return entry["choices"][int(share * len(entry["choices"]))]
    low, high = entry.get("low"), entry.get("high")
    if entry["type"] == "constant" or low is None or high is None:
        return _middle(entry)
    value = low ** (1 - share) * high**share if entry.get("log") else low + (high - low) * share
    return _on_grid(entry, value)
