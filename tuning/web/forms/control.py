"""Forms of the pages that change what is at work: a reason, more trials, how a host is drained."""

from typing import Any

from django import forms

from tuning.selectors.budget import LIMITS
from tuning.selectors.workloads import unit_of
from tuning.services.errors import Invalid
from tuning.services.exclusion import LONGEST_REASON
from tuning.services.reserving import LONGEST_REASON as LONGEST_RESERVATION
from tuning.services.sharing import MAX_CAP
from tuning.web.forms.time import TimeField

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
    """How many trials in all, the other limits that the study has, and how many trials at once."""

    n_trials = _whole("Trials in all", "Those that there are among them.")
    total_resource = _whole("Steps in all", "Those that were trained among them.")
    device_seconds = TimeField(label="Device time", help_text="With what is spent, such as 30 h.")
    study_seconds = TimeField(label="Time in all", help_text="From its start, such as 2 d.")
    parallel = _whole("At once", "Trials that run at the same time, as far as slots are free.")

    def __init__(self, study: Any, data: Any = None) -> None:
        limits = {name: getattr(study, name) for name in LIMITS}
        super().__init__(data, initial={"n_trials": study.budget_total, "parallel": study.parallel, **limits})
        self.fields["total_resource"].label = f"{unit_of(study).capitalize()} in all"
        for name, limit in limits.items():
            if limit is None:
                del self.fields[name]
        if study.budget_total is None:  # a grid, or another limit, ends it
            self.fields["n_trials"].required = False
            self.fields["n_trials"].help_text = "Empty: until another limit, or the grid, is used up."

    def changes(self) -> dict[str, Any]:
        return {name: value for name, value in self.cleaned_data.items() if value is not None}


class ReserveForm(ControlForm):
    """For how long a device is kept, why, and for whom (administrators)."""

    hours = forms.FloatField(
        label="Hours",
        widget=forms.TextInput({"inputmode": "decimal", "autocomplete": "off"}),
        help_text="From now; it can be given back earlier.",
        error_messages=dict.fromkeys(("required", "invalid"), "Write a number of hours, such as 4 or 0.5."),
    )
    reason = forms.CharField(
        label="What for",
        max_length=LONGEST_RESERVATION,
        widget=forms.TextInput({"autocomplete": "off"}),
        help_text="Everybody who waits for the device sees it.",
        error_messages={
            "required": "Say what it is needed for.",
            "max_length": f"Use at most {LONGEST_RESERVATION} characters.",
        },
    )
    person = forms.ChoiceField(label="For")

    def __init__(self, names: list[str], me: str, data: Any = None) -> None:
        super().__init__(data, initial={"hours": "4", "person": me})
        field = self.fields["person"]
        if len(names) < 2:
            del self.fields["person"]
        elif isinstance(field, forms.ChoiceField):
            field.choices = [(name, name) for name in names]


class CapForm(ControlForm):
    """How many trials of a person run at once."""

    max_running = forms.IntegerField(
        label="Trials at once",
        min_value=0,
        max_value=MAX_CAP,
        required=False,
        widget=forms.TextInput(NUMBER),
        error_messages=dict.fromkeys(
            ("invalid", "min_value", "max_value"), f"Write a whole number from 0 to {MAX_CAP:,}, or nothing."
        ),
    )

    def __init__(self, own: int | None, default: int | None, data: Any = None) -> None:
        super().__init__(data, initial={"max_running": own})
        words = "any number" if default is None else f"the server's default, {default}"
        self.fields["max_running"].help_text = f"Empty: {words}. 0: nothing of theirs starts on workers."


class DrainForm(ControlForm):
    """What becomes of the trials that run on the host."""

    now = forms.ChoiceField(
        label="Its trials",
        choices=[("", "run to their end"), ("1", "go back to waiting at their next checkpoint")],
        required=False,
        widget=forms.RadioSelect,
        initial="",
    )
