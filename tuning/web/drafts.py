"""What a person types into the form of a new study, kept: from the form into a draft, and back."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import QueryDict
from django.utils import timezone

from tuning.selectors.lr_ranges import suggested_entry
from tuning.services.drafts import save_draft
from tuning.services.errors import Conflict, Invalid
from tuning.web.errors import SignedInRequest
from tuning.web.forms.editing import bare_rows, space_of_rows, whole_number
from tuning.web.forms.space import initial_row

# Buttons and what belongs to the page, not to the study.
LEFT_OUT = {
    "csrfmiddlewaretoken", "start", "create", "keep", "fix", "add_row", "remove_row", "insert_template", "template",
    "preflight", "advise", "advice", "find_lr", "switch", "other_workload", "pilot",
}  # fmt: skip


def new_key() -> str:
    return secrets.token_urlsafe(9)


@dataclass(frozen=True)
class Kept:
    """When the form was kept, or why it was not; neither where the address has no key."""

    at: datetime | None = None
    error: str = ""


def keep(request: SignedInRequest, workload: Mapping[str, Any] | None, data: QueryDict, source: Any | None) -> Kept:
    """Keep the form under the key in the address. A draft that cannot be kept spoils nothing else: the form says so."""
    key = request.GET.get("draft", "")
    if not key:
        return Kept()
    fields = {name: values for name, values in data.lists() if name not in LEFT_OUT}
    name = str(workload["name"]) if workload else ""
    try:
        save_draft(owner=request.user, key=key, workload=name, fields=fields, source=source)
    except (Conflict, Invalid) as error:
        return Kept(error=error.message)
    return Kept(timezone.localtime())


def typed(fields: Mapping[str, Sequence[str]]) -> QueryDict:
    """The fields of a draft as the form had sent them."""
    data = QueryDict(mutable=True)
    for name, values in fields.items():
        data.setlist(name, [str(value) for value in values])
    return data


def written(form: Any, rows: Any) -> dict[str, list[str]]:
    """What the page would send of a form and rows that nobody has touched yet."""
    fields = {name: _texts(form[name]) for name in form.fields}
    fields |= {f"{row.prefix}-{name}": _texts(row[name]) for row in rows.initial_forms for name in row.fields}
    total = str(len(rows.initial_forms))
    fields |= {"form-TOTAL_FORMS": [total], "form-INITIAL_FORMS": [total]}
    return {name: values for name, values in fields.items() if values}


def _texts(bound: Any) -> list[str]:
    value = bound.value()
    if value is None or value is False:
        return []
    shown = bound.field.widget.format_value(value) if value is not True else "on"
    found = shown if isinstance(shown, list) else [shown]
    return [str(text) for text in found if text is not None]


def drafted_space(draft: Any) -> dict[str, Any] | None:
    """The space that the rows of a draft describe; None while they have mistakes."""
    return space_of_rows(bare_rows(typed(draft.fields)))


def narrow(data: QueryDict, job: Any, curve: int) -> str:
    """Type the range around a learning-rate test's bracket into its row; the words for the person.

    Raises NotFound where the test has no such curve, or the rows no learning rate.
    """
    document = space_of_rows(bare_rows(data)) or {}
    name, entry, _ = suggested_entry(document, job, curve)
    total = whole_number(data.get("form-TOTAL_FORMS")) or 0
    for index in range(total):
        if data.get(f"form-{index}-name", "").strip() == name and not data.get(f"form-{index}-DELETE"):
            data.update({f"form-{index}-{field}": text for field, text in initial_row(name, entry).items()})
    return f"{name} is searched from {entry['low']:g} to {entry['high']:g} now, around the bracket of the test."
