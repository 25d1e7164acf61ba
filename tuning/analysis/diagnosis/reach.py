"""Spaces around a configuration: what it may take within reach of the workload, and room around what was advised."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tuning.analysis.diagnosis.knobs import MOST_DROPOUT, knob_role
from tuning.engine import SearchSpace

Space = Mapping[str, Mapping[str, Any]]
NUMERIC = ("float", "int")
ROOM = 3.0  # times as far beyond the advised value as that is from where it was, at most: in a ratio on a log scale


def within_reach(space: Space, own: Space) -> dict[str, dict[str, Any]]:
    """The study's space, each range as wide as it is in the study or in its workload, and what the study left out.

    space, own: JSON forms, of the study and of the workload. A parameter of the workload whose condition names one that
    is not there is left out.
    """
    found = {name: _joined(entry, own.get(name)) for name, entry in space.items()}
    for name, entry in own.items():
        if name not in found and all(parent in found for parent in entry.get("when") or {}):
            found[name] = dict(entry)
    return found


def _joined(entry: Mapping[str, Any], own: Mapping[str, Any] | None) -> dict[str, Any]:
    """The study's entry, or the workload's where the study has fixed what that lets move."""
    if own is None or own.get("type") not in NUMERIC:
        return dict(entry)
    if entry.get("type") == "constant" and _is_number(entry.get("value")):
        kept = {key: entry[key] for key in ("when", "annotation") if key in entry}
        return taking({**{key: own[key] for key in own if key != "when"}, **kept}, entry["value"])
    if entry.get("type") != own["type"] or "prior" in entry or not _same_scale(entry, own):
        return dict(entry)
    return {**entry, "low": min(entry["low"], own["low"]), "high": max(entry["high"], own["high"])}


def _same_scale(entry: Mapping[str, Any], own: Mapping[str, Any]) -> bool:
    bounds = [form.get(bound) for form in (entry, own) for bound in ("low", "high")]
    alike = bool(entry.get("log")) == bool(own.get("log")) and entry.get("step") == own.get("step")
    return alike and entry.get("step") is None and None not in bounds


def taking(entry: Mapping[str, Any], value: Any) -> dict[str, Any]:
    """The entry so that it takes the value: a range that ends there, one choice more, or a range for a constant."""
    kind = entry.get("type")
    if kind in NUMERIC and _is_number(value):
        wider = dict(entry)
        if entry.get("low") is not None and value < entry["low"]:
            wider["low"] = value
            if value <= 0:
                wider.pop("log", None)  # 0 is no end of a log scale
        if entry.get("high") is not None and value > entry["high"]:
            wider["high"] = value
        return wider
    known = entry.get("choices", [entry.get("value")])
    if value in known:
        return dict(entry)
    more = {"type": "categorical", "choices": [*known, value]}
    return more | {key: entry[key] for key in ("when", "annotation") if key in entry}


def configured(space: Space, params: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with the change: what it switches on has the middle of its range, what it switches off is gone.

    Values of parameters that the space does not have are kept. Raises SpaceError, ValueError for a value that the space
    does not take.
    """
    wanted = {**params, **change}
    engine = SearchSpace.from_json({name: dict(entry) for name, entry in space.items()})
    unit = np.full(len(engine), 0.5)
    for place, parameter in enumerate(engine.parameters):
        if parameter.name in wanted:
            unit[place] = parameter.to_unit(parameter.canonical(wanted[parameter.name]))
    drawn = engine.from_unit(unit)
    activated = {name for name, entry in space.items() if entry.get("when")} | set(wanted)
    known = {name: wanted.get(name, value) for name, value in drawn.items() if name in activated}
    return known | {name: value for name, value in wanted.items() if name not in engine}


def followed_up(space: Space, reach: Space, params: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """The study's space with room on both sides of each advised value; parameters that it lacks are added.

    reach: as of `within_reach`. A range that has room already stays as it is.
    """
    found = {name: dict(entry) for name, entry in space.items()}
    for name, value in change.items():
        entry = found.get(name)
        if entry is None or (entry.get("type") == "constant" and reach[name].get("type") in NUMERIC):
            found[name] = taking(reach[name], value)
        elif entry.get("type") in NUMERIC and _is_number(value):
            found[name] = _with_room(name, entry, params.get(name, value), value)
        else:
            found[name] = taking(entry, value)
    return found


def _with_room(name: str, entry: Mapping[str, Any], before: Any, after: Any) -> dict[str, Any]:
    wider = taking(entry, after)
    if not _is_number(before) or before == after:
        return wider
    if wider.get("log") and before > 0:
        far = after * max(min(after / before, ROOM), 1 / ROOM)
    else:
        far = after + (after - before)
    if knob_role(name, entry.get("annotation")) == "dropout":
        far = min(far, MOST_DROPOUT)
    far = max(far, 0.0 if entry["type"] == "float" else 1) if after >= 0 else far
    far = round(far) if entry["type"] == "int" else float(f"{far:.3g}")
    return taking(wider, far)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
