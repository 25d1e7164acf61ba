"""Rows of a search space while a person edits them: adding and removing without script, drawings, what they say."""

from collections.abc import Mapping
from typing import Any

from django.http import QueryDict

from tuning.services.errors import Invalid
from tuning.services.spaces import parse_space
from tuning.web.drawings import drawing_of
from tuning.web.forms.space import MOST_ROWS, SpaceRows, initial_row


def whole_number(value: Any) -> int | None:
    """A positive whole number as a person writes it, None for all else; 18 digits are more than any plan needs."""
    text = str(value).strip() if value is not None else ""
    return int(text) or None if text.isdecimal() and len(text) <= 18 else None


def change_rows(data: QueryDict) -> None:
    """What the buttons for adding and removing a row do where no script does it."""
    if "add_row" in data:
        data["form-TOTAL_FORMS"] = str((whole_number(data.get("form-TOTAL_FORMS")) or 0) + 1)
    else:
        data[f"form-{data['remove_row']}-DELETE"] = "on"


def insert_rows(data: QueryDict, space: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Append a row for each parameter of a template whose name is not there yet; returns the names that were."""
    total = whole_number(data.get("form-TOTAL_FORMS")) or 0
    kept = [index for index in range(min(total, MOST_ROWS)) if not data.get(f"form-{index}-DELETE")]
    there = {data.get(f"form-{index}-name", "").strip() for index in kept}
    for name, entry in space.items():
        if name not in there:
            data.update({f"form-{total}-{field}": text for field, text in initial_row(name, dict(entry)).items()})
            total += 1
    data["form-TOTAL_FORMS"] = str(total)
    return [name for name in space if name in there]


def bare_rows(data: QueryDict) -> Any:
    """The rows with what was entered, but without errors: nothing has been submitted yet."""
    fields = list(SpaceRows.form.base_fields)
    total = min(whole_number(data.get("form-TOTAL_FORMS")) or 0, MOST_ROWS)
    kept = [index for index in range(total) if not data.get(f"form-{index}-DELETE")]
    initial = [{field: data.get(f"form-{index}-{field}", "") for field in fields} for index in kept]
    for row in initial:
        row["kind"] = row["kind"] or "float"
    return SpaceRows(initial=initial)


def draw_rows(rows: Any) -> None:
    """Give each row that can be read the drawing of its distribution."""
    for form, name, entry in entries_of(rows):
        form.drawing = drawing_of(name or "parameter", entry)


def space_of_rows(rows: Any) -> dict[str, Any] | None:
    """The space that the rows describe, None while it has errors; the rows are left without any."""
    document = {name or "parameter": entry for _, name, entry in entries_of(rows)}
    try:
        parse_space(document)
    except Invalid:
        return None
    return document


def entries_of(rows: Any) -> list[tuple[Any, str, dict[str, Any]]]:
    """Each row's form, name and entry as far as it can be read; read from copies, so no error is left behind."""
    found = []
    for form in rows.kept() if rows.is_bound else rows.initial_forms:
        copy = type(form)({name: form[name].value() for name in form.base_fields})
        if copy.is_valid() and not copy.is_blank():
            entry = copy.entry()
            if not copy.errors:
                found.append((form, copy.cleaned_data["name"].strip(), entry))
    return found
