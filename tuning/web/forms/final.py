"""The form of the final look: which configuration, how many fresh seeds, what they train on, and why again."""

from typing import Any

from django import forms
from django.utils.html import format_html
from django.utils.safestring import SafeString

from tuning.selectors.reveals import LONGEST_REASON, MOST_SEEDS, SEEDS, Retrain, Standing, candidates, seconds_per_seed
from tuning.web.forms.control import NUMBER, ControlForm
from tuning.web.templatetags.display import duration, number, params


class FinaliseForm(ControlForm):
    """What is sealed; fields that do not apply are left out."""

    trial = forms.TypedChoiceField(label="Configuration", coerce=int, widget=forms.RadioSelect)
    seeds = forms.IntegerField(
        label="Fresh seeds",
        min_value=1,
        max_value=MOST_SEEDS,
        widget=forms.TextInput(NUMBER),
        help_text=f"Trainings with seeds that no trial has used, 1 to {MOST_SEEDS}; one alone tells no spread.",
    )
    retrain = forms.ChoiceField(
        label="Train on",
        choices=[
            (Retrain.TRAIN.value, "the training split, as the trials did"),
            (Retrain.BOTH.value, "training and validation split together, to the trial’s best step"),
        ],
        widget=forms.RadioSelect,
    )
    reason = forms.CharField(
        label="Why look again",
        max_length=LONGEST_REASON,
        required=False,
        widget=forms.TextInput({"autocomplete": "off"}),
        help_text="The reason is kept, and the result is marked as of a test set that was used before.",
    )

    def __init__(self, study: Any, standing: Standing, data: Any = None) -> None:
        trials = candidates(study)
        first = trials[0].number if trials else None
        super().__init__(data, initial={"trial": first, "seeds": SEEDS, "retrain": Retrain.TRAIN.value})
        field = self.fields["trial"]
        if isinstance(field, forms.ChoiceField):
            field.choices = [(one.number, _label(study, one, standing.trains)) for one in trials]
        if not standing.trains:
            del self.fields["seeds"], self.fields["retrain"]
        if not standing.looks:
            del self.fields["reason"]

    def wanted(self) -> dict[str, Any]:
        return dict(self.cleaned_data)


def _label(study: Any, trial: Any, trains: bool) -> SafeString:
    """What a configuration scored and is, and what a fresh training of it takes."""
    text = f"trial {trial.number}: {study.metric} {number(trial.value)}{_cost(trial) if trains else ''}"
    return format_html('{}<br><span class="quiet small break">{}</span>', text, params(trial.params))


def _cost(trial: Any) -> str:
    """The time of one seed by what it is trained on; empty where the trial's own is not known."""
    alone, both = (seconds_per_seed(trial, way) for way in (Retrain.TRAIN, Retrain.BOTH))
    if alone is None:
        return ""
    words = f", about {duration(alone)} a seed"
    return words if duration(both) == duration(alone) else f"{words} ({duration(both)} on both splits)"
