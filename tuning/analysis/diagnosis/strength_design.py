"""A space whose trials measure how the best strength of a regulariser moves with a size, and nothing else.

Everything but the two is fixed at what the study found best. Quasi-random trials give each size its share of them and
spread the strengths evenly, so that neighbours serve as repeats, each with a seed of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuning.analysis.diagnosis.knobs import knob_role
from tuning.analysis.diagnosis.strengths import AXES
from tuning.analysis.roles import role_of

TRIALS = 64
FRACTIONS = (0.05, 0.15, 0.4, 1.0)

Space = dict[str, dict[str, Any]]


def strength_space(
    space: Mapping[str, Mapping[str, Any]], best: Mapping[str, Any], parameter: str, axis: str
) -> Space | str:
    """The space of such a study, or why there is none, in a sentence.

    best: the configuration at which the rest is held. axis: "parameters" or "examples".
    """
    if axis not in AXES or parameter not in space or parameter not in best:
        return f"{parameter} is no regulariser of the best trial, or {axis} no size: {' and '.join(AXES)} are."
    capacity = _capacity(space, best)
    if axis == "parameters" and capacity is None:
        return "The space has no number that sizes the model, such as units, filters or layers, with a range."
    found: Space = {}
    for name, entry in space.items():
        if name == parameter or (axis == "parameters" and name == capacity):
            found[name] = {field: value for field, value in entry.items() if field != "when"}
        elif name in best and role_of(name, entry.get("annotation")) != "train_fraction":
            found[name] = {"type": "constant", "value": best[name]}
    if axis == "examples":
        found["train_fraction"] = {"type": "categorical", "choices": list(FRACTIONS)}
    return found


def _capacity(space: Mapping[str, Mapping[str, Any]], best: Mapping[str, Any]) -> str | None:
    """The parameter with the widest range, as a ratio, of those that size the model."""
    ratios = {
        name: entry["high"] / max(1, entry["low"])
        for name, entry in space.items()
        if name in best and entry.get("type") == "int" and knob_role(name, entry.get("annotation")) == "capacity"
    }
    return max(ratios, key=lambda name: ratios[name]) if ratios else None
