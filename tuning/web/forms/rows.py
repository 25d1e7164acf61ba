"""How the entries of a search space are written in a form row, and read back.

Choices: `sgd, adamw` or `16, 32`; quotes keep a number text and a comma inside (`"1", "a, b"`); a JSON list works too.
Conditions: `optimizer = sgd, adamw` or `layers = 2..4` (either end may be left out); `;` stands between two that must
both hold.
"""

import json
import re
from collections.abc import Callable
from typing import Any

from django import forms

ITEM = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[^,]*?)\s*(?:,|$)')
RANGE = re.compile(r"(\S*?)\s*\.\.\s*(\S*)")


def read_field(form: forms.Form, field: str, reader: Callable[[str], Any]) -> Any:
    """What a text field of a form that is being cleaned says; what the reader refuses stands beside the field. None
    where nothing is written, or nothing that can be read."""
    text = str(form.cleaned_data.get(field) or "").strip()
    if not text:
        return None
    try:
        return reader(text)
    except ValueError as error:
        form.add_error(field, str(error))
        return None


def written_number(value: Any) -> str:
    """A bound as a person would write it: 1e-5, 0.1, 16; empty for none."""
    if value is None:
        return ""
    if isinstance(value, float):
        text = repr(value)
        mantissa, mark, power = text.partition("e")
        if mark:
            return f"{mantissa.removesuffix('.0')}e{int(power)}"
        return text.removesuffix(".0")
    return str(value)


def read_number(text: str) -> int | float:
    """The number that `text` writes. Raises ValueError with what would be right."""
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number; write it like 0.01, 1e-4 or 16.") from None


def written_value(value: Any) -> str:
    """One choice as `read_value` reads it back: text bare where that is safe, everything else as JSON."""
    bare = isinstance(value, str) and value and value == value.strip() and not re.search(r'[,";\[{]|\.\.', value)
    if bare and read_value(value) == value:
        return str(value)
    return json.dumps(value, ensure_ascii=False)


def read_value(text: str) -> Any:
    """A JSON value, or the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def written_choices(choices: list[Any]) -> str:
    if any(isinstance(choice, list | dict) for choice in choices):
        return json.dumps(choices, ensure_ascii=False)
    return ", ".join(written_value(choice) for choice in choices)


def read_choices(text: str) -> list[Any]:
    """The values of a list with commas between; of a JSON list the same."""
    text = text.strip()
    if text.startswith("["):
        values = read_value(text)
        if isinstance(values, list):
            return values
    items, start = [], 0
    while start < len(text):
        found = ITEM.match(text, start)
        if found is None or found.end() == start:
            raise ValueError(
                f"{text[start:]!r} cannot be read; write choices as sgd, adamw, and text with a comma in quotes."
            )
        items.append(found[1])
        start = found.end()
    return [read_value(item) for item in items if item]


def written_condition(when: dict[str, Any] | None) -> str:
    parts = []
    for parent, wanted in (when or {}).items():
        if isinstance(wanted, dict):
            low, high = written_number(wanted.get("low")), written_number(wanted.get("high"))
            parts.append(f"{parent} = {low}..{high}")
        else:
            parts.append(f"{parent} = {written_choices(wanted)}")
    return "; ".join(parts)


def entry_words(entry: dict[str, Any]) -> str:
    """An entry of the JSON form as short as a button: 1e-5 to 0.1, log; 16, 32 or 64; constant 7."""
    kind = entry["type"]
    if kind == "constant":
        return f"constant {written_value(entry.get('value'))}"
    if kind == "categorical":
        return f"one of {written_choices(entry.get('choices') or [])}"
    prior = (entry.get("prior") or {}).get("name", "linear")
    words = f"{written_number(entry.get('low'))} to {written_number(entry.get('high'))}"
    words += f" in steps of {written_number(entry['step'])}" if entry.get("step") else ""
    return f"{words}, {'log' if entry.get('log') else prior.replace('_', ' ')}"


def read_condition(text: str) -> dict[str, Any]:
    """The condition as the space's JSON form holds it. Raises ValueError with what would be right."""
    when: dict[str, Any] = {}
    for part in re.split(r""";(?=(?:[^"]*"[^"]*")*[^"]*$)""", text):
        if not part.strip():
            continue
        parent, equals, wanted = (piece.strip() for piece in part.partition("="))
        if not (parent and equals and wanted):
            raise ValueError(f"{part.strip()!r} is no condition; write it like optimizer = sgd or layers = 2..4.")
        ends = RANGE.fullmatch(wanted)
        if ends is None:
            when[parent] = read_choices(wanted)
        else:
            sides = {"low": ends[1], "high": ends[2]}
            when[parent] = {side: read_number(end) for side, end in sides.items() if end}
    return when
