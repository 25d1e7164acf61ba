"""A length of time as a person writes it: 45 s, 90 min, 6 h, 1 h 30 min, 2 d."""

import re
from typing import Any

from tuning.web.forms.amounts import AmountField

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


class TimeField(AmountField):
    """Seconds, written as a length of time; None where nothing is written."""

    def __init__(self, **options: Any) -> None:
        super().__init__(_read, time_text, max_length=60, **options)


def _read(text: str) -> int:
    seconds = seconds_of(text)
    if seconds is None:
        raise ValueError("Write a time with its unit, such as 45 s, 90 min, 1 h 30 min or 2 d.")
    return seconds
