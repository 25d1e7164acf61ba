"""Fields that take a JSON type as it is, and a serializer that refuses what it does not know.

DRF's own fields read "3" and true as the integer 3 or 1. A typing error in a script's settings should be
told, not guessed at.
"""

import math
from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.fields import empty
from rest_framework.settings import api_settings

LARGEST_INTEGER = 2**63 - 1
NON_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


class StrictSerializer(serializers.Serializer[Any]):
    """A serializer whose input may hold its own fields and nothing else."""

    def run_validation(self, data: Any = empty) -> Any:
        """The validated input. Raises ValidationError, also where the input is no JSON object."""
        if data is not empty and not isinstance(data, Mapping):
            words = f"Send a JSON object with the fields {_listing(self.writable())}; this is {json_type(data)}."
            raise serializers.ValidationError({api_settings.NON_FIELD_ERRORS_KEY: [words]})
        return super().run_validation(data)

    def to_internal_value(self, data: Any) -> Any:
        """The input's fields. Raises ValidationError naming unknown fields and listing the known ones."""
        known = self.writable()
        unknown = [name for name in data if name not in known]
        if unknown:
            words = (
                f"There is no such field here; the fields are {_listing(known)}." if known else "Nothing is taken here."
            )
            raise serializers.ValidationError({str(name): [words] for name in unknown})
        return super().to_internal_value(data)

    def writable(self) -> list[str]:
        """The names that the input may hold."""
        return [name for name, field in self.fields.items() if not field.read_only]


class Nothing(StrictSerializer):
    """The body or the query of an endpoint that takes none."""


class Text(serializers.CharField):
    """A JSON string."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            raise serializers.ValidationError(f"Send a string; this is {json_type(data)}.")
        return str(super().to_internal_value(data))


class Choice(serializers.ChoiceField):
    """One of a few JSON strings."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str) or data not in self.choices:
            shown = f"{data[:60]!r}" if isinstance(data, str) else json_type(data)
            raise serializers.ValidationError(f"Send one of {_listing(self.choices)}; this is {shown}.")
        return data


class Integer(serializers.IntegerField):
    """A JSON integer within 64 bits; 3.0 is taken as 3."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("min_value", -LARGEST_INTEGER - 1)
        options.setdefault("max_value", LARGEST_INTEGER)
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, float) and data.is_integer():
            return int(data)
        if isinstance(data, bool) or not isinstance(data, int):
            raise serializers.ValidationError(f"Send an integer; this is {json_type(data)}.")
        return data


class Number(serializers.FloatField):
    """A finite JSON number."""

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool) or not isinstance(data, int | float):
            raise serializers.ValidationError(f"Send a number; this is {json_type(data)}.")
        return float(super().to_internal_value(data))


class Flag(serializers.BooleanField):
    """A JSON true or false."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            raise serializers.ValidationError(f"Send true or false; this is {json_type(data)}.")
        return data


@extend_schema_field({"type": "object", "additionalProperties": {}})
class Document(serializers.Field[Any, Any, Any, Any]):
    """A JSON object whose inside a service checks."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            raise serializers.ValidationError(f"Send a JSON object; this is {json_type(data)}.")
        return data

    def to_representation(self, value: Any) -> Any:
        return finite_json(value)


METRIC_SCHEMA = {
    "oneOf": [
        {"type": "number"},
        {"type": "string", "enum": list(NON_FINITE)},
        {
            "type": "object",
            "properties": {"$f": {"type": "string", "enum": list(NON_FINITE)}},
            "required": ["$f"],
            "additionalProperties": False,
        },
    ],
    "description": 'A number, or "nan", "inf" or "-inf" (also as {"$f": "nan"}): JSON has no such numbers.',
}


@extend_schema_field(METRIC_SCHEMA)
class MetricValue(serializers.Field[Any, Any, Any, Any]):
    """A number as a script measured it; NaN and the infinities come as strings or tagged, never as JSON
    numbers.
    """

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, dict) and set(data) == {"$f"}:
            data = data["$f"]
        if isinstance(data, str) and data in NON_FINITE:
            return NON_FINITE[data]
        if isinstance(data, bool) or not isinstance(data, int | float):
            shown = f"the string {data[:40]!r}" if isinstance(data, str) else json_type(data)
            raise serializers.ValidationError(f'Send a number, or "nan", "inf" or "-inf"; this is {shown}.')
        try:
            return float(data)
        except OverflowError:
            raise serializers.ValidationError("The integer is larger than a float can hold.") from None

    def to_representation(self, value: Any) -> Any:
        return finite_json(value)


def finite_json(value: Any) -> Any:
    """`value` with every NaN and infinity, at any depth, as the string "nan", "inf" or "-inf"."""
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    if isinstance(value, dict):
        return {key: finite_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite_json(item) for item in value]
    return value


def json_type(value: Any) -> str:
    """What JSON calls the type of a decoded value, with its article."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    names = {str: "a string", int: "an integer", float: "a number", list: "a list", dict: "an object"}
    return names.get(type(value), f"a {type(value).__name__}")


def _listing(names: Any) -> str:
    return ", ".join(str(name) for name in names) or "none"
