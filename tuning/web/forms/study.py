"""A new study's method and budget, and the settings that may change later."""

from typing import Any

from django import forms

from tuning.engine import registry
from tuning.selectors.budget import LIMITS
from tuning.selectors.workloads import kind_of, unit_of
from tuning.services.errors import Invalid
from tuning.web.forms.limits import PREFIX, field_of, limit_fields, limits_for_form, limits_of_form
from tuning.web.forms.time import TimeField

OBJECTIVES = (("best", "best step so far"), ("last", "last step"))
VISIBILITIES = (("team", "everyone who can sign in may look"), ("private", "only I and administrators"))
DIRECTIONS = (("minimize", "lower is better"), ("maximize", "higher is better"))
WORDS = dict(DIRECTIONS)
STEPS_WORDS = "That all trials together may train. The study ends within it, with a best trial."
DEVICE_WORDS = "That its trials may hold GPUs or slots: 20 h. What runs then is cut short; its best stands."
WORTH_LABEL = "End it when another hour is not worth it"
WORTH_WORDS = "Once the gain that an hour of device time promises is smaller than what the seed alone moves."
TIME_WORDS = "From its start: 8 h, 2 d. What runs then is cut short; its best stands."
NUMBER = {"inputmode": "numeric", "autocomplete": "off"}


def _whole(label: str, low: int, **more: Any) -> forms.IntegerField:
    words = f"Write a whole number of at least {low}."
    messages = {"required": words, "invalid": words, "min_value": words}
    return forms.IntegerField(
        label=label, min_value=low, widget=forms.TextInput(NUMBER), error_messages=messages, **more
    )


def _name() -> forms.CharField:
    return forms.CharField(
        label="Name",
        max_length=120,
        widget=forms.TextInput({"autocomplete": "off"}),
        error_messages={"required": "Give the study a name.", "max_length": "Use at most 120 characters."},
    )


class ErrorsFromServices:
    """Puts what a service refused beside the fields it is about, the rest above the form."""

    def take_errors(self, error: Invalid) -> None:
        for field, texts in error.fields.items():
            if not field.startswith(("space", "warm_start")):  # shown in rows of their own
                field = field_of(field)
                self.add_error(field if field in self.fields else None, texts)  # type: ignore[attr-defined]


def _min_resource() -> forms.IntegerField:
    return _whole("First rung", 1, required=False, initial=1, help_text="What every trial gets before it is compared.")


def _reduction_factor() -> forms.IntegerField:
    words = "One of so many goes on from a rung, to a rung that is so many times as high."
    return _whole("Reduction factor", 2, required=False, initial=3, help_text=words)


SHARED = {"min_resource": _min_resource, "reduction_factor": _reduction_factor}  # settings that several schedulers use


