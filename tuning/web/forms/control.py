"""Forms of the pages that change what is at work: a reason, more trials, how a host is drained."""

from typing import Any

from django import forms

from tuning.services.errors import Invalid
from tuning.services.exclusion import LONGEST_REASON

NUMBER = {"inputmode": "numeric", "autocomplete": "off"}


class ControlForm(forms.Form):
    """Takes what a service refused beside the fields that it is about."""

    def take_errors(self, error: Invalid) -> None:
        for field, texts in error.fields.items():
            self.add_error(field if field in self.fields else None, texts)


class ReasonForm(ControlForm):
    """Why a trial is not to count."""

    reason = forms.CharField(
        label="Why",
        max_length=LONGEST_REASON,
        widget=forms.TextInput({"autocomplete": "off", "autofocus": True}),
        help_text="Everybody who looks at the study sees it.",
        error_messages={
            "required": "Say why this trial is not to count.",
            "max_length": f"Use at most {LONGEST_REASON} characters.",
        },
    )


def _whole(label: str, help_text: str) -> forms.IntegerField:
    words = "Write a whole number of at least 1."
    return forms.IntegerField(
        label=label,
        min_value=1,
        widget=forms.TextInput(NUMBER),
        help_text=help_text,
        error_messages={"required": words, "invalid": words, "min_value": words},
    )


class ExtendForm(ControlForm):
    """How many trials in all, and how many at once."""

    n_trials = _whole("Trials in all", "Those that there are among them.")
    parallel = _whole("At once", "Trials that run at the same time, as far as slots are free.")

    def __init__(self, study: Any, data: Any = None) -> None:
        super().__init__(data, initial={"n_trials": study.budget_total, "parallel": study.parallel})
        if study.budget_total is None:  # a grid ends by itself
            self.fields["n_trials"].required = False
            self.fields["n_trials"].help_text = "Empty: until every configuration of the grid has been tried."

    def changes(self) -> dict[str, Any]:
        return {name: value for name, value in self.cleaned_data.items() if value is not None}


class DrainForm(ControlForm):
    """What becomes of the trials that run on the host."""

    now = forms.ChoiceField(
        label="Its trials",
        choices=[("", "run to their end"), ("1", "go back to waiting at their next checkpoint")],
        required=False,
        widget=forms.RadioSelect,
        initial="",
    )
