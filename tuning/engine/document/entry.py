"""One parameter's entry in the JSON form while it is read: its fields, and the issues found so far."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from tuning.engine.errors import SpaceIssue
from tuning.engine.values import shown

MAX_WHOLE = 2**53  # beyond it JavaScript and doubles lose whole numbers


class Entry:
    """The fields of one parameter; `wrong` notes an issue, and the readers of numbers do so themselves."""

    def __init__(self, name: str, fields: Mapping[Any, Any]) -> None:
        self.name, self.fields = name, fields
        self.issues: list[SpaceIssue] = []

    def wrong(self, field: str | None, message: str) -> None:
        """Note an issue with a field (None: with the entry as a whole)."""
        self.issues.append(SpaceIssue(self.name, field, message))

    def faulty(self, field: str) -> bool:
        """Whether an issue with this field has been noted."""
        return any(issue.field == field for issue in self.issues)

    def given(self, field: str) -> bool:
        """Whether the field is there and not null."""
        return self.fields.get(field) is not None

    def require(self, field: str, why: str) -> None:
        """Note an issue where a field is not given."""
        if not self.given(field):
            self.wrong(field, f"{field} is missing: {why}")

    def flag(self, field: str) -> bool:
        """A field that is true or false, false where it is not given."""
        value = self.fields.get(field)
        if value is not None and not isinstance(value, bool):
            self.wrong(field, f"{shown(value)} is neither true nor false")
        return value is True

    def number(self, field: str) -> float | None:
        """A field as a finite double; None where it is not given or, with an issue, no such number."""
        return self.as_number(field, self.fields[field]) if self.given(field) else None

    def whole(self, field: str) -> int | None:
        """A field as a whole number within 2^53; None as in `number`."""
        number = self.number(field)
        if number is None:
            return None
        if not number.is_integer():
            self.wrong(field, f'{shown(number)} is not a whole number: round it, or make the type "float"')
            return None
        if abs(number) > MAX_WHOLE:
            self.wrong(
                field,
                f"{shown(self.fields[field])} is beyond 2^53, where whole numbers lose digits: stay within, "
                f"or search its logarithm as a float",
            )
            return None
        return int(number)

    def as_number(self, field: str, value: Any, label: str = "") -> float | None:
        """A value found in a field as a finite double; `label` says in messages which of several it is."""
        what = f"{label} {shown(value)}".lstrip()
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            self.wrong(field, f"{what} is not a number: write one, such as 0.5")
            return None
        if isinstance(value, str):
            self.wrong(field, f"{what} is text, not a number: {_as_written(value)}")
            return None
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            self.wrong(field, f"{what} is not finite: write a number between -1.7e308 and 1.7e308")
            return None
        return number + 0.0  # -0.0 becomes 0.0


def _as_written(text: str) -> str:
    """How to write a number that arrived as text."""
    try:
        number = float(text)
    except ValueError:
        return "write a number, without quotes"
    if not math.isfinite(number):
        return "there is no infinite bound, write a finite number"
    bare = re.fullmatch(r"\s*([-+]?\d+)[eE]([-+]?)(\d+)\s*", text)
    if bare is not None:
        # YAML 1.1 knows a number with an exponent by its dot and its sign.
        mantissa, sign, power = bare.groups()
        return f"YAML reads {text.strip()} as text, write {mantissa}.0e{sign or '+'}{power}"
    return f"write {text.strip()} without quotes"
