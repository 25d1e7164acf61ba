"""Sharing devices: what people use of them and may use, and keeping one for oneself."""

from typing import Any

from rest_framework import serializers

from tuning.api.serializers.strict import Integer, Number, StrictSerializer, Text
from tuning.api.serializers.tokens import Moment


class PersonRow(serializers.Serializer[Any]):
    """A person's share of the workers."""

    id = serializers.IntegerField(source="user.id")
    username = serializers.CharField(source="user.username")
    running = serializers.IntegerField(help_text="Trials on workers now.")
    cap = serializers.IntegerField(allow_null=True, help_text="The most that may run at once; null: any number.")
    max_running = serializers.IntegerField(
        source="own_cap", allow_null=True, help_text="The person's own cap; null: the server's default holds."
    )
    device_seconds = serializers.FloatField(help_text="Slot-seconds of the last day: who has the fewest goes first.")


class People(serializers.Serializer[Any]):
    """Everybody by name."""

    results = PersonRow(many=True)


class CapChange(StrictSerializer):
    """How many trials of a person may run at once."""

    max_running = Integer(
        allow_null=True, min_value=0, max_value=10_000, help_text="0: none start; null: the server's default holds."
    )


class DeviceReservation(StrictSerializer):
    """For how long a device is kept, for whom, and why; `hours` or `until`."""

    hours = Number(required=False, allow_null=True, help_text="From now; at most 720.")
    until = Moment(required=False, allow_null=True, help_text="At most 30 days ahead.")
    reason = Text(max_length=200, help_text="What it is needed for; everybody who waits sees it.")
    person = Text(
        required=False, allow_blank=True, max_length=150, help_text="For administrators: whom it is kept for."
    )