class StudyForm(ErrorsFromServices, forms.Form):
    """Everything but the space. `workload` is the describe entry; without one the trials are run by scripts."""

    name = _name()
    description = forms.CharField(label="Notes", required=False, widget=forms.Textarea({"rows": 2}))
    metric = forms.CharField(
        label="Metric",
        max_length=120,
        widget=forms.TextInput({"placeholder": "validation/loss", "autocomplete": "off"}),
        help_text="The name under which your script reports what is to be improved.",
        error_messages={"required": "Name what your script reports, such as validation/loss."},
    )
    direction = forms.ChoiceField(label="Better is", choices=DIRECTIONS)
    objective = forms.ChoiceField(
        label="Value of a trial",
        choices=OBJECTIVES,
        help_text="Which step's metric counts; its checkpoint is the one you get.",
    )
    sampler = forms.ChoiceField(label="Sampler")
    scheduler = forms.ChoiceField(label="Scheduler")
    n_trials = _whole(
        "Trials", 1, required=False, help_text="Empty: as many as the limits below allow; a grid ends by itself."
    )
    total_resource = _whole("Steps in all", 1, required=False, help_text=STEPS_WORDS)
    device_seconds = TimeField(label="Device time", help_text=DEVICE_WORDS)
    study_seconds = TimeField(label="Time in all", help_text=TIME_WORDS)
    parallel = _whole("At once", 1, help_text="Trials that run at the same time, as far as slots are free.")
    max_resource = _whole("Steps", 1, required=False, help_text="At most, for each trial. Empty: as far as it goes.")
    trial_seconds = TimeField(
        label="Time limit",
        help_text="How long a trial may run, over all its attempts: 90 min, 6 h. Longer ones fail. Empty: no limit.",
    )
    seed = _whole(
        "Seed",
        0,
        required=False,
        help_text="The same seed proposes the same configurations. Empty: a random one.",
    )
    deterministic = forms.BooleanField(
        label="Deterministic",
        required=False,
        help_text="Exactly repeatable on a GPU as well, somewhat slower.",
    )
    stop_when_not_worth = forms.BooleanField(label=WORTH_LABEL, required=False, help_text=WORTH_WORDS)
    visibility = forms.ChoiceField(label="Who may look", choices=VISIBILITIES)

    def __init__(self, workload: dict[str, Any] | None, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        described = registry.describe()
        self.samplers, self.schedulers = described["samplers"], described["schedulers"]
        self._choices("sampler", [(entry["name"], entry["title"]) for entry in self.samplers])
        self._choices("scheduler", [(entry["name"], entry["title"]) for entry in self.schedulers])
        self.fields["scheduler"].required = False  # none, where nothing is said
        for entry in self.schedulers:
            for name in entry["uses"]:
                self.fields[f"{entry['name']}-{name}"] = SHARED[name]()
        for entry in (*self.samplers, *self.schedulers):
            for option in entry["options"]:
                self.fields[f"{entry['name']}-{option['name']}"] = _option_field(option)
        if workload is not None:
            self._from_workload(workload)
            self.fields |= limit_fields() if workload.get("kind") == "pytorch" else {}
        else:
            del self.fields["device_seconds"]  # scripts hold no slots

    def _choices(self, name: str, choices: list[tuple[str, str]]) -> None:
        field = self.fields[name]
        if isinstance(field, forms.ChoiceField):
            field.choices = choices

    def _from_workload(self, workload: dict[str, Any]) -> None:
        goals = {
            entry["name"]: entry["goal"]
            for entry in workload.get("metrics") or []
            if entry.get("split") not in ("train", "test")
        }
        goals.setdefault(workload["metric"], workload["direction"])
        self.goals = goals
        names = [(name, f"{name}, {WORDS[goal]}") for name, goal in goals.items()]
        self.fields["metric"] = forms.ChoiceField(label="Metric", choices=names)
        del self.fields["direction"]
        unit = workload.get("resource_unit") or "epochs"
        self.fields["max_resource"].label = unit.capitalize()
        self.fields["max_resource"].help_text = "At most, for each trial."
        if not workload.get("max_resource"):
            del self.fields["max_resource"]
            del self.fields["total_resource"]
        else:
            self.fields["total_resource"].label = f"{unit.capitalize()} in all"

    @property
    def limits(self) -> list[Any]:
        """The bound fields of the limits on the model; none where no model is counted."""
        return [self[name] for name in self.fields if name.startswith(PREFIX)]

    def options_of(self, method: str) -> list[Any]:
        """The bound fields of the own options of a sampler or a scheduler."""
        return [self[name] for name in self.fields if name.startswith(f"{method}-")]

    def _cards(self, field: str, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Name, title, summary and option fields of each method, for the page."""
        chosen = self[field].value() or entries[0]["name"]
        return [
            {**entry, "checked": entry["name"] == chosen, "fields": self.options_of(entry["name"])} for entry in entries
        ]

    @property
    def sampler_cards(self) -> list[dict[str, Any]]:
        return self._cards("sampler", self.samplers)

    @property
    def scheduler_cards(self) -> list[dict[str, Any]]:
        return self._cards("scheduler", self.schedulers)

    def clean(self) -> dict[str, Any]:
        """Without complaints about the options of methods that were not chosen, which nobody sees."""
        chosen = tuple(f"{self.cleaned_data.get(field)}-" for field in ("sampler", "scheduler"))
        for name in [name for name in self.errors if "-" in name and not name.startswith(chosen)]:
            del self.errors[name]
        return self.cleaned_data

    def schedule(self) -> tuple[str, dict[str, Any]]:
        """The chosen scheduler and its options as they stand in the form, sent or not. Raises ValueError."""
        name = self["scheduler"].value() or self.schedulers[0]["name"]
        options = {}
        for bound in self.options_of(name):
            try:
                value = bound.field.clean(bound.value())
            except forms.ValidationError as error:
                raise ValueError(" ".join(error.messages)) from error
            if value not in (None, ""):
                options[bound.name.partition("-")[2]] = value
        return name, options

    def _chosen_options(self, method: str) -> dict[str, Any]:
        """What was written into the option fields of a method, by name."""
        return {
            name.partition("-")[2]: value
            for name, value in self.cleaned_data.items()
            if name.startswith(f"{method}-") and value not in (None, "")
        }

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments for services.studies.create_study."""
        cleaned = self.cleaned_data
        sampler = cleaned["sampler"]
        names = (
            "name",
            "description",
            "metric",
            "objective",
            "n_trials",
            "parallel",
            "trial_seconds",
            "seed",
            "deterministic",
            "stop_when_not_worth",
            "visibility",
        )
        arguments = {name: cleaned[name] for name in names} | {name: cleaned.get(name) for name in LIMITS}
        arguments["max_resource"] = cleaned.get("max_resource")
        arguments["constraints"] = limits_of_form(cleaned)
        arguments["direction"] = cleaned.get("direction") or self.goals[cleaned["metric"]]
        arguments["sampler"] = sampler
        arguments["scheduler"] = cleaned["scheduler"] or self.schedulers[0]["name"]
        arguments["sampler_options"] = self._chosen_options(sampler)
        options = self._chosen_options(arguments["scheduler"])
        arguments |= {name: options.pop(name) for name in SHARED if name in options}
        arguments["scheduler_options"] = options
        return arguments


def _option_field(option: dict[str, Any]) -> forms.Field:
    words = _option_words(option)
    shared = {
        "label": option["name"].replace("_", " ").capitalize(),
        "help_text": option["help"],
        "required": False,
        "initial": option["default"],
        "error_messages": dict.fromkeys(("invalid", "invalid_choice", "min_value", "max_value"), words),
    }
    if option["choices"]:
        return forms.ChoiceField(choices=[(choice, choice) for choice in option["choices"]], **shared)
    if option["type"] == "bool":
        return forms.BooleanField(**shared)
    shared |= {"min_value": option["low"], "max_value": option["high"], "widget": forms.TextInput(NUMBER)}
    if option["type"] == "int":
        return forms.IntegerField(**shared)
    if option["type"] == "float":
        return forms.FloatField(**shared)
    raise ValueError(f"{option['name']}: a form has no field for free text, give the option its choices")


def _option_words(option: dict[str, Any]) -> str:
    """What would be right for an option, as a sentence."""
    if option["choices"]:
        return f"Choose one of {', '.join(map(str, option['choices']))}."
    kind, low, high = "a whole number" if option["type"] == "int" else "a number", option["low"], option["high"]
    if low is not None and high is not None:
        return f"Write {kind} from {low} to {high}."
    sides = [f" of at {word} {bound}" for word, bound in (("least", low), ("most", high)) if bound is not None]
    return f"Write {kind}{''.join(sides)}."


class SettingsForm(ErrorsFromServices, forms.Form):
    """What may change after the creation."""

    name = _name()
    description = forms.CharField(label="Notes", required=False, widget=forms.Textarea({"rows": 2}))
    n_trials = _whole("Trials", 1, required=False, help_text="More lets the study go on; not fewer than it has.")
    total_resource = _whole("Steps in all", 1, required=False, help_text=STEPS_WORDS)
    device_seconds = TimeField(label="Device time", help_text=DEVICE_WORDS)
    study_seconds = TimeField(label="Time in all", help_text=TIME_WORDS)
    parallel = _whole("At once", 1)
    trial_seconds = TimeField(
        label="Time limit of a trial",
        help_text="Such as 90 min or 6 h; it holds for the trials that run, too. Empty: no limit.",
    )
    priority = forms.IntegerField(
        label="Priority",
        required=False,
        min_value=-1000,
        max_value=1000,
        widget=forms.TextInput(NUMBER | {"inputmode": "text"}),
        help_text="A higher one goes before all with a lower one. Of equals, who has used the least goes first.",
        error_messages=dict.fromkeys(("invalid", "min_value", "max_value"), "Write a whole number from -1000 to 1000."),
    )
    stop_when_not_worth = forms.BooleanField(label=WORTH_LABEL, required=False, help_text=WORTH_WORDS)
    visibility = forms.ChoiceField(label="Who may look", choices=VISIBILITIES)

    def __init__(self, study: Any, data: Any = None) -> None:
        initial = {
            "name": study.name,
            "description": study.description,
            "n_trials": study.budget_total,
            "parallel": study.parallel,
            **{name: getattr(study, name) for name in LIMITS},
            "trial_seconds": study.trial_seconds,
            "priority": study.priority,
            "stop_when_not_worth": study.stop_when_not_worth,
            "visibility": study.visibility,
            **limits_for_form(study.constraints),
        }
        super().__init__(data, initial=initial)
        if study.state in ("STOPPED", "FINISHED"):
            for name in ("n_trials", *LIMITS, "parallel", "trial_seconds", "priority"):
                del self.fields[name]
            return
        if kind_of(study.workload) == "pytorch":
            self.fields |= limit_fields()
        self.fields["total_resource"].label = f"{unit_of(study).capitalize()} in all"
        if study.max_resource is None:
            del self.fields["total_resource"]
        if not study.workload:
            del self.fields["device_seconds"]

    def changes(self) -> dict[str, Any]:
        """The fields that differ from what the study has; no priority is the one that there is."""
        changes = {name: self.cleaned_data[name] for name in self.changed_data if not name.startswith(PREFIX)}
        if any(name.startswith(PREFIX) for name in self.changed_data):
            changes["constraints"] = limits_of_form(self.cleaned_data)
        return {name: value for name, value in changes.items() if (name, value) != ("priority", None)}
