"""The shape of a refusal, for the schema; tuning.api.errors makes the documents."""

from typing import Any

from rest_framework import serializers


class FieldError(serializers.Serializer[Any]):
    """What is wrong with one field."""

    field = serializers.CharField(help_text="Dotted path, such as space.lr.low; empty: the body as a whole.")
    message = serializers.CharField()


class Problem(serializers.Serializer[Any]):
    """A problem document of RFC 9457."""

    type = serializers.CharField(
        help_text="about:blank, or a URN that tells this problem from others of its status.",
    )
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    errors = FieldError(many=True)  # type: ignore[assignment]  # the document's name; DRF takes fields off the class
