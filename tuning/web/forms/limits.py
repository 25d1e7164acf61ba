"""The fields for limits on a study's model, the same on the form of a new study and in the setup."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from django import forms

from tuning.constraints import NAMES, limit_text, read_limit
from tuning.web.forms.amounts import AmountField

PREFIX = "limit_"
LABELS = {"parameters": "Parameters", "memory": "Memory", "flops": "FLOPs"}
HELP = {
    "parameters": "At most, of the model: 100000, 2.5 M. Empty: no limit.",
    "memory": "Of a training step: weights, gradients, the optimizer, activations of a batch: 2 GB, 512 MiB.",
    "flops": "Of a forward pass for one example, two for a multiplication and an addition: 1e9, 3 G.",
}


class LimitField(AmountField):
    """A limit as a whole number, written with or without a unit; None where nothing is written."""

    def __init__(self, name: str) -> None:
        read, text = partial(read_limit, name), partial(limit_text, name)
        super().__init__(read, text, max_length=40, label=LABELS[name], help_text=HELP[name])


def limit_fields() -> dict[str, forms.Field]:
    """A field for each limit, by its name in the form."""
    return {f"{PREFIX}{name}": LimitField(name) for name in NAMES}


def limits_of_form(cleaned: Mapping[str, Any]) -> dict[str, Any]:
    """The limits that were written, by name."""
    given = {name: cleaned.get(f"{PREFIX}{name}") for name in NAMES}
    return {name: limit for name, limit in given.items() if limit is not None}


def limits_for_form(limits: Mapping[str, int]) -> dict[str, int]:
    """Limits as the initial values of the fields."""
    return {f"{PREFIX}{name}": limit for name, limit in limits.items()}


def field_of(name: str) -> str:
    """The form's field for what a service says about constraints.<name>."""
    return f"{PREFIX}{name.removeprefix('constraints.')}" if name.startswith("constraints.") else name
