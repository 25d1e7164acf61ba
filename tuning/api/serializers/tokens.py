"""API tokens: one's own."""

from datetime import datetime
from typing import Any

from rest_framework import serializers

from tuning.api.serializers.strict import StrictSerializer, Text, json_type


class Moment(serializers.DateTimeField):
    """An ISO 8601 date and time as a JSON string."""

    def to_internal_value(self, value: Any) -> datetime:
        if not isinstance(value, str):
            raise serializers.ValidationError(
                f"Send a date and time as a string; this is {json_type(value)}."
            )
        return super().to_internal_value(value)


class TokenCreation(StrictSerializer):
    """A new token."""

    name = Text(max_length=100, help_text="What will use it.")
    expires = Moment(required=False, allow_null=True, help_text="When it stops working; left out: never.")


class TokenRow(serializers.Serializer[Any]):
    """A token as it can be shown."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    prefix = serializers.CharField(help_text="The secret's first characters.")
    created = serializers.DateTimeField()
    expires = serializers.DateTimeField(allow_null=True)
    last_used = serializers.DateTimeField(allow_null=True)


class TokenList(serializers.Serializer[Any]):
    """One's own tokens."""

    results = TokenRow(many=True)


class NewToken(TokenRow):
    """A token just made; the secret is shown this once."""

    secret = serializers.CharField()
