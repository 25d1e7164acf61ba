"""The form of the final look: which configuration, how many fresh seeds, what they train on, and why again."""

from typing import Any

from django import forms

from tuning.selectors.reveals import LONGEST_REASON, MOST_SEEDS, SEEDS, Retrain, Standing, candidates
from tuning.web.forms.control import NUMBER, ControlForm
from tuning.web.templatetags.display import number


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
            field.choices = [(one.number, f"trial {one.number}: {study.metric} {number(one.value)}") for one in trials]
        if not standing.trains:
            del self.fields["seeds"], self.fields["retrain"]
        if not standing.looks:
            del self.fields["reason"]

    def wanted(self) -> dict[str, Any]:
        return dict(self.cleaned_data)
