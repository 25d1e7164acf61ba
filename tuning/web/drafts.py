"""What a person types into the form of a new study, kept: from the form into a draft, and back."""

import secrets
from collections.abc import Mapping
from typing import Any

from django.http import QueryDict
from django.utils import timezone

from tuning.services.drafts import save_draft
from tuning.web.errors import SignedInRequest

# Buttons and what belongs to the page, not to the study.
LEFT_OUT = {
    "csrfmiddlewaretoken", "start", "create", "keep", "fix", "add_row", "remove_row", "insert_template", "template",
    "preflight", "advise", "advice",
}  # fmt: skip


def new_key() -> str:
    return secrets.token_urlsafe(9)


def keep(request: SignedInRequest, workload: Mapping[str, Any] | None, data: QueryDict, source: Any | None) -> Any:
    """Keep the form under the key in the address; the moment at which it was, None where the address has no key."""
    key = request.GET.get("draft", "")
    if not key:
        return None
    fields = {name: values for name, values in data.lists() if name not in LEFT_OUT}
    name = str(workload["name"]) if workload else ""
    save_draft(owner=request.user, key=key, workload=name, fields=fields, source=source)
    return timezone.localtime()


def typed(draft: Any) -> QueryDict:
    """The fields of a draft as the form had sent them."""
    data = QueryDict(mutable=True)
    for name, values in draft.fields.items():
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
