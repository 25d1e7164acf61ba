"""What the engine's reader refuses, as findings with its own words, and with a fix where one is known.

A person then reads one message, and gets the click that it lacked: LOG-ZERO, LOG-STEP and DUP-CAT. All else that is
refused comes under the rule UNREADABLE.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuning.analysis.lint.entries import ZERO_SHARE, is_number, rounded
from tuning.engine import SpaceIssue
from tuning.engine.values import identity
from tuning.findings import Finding

UNREADABLE = "UNREADABLE"


def refusal(issue: SpaceIssue, document: Any) -> Finding:
    """One issue of the reader as a finding; `document` is the whole space as it was given."""
    entry = document.get(issue.parameter) if isinstance(document, Mapping) else None
    rule, fix = _known(issue, entry) if isinstance(entry, Mapping) else (UNREADABLE, None)
    return Finding(rule, "error", issue.message, {"field": issue.field}, fix, issue.parameter)


def _known(issue: SpaceIssue, entry: Mapping[str, Any]) -> tuple[str, dict[str, Any] | None]:
    log = entry.get("log") is True
    low: Any = entry.get("low")
    high = entry.get("high")
    if log and issue.field == "step" and is_number(entry.get("step")) and entry["step"] > 0:
        return "LOG-STEP", _without(entry, "step")
    if log and issue.field == "low" and is_number(low) and low <= 0:
        return "LOG-ZERO", _above_zero(entry, high)
    choices = entry.get("choices")
    if issue.field == "choices" and isinstance(choices, list | tuple) and "twice" in issue.message:
        return "DUP-CAT", _once(entry, choices)
    return UNREADABLE, None


def _without(entry: Mapping[str, Any], *fields: str) -> dict[str, Any]:
    return {field: value for field, value in entry.items() if field not in fields}


def _above_zero(entry: Mapping[str, Any], high: Any) -> dict[str, Any]:
    """A log scale that begins above 0, or none where the range ends there."""
    if not is_number(high) or high <= 0 or (entry.get("type") == "int" and high <= 1):
        return _without(entry, "log")
    return {**entry, "low": 1 if entry.get("type") == "int" else rounded(high * ZERO_SHARE)}


def _once(entry: Mapping[str, Any], choices: Any) -> dict[str, Any] | None:
    """Each choice once; with weights those of the first. None where a choice is no JSON value."""
    first: dict[Any, int] = {}
    for position, choice in enumerate(choices):
        try:
            first.setdefault(identity(choice), position)
        except ValueError:  # an issue of its own, which comes first
            return None
    fixed = {**entry, "choices": [choices[position] for position in first.values()]}
    weights = entry.get("weights")
    if isinstance(weights, list | tuple) and len(weights) == len(choices):
        fixed["weights"] = [weights[position] for position in first.values()]
    return fixed
