"""The search space as rows of a form. What is right and wrong about it the engine says; the rows only carry it."""

from collections.abc import Iterable, Sequence
from typing import Any

from django import forms
from django.forms.formsets import BaseFormSet, formset_factory

from tuning.services.errors import Invalid
from tuning.services.spaces import parse_space
from tuning.web.forms.rows import (
    read_choices,
    read_condition,
    read_field,
    read_number,
    read_value,
    written_choices,
    written_condition,
    written_number,
    written_value,
)

KINDS = (("float", "number"), ("int", "integer"), ("categorical", "choices"), ("constant", "constant"))
SCALES = (
    ("uniform", "linear"),
    ("log", "log"),
    ("normal", "normal"),
    ("log_normal", "log normal"),
    ("beta", "beta"),
)
PRIOR_FIELDS = {"normal": ("mu", "sigma"), "log_normal": ("mu", "sigma"), "beta": ("a", "b")}
PRIOR_WORDS = {"mu": "mean", "sigma": "spread", "a": "first shape, a", "b": "second shape, b"}  # as the page says them
# where the engine's issues about a field of the JSON form are shown
SHOWN_AT = {
    "type": "kind",
    "log": "scale",
    "when": "condition",
    "prior": "scale",
    None: "name",
    "annotation": "name",
}
MOST_ROWS = 200


def _text(label: str, **attributes: str) -> forms.CharField:
    return forms.CharField(
        required=False,
        label=label,
        max_length=2000,
        widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false", **attributes}),
    )


class RowForm(forms.Form):
    """One parameter. Every field is text; `entry` turns what its kind uses into the JSON form."""

    name = _text("name", placeholder="learning_rate")
    kind = forms.ChoiceField(choices=KINDS, label="type", widget=forms.Select({"data-kind": ""}))
    low = _text("low", inputmode="decimal", placeholder="low")
    high = _text("high", inputmode="decimal", placeholder="high")
    step = _text("step", inputmode="decimal", placeholder="any")
    scale = forms.ChoiceField(choices=SCALES, label="scale", required=False)
    prior_first = _text("prior, first number", inputmode="decimal")
    prior_second = _text("prior, second number", inputmode="decimal")
    choices = _text("choices", placeholder="sgd, adamw")
    weights = _text("weights", placeholder="equal")
    value = _text("value", placeholder="64")
    condition = _text("only when", placeholder="always", title="Such as: optimizer = sgd, or: layers = 2..4")
    annotation = forms.CharField(required=False, widget=forms.HiddenInput)

    drawing: str = ""
    advice: Sequence[Any] = ()  # what the lint says of it

    def is_blank(self) -> bool:
        """Nothing entered: such a row is left out rather than refused."""
        cleaned = self.cleaned_data
        return not any(cleaned.get(name) for name in ("name", "low", "high", "choices", "value", "condition"))

    def entry(self) -> dict[str, Any]:
        """This row in the space's JSON form; what cannot even be read becomes an error of its field."""
        kind = self.cleaned_data["kind"]
        form: dict[str, Any] = {"type": kind}
        if kind in ("float", "int"):
            ends = {name: read_field(self, name, read_number) for name in ("low", "high", "step")}
            form |= {name: value for name, value in ends.items() if value is not None}
            form |= self._scale()
            if "prior" not in form:
                self._need_limits()
        elif kind == "categorical":
            form["choices"] = read_field(self, "choices", read_choices) or []
            weights = read_field(self, "weights", read_choices)
            if weights:
                form["weights"] = weights
        else:
            value = self.cleaned_data["value"]
            if value:
                form["value"] = read_value(value)
        when = read_field(self, "condition", read_condition)
        if when:
            form["when"] = when
        if self.cleaned_data["annotation"]:
            form["annotation"] = self.cleaned_data["annotation"]
        return form

    def _scale(self) -> dict[str, Any]:
        scale = self.cleaned_data["scale"]
        if scale == "log":
            return {"log": True}
        if scale not in PRIOR_FIELDS:
            return {}
        prior: dict[str, Any] = {"name": scale}
        for field, name in zip(("prior_first", "prior_second"), PRIOR_FIELDS[scale], strict=True):
            number = read_field(self, field, read_number)
            if number is not None:
                prior[name] = number
            elif not self.cleaned_data.get(field):
                self.add_error(field, f"Give the {PRIOR_WORDS[name]}.")
        return {"prior": prior}

    def _need_limits(self) -> None:
        for field, words in (("low", "lowest"), ("high", "highest")):
            if not self.cleaned_data.get(field, "").strip() and not self.has_error(field):
                self.add_error(field, f"Give the {words} value.")

    def show(self, field: str | None, message: str) -> None:
        """Put one of the engine's issues beside the field that it is about."""
        place = SHOWN_AT.get(field, field)
        self.add_error(place if place in self.fields else "name", message.rstrip(".") + ".")


