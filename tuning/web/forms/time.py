"""A length of time as a person writes it: 45 s, 90 min, 6 h, 1 h 30 min, 2 d."""

import re
from typing import Any

from django import forms

UNITS = {"s": 1, "min": 60, "h": 3600, "d": 86_400}
SPELLINGS = {"sec": "s", "second": "s", "seconds": "s", "m": "min", "minute": "min", "minutes": "min"} | {
    **{unit: unit for unit in UNITS},
    **{"hour": "h", "hours": "h", "day": "d", "days": "d"},
}
_PART = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*([a-z]+)")
LONGEST_SECONDS = 366 * 86_400


def seconds_of(text: str) -> int | None:
    """Whole seconds of a length of time with its units; None where it is none."""
    text = text.strip().lower()
    parts = _PART.findall(text)
    if not parts or _PART.sub("", text).strip() or any(unit not in SPELLINGS for _, unit in parts):
        return None
    seconds = round(sum(float(number) * UNITS[SPELLINGS[unit]] for number, unit in parts))
    return seconds if 1 <= seconds <= LONGEST_SECONDS else None


def time_text(seconds: int) -> str:
    """The same without loss: 5400 is 1 h 30 min."""
    parts = []
    for unit in ("d", "h", "min", "s"):
        count, seconds = divmod(seconds, UNITS[unit])
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts)


class TimeField(forms.CharField):
    """Seconds, written as a length of time; None where nothing is written."""

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, widget=forms.TextInput({"autocomplete": "off"}), max_length=60, **options)

    def prepare_value(self, value: Any) -> Any:
        return time_text(value) if isinstance(value, int) and value > 0 else value

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        if not text:
            return None
        seconds = seconds_of(text)
        if seconds is None:
            raise forms.ValidationError("Write a time with its unit, such as 45 s, 90 min, 1 h 30 min or 2 d.")
        return seconds

    def validate(self, value: Any) -> None:
        """Nothing further: the text was checked while it was read."""

    def run_validators(self, value: Any) -> None:
        """Nothing further: the validators of a text do not fit seconds."""

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.to_python(data) != initial)
        except forms.ValidationError:
            return True
