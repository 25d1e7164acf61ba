"""A text column that holds JSON: key order is kept, and NaN and the infinities survive as {"$f": "nan"}.

PostgreSQL's jsonb reorders keys and SQLite's JSON check refuses NaN; plain text with tagged non-finite numbers does
neither.
"""

import json
import math
from typing import Any

from django.db import models

NON_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def tag_non_finite(value: Any) -> Any:
    """Replace every NaN and infinity in nested dicts and lists by {"$f": "nan" | "inf" | "-inf"}."""
    if isinstance(value, float) and not math.isfinite(value):
        return {"$f": "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"}
    if isinstance(value, dict):
        return {key: tag_non_finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [tag_non_finite(item) for item in value]
    return value


def _untag(pairs: dict[str, Any]) -> Any:
    kind = pairs.get("$f") if len(pairs) == 1 else None
    return NON_FINITE.get(kind, pairs) if isinstance(kind, str) else pairs


def dump_json(value: Any) -> str:
    return storable(json.dumps(tag_non_finite(value), allow_nan=False, separators=(",", ":"), ensure_ascii=False))


def storable(text: str) -> str:
    """The text as every database takes it: PostgreSQL has no NUL character, and none has half a surrogate pair."""
    return text.encode("utf-8", "replace").decode().replace("\x00", "\ufffd")


def load_json(text: str) -> Any:
    return json.loads(text, object_hook=_untag)


class JSONTextField(models.TextField):
    """JSON in a text column; a NULL column is None, the JSON null is not stored."""

    description = "JSON as text, order kept, non-finite numbers tagged"
    # For the type checker alone: any JSON value goes in and comes out.
    _pyi_private_set_type: Any
    _pyi_private_get_type: Any
    _pyi_lookup_exact_type: Any

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Any:
        return None if value is None else load_json(value)

    def to_python(self, value: Any) -> Any:
        return load_json(value) if isinstance(value, str) else value

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None else dump_json(value)

    def value_to_string(self, obj: models.Model) -> str:
        return dump_json(self.value_from_object(obj))
