"""Reading a request's body: JSON in UTF-8, of a bounded size, with nothing in it that a table cannot hold."""

import json
import math
from collections.abc import Mapping
from typing import IO, Any, NoReturn

from django.conf import settings
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import JSONParser

NON_FINITE_REMEDY = (
    'JSON has no NaN or Infinity; send the string "nan", "inf" or "-inf" where a metric is not finite'
)


class TooLarge(APIException):
    """The body is longer than DATA_UPLOAD_MAX_MEMORY_SIZE."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"

    def __init__(self) -> None:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        super().__init__(f"The body is longer than {limit:,} bytes; send it in several requests.")


class StrictJSON(JSONParser):
    """DRF's JSON parser with a bound on the size, and refusing numbers that overflow, NUL and lone
    surrogates.
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
            document = json.loads(raw.decode("utf-8"), parse_constant=_refuse_constant, parse_float=_finite)
        except UnicodeDecodeError as error:
            raise ParseError(
                f"The body is not UTF-8: byte {error.start} is {raw[error.start]:#04x}."
            ) from None
        except json.JSONDecodeError as error:
            raise ParseError(f"The body is not JSON: {error}.") from None
        except RecursionError:
            raise ParseError("The body is nested too deeply to be read.") from None
        except ValueError as error:
            raise ParseError(f"The body is not JSON: {error}.") from None
        if b"\\u" in raw or b"\x00" in raw:
            _refuse_unstorable(document)
        return document


def _refuse_constant(name: str) -> NoReturn:
    raise ParseError(f"The body is not JSON: it holds {name}. {NON_FINITE_REMEDY}.")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ParseError(f"The number {digits[:40]} is larger than a float can hold. {NON_FINITE_REMEDY}.")
    return value


def _refuse_unstorable(document: Any) -> None:
    """Raise ParseError for text that PostgreSQL or UTF-8 cannot hold, in a key or a value, at any depth."""
    if isinstance(document, str):
        if "\x00" in document:
            raise ParseError("The body holds the character U+0000, which text here cannot contain.")
        if any("\ud800" <= character <= "\udfff" for character in document):
            raise ParseError(
                "The body holds half of a surrogate pair (\\ud800 to \\udfff); send whole characters."
            )
    elif isinstance(document, dict):
        for key, value in document.items():
            _refuse_unstorable(key)
            _refuse_unstorable(value)
    elif isinstance(document, list):
        for value in document:
            _refuse_unstorable(value)
