"""A finding: what a person should look at in a study, a trial or a job, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SEVERITIES = ("info", "warning", "error")


@dataclass(frozen=True)
class Finding:
    """What a rule found.

    Attributes:
        rule: the rule's stable name, such as "lr-at-upper-edge"; dismissing a finding is remembered by it.
        severity: "info", "warning" or "error".
        message: one sentence for the reader: what is wrong, and what would be right.
        evidence: the numbers that it rests on, plain JSON.
        fix: the change that one click would make, plain JSON, or None where only a person can decide.
        parameter: the name of the hyperparameter that it is about, None for all else; its fix is that one's new entry
            in the search space's JSON form.
    """

    rule: str
    severity: str
    message: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    fix: Mapping[str, Any] | None = None
    parameter: str | None = None

    def __post_init__(self) -> None:
        if not self.rule:
            raise ValueError("a finding needs the name of its rule")
        if self.severity not in SEVERITIES:
            raise ValueError(f"severity {self.severity!r} is not one of {', '.join(SEVERITIES)}")
        if not self.message:
            raise ValueError(f"the finding {self.rule!r} needs a message")

    def to_json(self) -> dict[str, Any]:
        """Return the finding as a plain dict, as messages and tables hold it."""
        return {
            "rule": self.rule,
            "severity": self.severity,
            "message": self.message,
            "evidence": dict(self.evidence),
            "fix": None if self.fix is None else dict(self.fix),
            "parameter": self.parameter,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Finding:
        """Return the finding that `to_json` wrote; other keys of `document` are left alone.

        Raises:
            ValueError: a field is missing or not allowed.
        """
        missing = [name for name in ("rule", "severity", "message") if name not in document]
        if missing:
            raise ValueError(f"a finding needs {', '.join(missing)}")
        return cls(
            rule=document["rule"],
            severity=document["severity"],
            message=document["message"],
            evidence=document.get("evidence") or {},
            fix=document.get("fix"),
            parameter=document.get("parameter"),
        )
