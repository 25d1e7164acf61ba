"""Whole numbers that a person writes with a unit: a field that reads the text, and shows the number as such a text."""

from collections.abc import Callable
from typing import Any

from django import forms


class AmountField(forms.CharField):
    """A whole number above 0, None where nothing is written.

    read: the number of a text; raises ValueError with words for the person. text: the text of a number.
    """

    def __init__(self, read: Callable[[str], int], text: Callable[[int], str], **options: Any) -> None:
        self._read, self._text = read, text
        super().__init__(required=False, widget=forms.TextInput({"autocomplete": "off"}), **options)

    def prepare_value(self, value: Any) -> Any:
        return self._text(value) if isinstance(value, int) and value > 0 else value

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        if not text:
            return None
        try:
            return self._read(text)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error

    def validate(self, value: Any) -> None:
        """Nothing further: the text was checked while it was read."""

    def run_validators(self, value: Any) -> None:
        """Nothing further: the validators of a text do not fit numbers."""

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.to_python(data) != initial)
        except forms.ValidationError:
            return True
