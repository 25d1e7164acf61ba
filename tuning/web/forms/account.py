"""Forms of the account page."""

from datetime import timedelta
from typing import Any

from django import forms
from django.utils import timezone

LIFETIMES = (("", "never"), ("30", "in 30 days"), ("90", "in 90 days"), ("365", "in a year"))


class TokenForm(forms.Form):
    """A new API token: what it is for, and when it ends."""

    name = forms.CharField(label="What it is for", max_length=100, help_text="Such as the script or the machine.")
    expires = forms.ChoiceField(label="Ends", choices=LIFETIMES, required=False)

    def clean_expires(self) -> Any:
        days = self.cleaned_data["expires"]
        return timezone.now() + timedelta(days=int(days)) if days else None
