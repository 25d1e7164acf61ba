"""Reading a request's body: JSON in UTF-8, of a bounded size, with nothing in it that a table cannot hold."""

import json
import math
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import JSONParser

NON_FINITE_REMEDY = (
    "JSON has no NaN or Infinity: write a finite number, "
    'or send the string "nan", "inf" or "-inf" where a metric is not finite'
)


class TooLarge(APIException):
    """The body is longer than DATA_UPLOAD_MAX_MEMORY_SIZE."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"

    def __init__(self) -> None:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        super().__init__(f"The body is longer than {limit:,} bytes; send it in several requests.")


class StrictJSON(JSONParser):
    """DRF's JSON parser with a bound on the size, and refusing numbers that overflow, names that stand
    twice in an object, NUL and lone surrogates.
    """

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """The decoded document. Raises TooLarge, or ParseError with the place and the remedy."""
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        raw = stream.read(limit + 1)
        if len(raw) > limit:
            raise TooLarge()
        try:
            document = json.loads(
                raw.decode("utf-8"), parse_constant=_Number, parse_float=_Number.read, object_pairs_hook=_unique
            )
        except UnicodeDecodeError as error:
            raise ParseError(f"The body is not UTF-8: byte {error.start} is {raw[error.start]:#04x}.") from None
        except json.JSONDecodeError as error:
            raise ParseError(f"The body is not JSON: {error}.") from None
        except RecursionError:
            raise ParseError("The body is nested too deeply to be read.") from None
        except ValueError:  # Python's limit of 4,300 digits
            raise ParseError(
                "The body is not JSON that can be read: it holds a whole number of too many digits."
            ) from None
        _refuse_non_finite(document)
        if b"\\u" in raw or b"\x00" in raw:
            _refuse_unstorable(document)
        return document


class _Number(float):
    """A number that is not finite, and how the body writes it; it is refused once its place is known."""

    written: str

    def __new__(cls, written: str) -> "_Number":
        number = super().__new__(cls, written)
        number.written = written
        return number

    @classmethod
    def read(cls, digits: str) -> float:
        value = float(digits)
        return value if math.isfinite(value) else cls(digits)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these names and values. Raises ParseError for a name that stands there twice."""
    document = dict(pairs)
    if len(document) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ParseError(f"The name {json.dumps(twice[:80])} stands twice in the same object; send it once.")
    return document


def _refuse_non_finite(document: Any, place: str = "") -> None:
    """Raise ParseError for a number that is not finite, at any depth, with its dotted path."""
    if isinstance(document, _Number):
        where = f"{place} is {document.written[:40]}" if place else f"The body is {document.written[:40]}"
        larger = "" if document.written[-1].isalpha() else ", larger than a float can hold"
        raise ParseError(f"{where}{larger}. {NON_FINITE_REMEDY}.")
    items = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, value in items:
        _refuse_non_finite(value, f"{place}.{key}" if place else str(key))


def _refuse_unstorable(document: Any) -> None:
    """Raise ParseError for text that PostgreSQL or UTF-8 cannot hold, in a key or a value, at any depth."""
    if isinstance(document, str):
        if "\x00" in document:
            raise ParseError("The body holds the character U+0000, which text here cannot contain.")
        if any("\ud800" <= character <= "\udfff" for character in document):
            raise ParseError("The body holds half of a surrogate pair (\\ud800 to \\udfff); send whole characters.")
    elif isinstance(document, dict):
        for key, value in document.items():
            _refuse_unstorable(key)
            _refuse_unstorable(value)
    elif isinstance(document, list):
        for value in document:
            _refuse_unstorable(value)
