"""An importance as JSON, to be stored, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from tuning.analysis.importance.result import Curve, Idle, Importance, PairMap

DIGITS = 7  # significant: a drawing needs four


def to_json(found: Importance) -> dict[str, Any]:
    """Everything of it, numbers rounded to DIGITS."""
    pairs = [[*names, share] for names, share in found.pairs.items()]
    plain: dict[str, Any] = _rounded({**asdict(found), "pairs": pairs})
    return plain


def from_json(document: Mapping[str, Any]) -> Importance:
    """The importance of `to_json`."""
    made = dict(document)
    made["pairs"] = {(first, second): share for first, second, share in document["pairs"]}
    made["curves"] = tuple(Curve(**curve) for curve in document["curves"])
    made["maps"] = tuple(PairMap(**{**each, "names": tuple(each["names"])}) for each in document["maps"])
    made["idle"] = tuple(Idle(**each) for each in document["idle"])
    return Importance(**made)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{DIGITS - 1}e}")
    if isinstance(value, Mapping):
        return {key: _rounded(each) for key, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, list | tuple) else value
