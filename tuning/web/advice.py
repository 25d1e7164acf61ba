"""The budget advisor on the form of a new study: methods for what may be spent, side by side, and one is taken."""

from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict

from tuning.services.advising import Budget, EarlyOrder, advice_for, early_order
from tuning.services.errors import Invalid
from tuning.services.pilots import TRIALS as PILOT_TRIALS
from tuning.web.errors import SignedInRequest
from tuning.web.files import form_settings
from tuning.web.forms.editing import whole_number
from tuning.web.forms.study import StudyForm
from tuning.web.forms.time import seconds_of, time_text

FIELDS = ("spend_trials", "spend_device", "spend_time")
TIMES = ("device_seconds", "study_seconds")
WANTED = "Say what you can spend: full trainings, device time, or the time until it is to be done."


@dataclass
class Advice:
    """What was written, and what the advisor says to it: cards, the recommended one first, or an error."""

    written: dict[str, str]
    cards: list[dict[str, Any]] = field(default_factory=list)
    reserve: dict[str, Any] = field(default_factory=dict)
    measured: bool = False  # the seconds of an epoch are known
    error: str = ""
    early: EarlyOrder | None = None  # how trials of the workload rank early
    pilot_seconds: float | None = None  # what a pilot would take, where an epoch's seconds are known


def advice_on(
    request: SignedInRequest, data: QueryDict, form: StudyForm, workload: Any, space: Any, slots: int
) -> Advice:
    """The advice for what the form says, as far as it can be given."""
    advice = Advice({name: data.get(name, "").strip() for name in FIELDS})
    steps = epochs_of(form)
    advice.early = early_order(request.user, workload["name"], steps) if workload else None
    if space is None:
        advice.error = "The search space has mistakes: mend what is marked in it first."
        return advice
    try:
        found = advice_for(
            space,
            _budget(advice.written),
            workload=workload,
            max_resource=steps,
            slots=max(1, slots),
            early=advice.early,
        )
    except Invalid as error:
        advice.error = " ".join(text for texts in error.fields.values() for text in texts)
        return advice
    advice.cards = [one.to_json() for one in (found.choice, *found.alternatives)]
    advice.reserve, advice.measured = found.reserve.to_json(), found.speed is not None
    if found.speed is not None and steps:
        advice.pilot_seconds = PILOT_TRIALS * steps * found.speed.seconds / max(1, min(slots, PILOT_TRIALS))
    return advice


def take(advice: Advice, data: QueryDict) -> str:
    """Type the chosen method into the form; what was taken, or why nothing was."""
    number = data.get("advice", "")
    if not number.isdecimal() or int(number) >= len(advice.cards):
        return "That method is not among the advised ones any more: look again."
    card = advice.cards[int(number)]
    method = {name: value for name, value in card["method"].items() if value not in ({}, None)}
    for name in ("total_resource", *TIMES):
        data[name] = ""
    for name, value in form_settings(method).items():
        data[name] = time_text(value) if name in TIMES else str(value)
    return f"Taken: {card['title']}."


def epochs_of(form: StudyForm) -> int | None:
    """The steps of a full training, as far as the form says."""
    return whole_number(form["max_resource"].value()) if "max_resource" in form.fields else None


def _budget(written: dict[str, str]) -> Budget:
    """Raises Invalid for what cannot be read, and where nothing is written."""
    trials, device, time = (written[name] for name in FIELDS)
    if not (trials or device or time):
        raise Invalid({"budget": [WANTED]})
    if trials and whole_number(trials) is None:
        raise Invalid({"budget": [f"{trials!r} is no number of trainings: write a whole number, such as 50."]})
    spans = {}
    for name, text in (("device_seconds", device), ("seconds", time)):
        spans[name] = seconds_of(text) if text else None
        if text and spans[name] is None:
            raise Invalid({"budget": [f"{text!r} is no time: write it with its unit, such as 90 min, 20 h or 2 d."]})
    return Budget(trials=whole_number(trials), **spans)