class BaseSpaceRows(BaseFormSet):
    """All rows: read into one document, checked by the engine, errors put where they belong."""

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        form.fields["DELETE"].widget = forms.CheckboxInput({"hidden": True})

    def kept(self) -> list[Any]:
        """The rows that are not removed; call after is_valid()."""
        return [form for form in self.forms if not self._should_delete_form(form)]  # type: ignore[attr-defined]

    def rows(self) -> list[Any]:
        """The kept rows that have no error and are not blank."""
        return [form for form in self.kept() if form.is_valid() and not form.is_blank()]

    def document(self) -> dict[str, Any]:
        """The space in JSON form, parents before children. Rows with an error of their own are left out."""
        entries: dict[str, dict[str, Any]] = {}
        for form in self.rows():
            name = form.cleaned_data["name"].strip()
            entry = form.entry()
            if not name:
                form.add_error("name", "Give the parameter a name.")
            elif name in entries:
                form.add_error("name", f"There is already a parameter named {name}; choose another name.")
            if not form.errors:
                entries[name] = entry
        return parents_first(entries)

    def has_errors(self) -> bool:
        return any(form.errors for form in self.kept()) or bool(self.non_form_errors())

    def check(self) -> dict[str, Any] | None:
        """The document if the engine takes it, else None with the issues shown in the rows."""
        document = self.document()
        unread = {(form["name"].value() or "").strip() for form in self.kept() if form.errors}
        if not document:
            if not unread:
                self.non_form_errors().append("The search space is empty: add a parameter.")
            return None
        try:
            parse_space(document)
        except Invalid as error:
            # A row that could not be read is missing here: complaints that its children have no parent would mislead.
            self.show(
                issue
                for issue in error.space_issues
                if not (issue.field == "when" and any(name and name in issue.message for name in unread))
            )
        return None if self.has_errors() else document

    def show(self, issues: Iterable[Any]) -> None:
        """Put the engine's issues beside their fields; those about no row above all rows."""
        by_name = {form.cleaned_data["name"].strip(): form for form in self.rows()}
        for issue in issues:
            form = by_name.get(issue.parameter or "")
            if form is not None:
                form.show(issue.field, issue.message)
            else:
                self.non_form_errors().append(str(issue))


SpaceRows: type[BaseSpaceRows] = formset_factory(  # type: ignore[assignment]
    RowForm, formset=BaseSpaceRows, extra=0, can_delete=True, max_num=MOST_ROWS, absolute_max=MOST_ROWS
)


def parents_first(entries: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The same entries, each after the parents that its condition names, otherwise in their order.

    Rows of a circle stay where they are: the engine names the circle.
    """
    ordered: dict[str, dict[str, Any]] = {}
    waiting = dict(entries)
    while waiting:
        ready = [
            name for name, entry in waiting.items() if not any(parent in waiting for parent in entry.get("when") or {})
        ]
        for name in ready[:1] or list(waiting):
            ordered[name] = waiting.pop(name)
    return ordered


def initial_rows(document: dict[str, Any]) -> list[dict[str, str]]:
    """A space's JSON form as the initial values of the rows."""
    return [initial_row(name, entry) for name, entry in document.items()]


def initial_row(name: str, entry: dict[str, Any]) -> dict[str, str]:
    """One entry of it, as text by field."""
    prior = entry.get("prior") or {}
    scale = "log" if entry.get("log") else str(prior.get("name", "uniform"))
    first, second = PRIOR_FIELDS.get(scale, ("", ""))
    return {
        "name": name,
        "kind": entry["type"],
        "low": written_number(entry.get("low")),
        "high": written_number(entry.get("high")),
        "step": written_number(entry.get("step")),
        "scale": scale,
        "prior_first": written_number(prior.get(first)),
        "prior_second": written_number(prior.get(second)),
        "choices": written_choices(entry.get("choices") or []),
        "weights": written_choices(entry.get("weights") or []),
        "value": written_value(entry["value"]) if "value" in entry else "",
        "condition": written_condition(entry.get("when")),
        "annotation": entry.get("annotation") or "",
    }
