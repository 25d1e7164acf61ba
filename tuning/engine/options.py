"""Settings of samplers and schedulers: one schema that checks values and that forms, API and docs read."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuning.engine.errors import OptionError
from tuning.engine.values import listed, real_number, shown, whole_number

TYPES = {"bool": "true or false", "int": "a whole number", "float": "a number", "text": "text"}


@dataclass(frozen=True)
class Option:
    """One setting: name, type ("bool", "int", "float" or "text"), default, bounds or choices, effect."""

    name: str
    type: str
    default: Any
    help: str
    low: float | int | None = None
    high: float | int | None = None
    choices: tuple[Any, ...] | None = None

    def check(self, value: Any) -> Any:
        """The value in the option's type; null gives the default. Raises OptionError with the remedy."""
        if value is None:
            return self.default
        checked = self._typed(value)
        if checked is None:
            raise OptionError(self.name, f"{shown(value)} is not {TYPES[self.type]}{self._remedy()}")
        if self.choices is not None and checked not in self.choices:
            raise OptionError(self.name, f"{shown(value)} is not one of {listed(self.choices)}")
        if (self.low is not None and checked < self.low) or (self.high is not None and checked > self.high):
            raise OptionError(self.name, f"{shown(value)} is out of range: write {self._range()}")
        return checked

    def _typed(self, value: Any) -> Any:
        if self.type == "bool":
            return value if isinstance(value, bool) else None
        if self.type == "text":
            return value if isinstance(value, str) else None
        return whole_number(value) if self.type == "int" else real_number(value)

    def _remedy(self) -> str:
        """What to write instead, where the name of the type does not say it yet."""
        if self.choices is not None:
            return f": write one of {listed(self.choices)}"
        if self.type not in ("int", "float"):
            return ""
        return f": write {self.default!r}" if self.low is None and self.high is None else f": write {self._range()}"

    def _range(self) -> str:
        if self.high is None:
            return f"{self.low} or more"
        return f"{self.high} or less" if self.low is None else f"{self.low} to {self.high}"

    def to_json(self) -> dict[str, Any]:
        """The schema for forms: every field, null where it does not apply."""
        return {
            "name": self.name,
            "type": self.type,
            "default": self.default,
            "low": self.low,
            "high": self.high,
            "choices": None if self.choices is None else list(self.choices),
            "help": self.help,
        }


def check_options(owner: str, options: Sequence[Option], given: Mapping[str, Any]) -> dict[str, Any]:
    """A value for every option, the default where none is given.

    Raises OptionError for an option that `owner` does not have and for a value out of range.
    """
    known = {option.name: option for option in options}
    for name in given:
        if name not in known:
            close = difflib.get_close_matches(str(name), known, 1)
            remedy = (
                f"did you mean {close[0]}?" if close else (f"it has {listed(known)}" if known else "it has no options")
            )
            raise OptionError(str(name), f"{owner} has no such option: {remedy}")
    return {name: option.check(given.get(name)) for name, option in known.items()}


def whole_setting(name: str, value: Any, least: int) -> int:
    """A setting that is a whole number of at least `least`. Raises OptionError naming it."""
    number = whole_number(value)
    if number is None or number < least:
        raise OptionError(name, f"{shown(value)} is not a whole number of at least {least}")
    return number
