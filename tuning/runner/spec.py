"""Reading a job's spec: every field by name and type, with an error that names both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from tuning.runner.failures import JobError

T = TypeVar("T")
_REQUIRED: Any = object()


def read(spec: Mapping[str, Any], name: str, kind: type[T], default: Any = _REQUIRED) -> T:
    """Return the field `name` of `spec`, which must be of type `kind` (or null where the default is None).

    Raises:
        JobError: it is missing and has no default, or is of another type.
    """
    value = spec.get(name, default)
    if value is _REQUIRED:
        raise JobError(f"the spec lacks {name!r}")
    if value is None and default is None:
        return cast(T, None)
    if kind is float and isinstance(value, int):
        value = float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise JobError(f"the spec's {name!r} is of type {kind.__name__}, not {value!r}")
    return value
