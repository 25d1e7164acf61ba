"""A learning-rate test: the configuration, the range of learning rates, and what is laid over."""

from collections.abc import Mapping
from typing import Any

from django import forms

from tuning.selectors.lr_ranges import HIGH, LOW, SEED, STEPS, learning_rate_of, middle_of
from tuning.services.errors import Invalid
from tuning.services.lr_ranges import FEWEST_STEPS, MOST_CURVES, MOST_STEPS
from tuning.web.forms.rows import (
    read_choices,
    read_field,
    read_number,
    read_value,
    written_choices,
    written_condition,
    written_number,
    written_value,
)

PREFIX = "p-"
DECIMAL = {"inputmode": "decimal", "autocomplete": "off"}
WHOLE = {"inputmode": "numeric", "autocomplete": "off"}


def _text(label: str, attributes: Mapping[str, str], **more: Any) -> forms.CharField:
    return forms.CharField(label=label, max_length=200, widget=forms.TextInput(dict(attributes)), **more)


class LRRangeForm(forms.Form):
    """`document` is the search space that the configuration comes from; its learning rate is what the test sets."""

    low = _text("From", DECIMAL, help_text="The first learning rate, too small to train.")
    high = _text("To", DECIMAL, help_text="The last one, too large.")
    steps = _text("Steps", WHOLE, help_text=f"Batches of each curve, {FEWEST_STEPS} to {MOST_STEPS:,}.")
    seed = _text("Seed", WHOLE, help_text="Of weights, batches and dropout; the same for all curves.")
    overlay = forms.ChoiceField(label="Compare", required=False)
    overlay_values = _text("Values", {"autocomplete": "off", "placeholder": "16, 64, 256"}, required=False)

    def __init__(self, document: Mapping[str, Any], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.document = document
        self.learning_rate = learning_rate_of(document)
        self.names = [
            name for name, entry in document.items() if name != self.learning_rate and entry["type"] != "constant"
        ]
        for name in self.names:
            self.fields[PREFIX + name] = _parameter(name, document[name])
        compared = self.fields["overlay"]
        if isinstance(compared, forms.ChoiceField):
            compared.choices = [("", "nothing"), *((name, name) for name in self.names)]
        self.fields["overlay_values"].help_text = f"2 to {MOST_CURVES}, with commas between; a curve for each."

    def parameters(self) -> list[Any]:
        """The bound fields of the configuration."""
        return [self[PREFIX + name] for name in self.names]

    def test(self) -> list[Any]:
        """The bound fields of the test itself."""
        return [self[name] for name in ("low", "high", "steps", "seed", "overlay", "overlay_values")]

    def wanted(self) -> dict[str, Any] | None:
        """What is asked for, as the service takes it; None where a field cannot be read. Call after is_valid()."""
        found: dict[str, Any] = {name: read_field(self, name, read_number) for name in ("low", "high", "steps", "seed")}
        given = {name: self._value(name) for name in self.names if self.cleaned_data.get(PREFIX + name)}
        name, values = self.cleaned_data.get("overlay") or "", read_field(self, "overlay_values", read_choices) or []
        if name:
            found["overlay"] = {name: values}
        elif values:
            self.add_error("overlay", "Choose whose values these are.")
        if self.errors:
            return None
        return found | {"params": middle_of(self.document, given) if self.document else {}}

    def take_errors(self, error: Invalid) -> None:
        """What the service refused, beside the fields that it is about."""
        for field, texts in error.fields.items():
            own = PREFIX + field.removeprefix("params.") if field.startswith("params.") else field
            own = "overlay_values" if own == "overlay" else own
            self.add_error(own if own in self.fields else None, texts)

    def _value(self, name: str) -> Any:
        text = self.cleaned_data[PREFIX + name]
        if self.document[name]["type"] == "categorical":
            return read_value(text)
        return read_field(self, PREFIX + name, read_number)


def _parameter(name: str, entry: Mapping[str, Any]) -> forms.Field:
    condition = written_condition(entry.get("when"))
    words = f"Only when {condition}." if condition else ""
    if entry["type"] == "categorical":
        choices = [(written_value(choice), written_value(choice)) for choice in entry["choices"]]
        return forms.ChoiceField(label=name, choices=choices, required=False, help_text=words)
    return _text(name, DECIMAL, required=False, help_text=words)


def initial_of(document: Mapping[str, Any], args: Mapping[str, Any] | None) -> dict[str, str]:
    """The fields' first values: those of an earlier test, and the middle of the space for what it did not have."""
    middle = middle_of(document) if document else {}
    # a child that takes part with another choice has a middle, too
    for name, entry in document.items():
        if name not in middle:
            middle |= middle_of({name: {key: value for key, value in entry.items() if key != "when"}})
    args = args or {}
    for curve in reversed(args.get("curves", [])):
        middle |= {name: value for name, value in curve["params"].items() if name in document}
    overlay = args.get("overlay") or {}
    return {
        "low": written_number(args.get("low", LOW)),
        "high": written_number(args.get("high", HIGH)),
        "steps": str(args.get("steps", STEPS)),
        "seed": str(args.get("seed", SEED)),
        "overlay": overlay.get("name", ""),
        "overlay_values": written_choices(overlay.get("values", [])),
        **{PREFIX + name: _written(document[name], value) for name, value in middle.items()},
    }


def _written(entry: Mapping[str, Any], value: Any) -> str:
    return written_value(value) if entry["type"] == "categorical" else written_number(value)
