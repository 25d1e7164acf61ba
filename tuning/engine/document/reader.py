"""A whole JSON form: its names, the fields that each entry may have, and the parameters in their order."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any

from tuning.engine.document.conditions import contradictions, read_condition
from tuning.engine.document.entry import Entry
from tuning.engine.document.kinds import read_categorical, read_constant, read_float, read_int
from tuning.engine.errors import SpaceError, SpaceIssue
from tuning.engine.parameters import Parameter
from tuning.engine.values import listed, shown

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]*")
MAX_TEXT = 200  # characters of a name and of an annotation
EXAMPLE = '{"type": "float", "low": 0.0, "high": 0.5}'

READERS = {"float": read_float, "int": read_int, "categorical": read_categorical, "constant": read_constant}
FIELDS = {
    "float": ("low", "high", "log", "step", "prior"),
    "int": ("low", "high", "log", "step", "prior"),
    "categorical": ("choices", "weights"),
    "constant": ("value",),
}
COMMON_FIELDS = ("type", "when", "annotation")

# What other tools call these things.
MEANT_FIELDS = {
    "min": "low",
    "max": "high",
    "values": "choices",
    "q": "step",
    "distribution": "prior",
    "probabilities": "weights",
    "condition": "when",
}
MEANT_TYPES = {
    "number": "float",
    "double": "float",
    "real": "float",
    "integer": "int",
    "choice": "categorical",
    "bool": "categorical",
    "boolean": "categorical",
    "string": "categorical",
    "enum": "categorical",
}


def read_parameters(document: Any) -> tuple[Parameter, ...]:
    """The parameters of a JSON form, in its order. Raises SpaceError with every issue found."""
    if not isinstance(document, Mapping):
        message = f"a search space is an object that holds its parameters by name, not {shown(document)}"
        raise SpaceError([SpaceIssue(None, None, message)])
    if not document:
        message = f'the search space is empty: give it a parameter, such as {{"dropout": {EXAMPLE}}}'
        raise SpaceError([SpaceIssue(None, None, message)])
    names = [name for name in document if isinstance(name, str)]
    issues: list[SpaceIssue] = []
    read: dict[str, Parameter] = {}
    for name, fields in document.items():
        if not isinstance(name, str):
            issues.append(SpaceIssue(shown(name), None, "a parameter's name is text: write it in quotes"))
            continue
        entry = Entry(name, fields if isinstance(fields, Mapping) else {})
        parameter = None
        if isinstance(fields, Mapping):
            parameter = _read(entry, names, read)
        else:
            entry.wrong(None, f"a parameter is an object such as {EXAMPLE}, not {shown(fields)}")
        issues += entry.issues
        if parameter is not None:
            read[name] = parameter
    issues = issues or contradictions(read)
    if issues:
        raise SpaceError(issues)
    return tuple(read.values())


def _read(entry: Entry, names: list[str], read: Mapping[str, Parameter]) -> Parameter | None:
    """The parameter of an entry, or None where the entry or one of its parents has an issue."""
    _check_name(entry)
    kind = _read_kind(entry)
    condition = read_condition(entry, names, names[: names.index(entry.name)], read)
    annotation = _read_annotation(entry)
    if kind is None:
        return None
    _check_fields(entry, kind)
    parameter = READERS[kind](entry, condition, annotation)
    return None if entry.given("when") and condition is None else parameter


def _check_name(entry: Entry) -> None:
    if len(entry.name) > MAX_TEXT:
        entry.wrong(None, f"the name has {len(entry.name)} characters: shorten it to {MAX_TEXT} or fewer")
    elif not NAME.fullmatch(entry.name):
        entry.wrong(
            None,
            f"{shown(entry.name)} cannot be a parameter's name: start with a letter or _, then letters, "
            f"digits, _, . and -",
        )


def _read_kind(entry: Entry) -> str | None:
    kind = entry.fields.get("type")
    if isinstance(kind, str) and kind in FIELDS:
        return kind
    if kind is None:
        entry.wrong("type", f"the type is missing: write one of {listed(FIELDS)}")
        return None
    meant = MEANT_TYPES.get(kind.lower()) if isinstance(kind, str) else None
    entry.wrong(
        "type",
        f"unknown type {shown(kind)}: write " + (shown(meant) if meant else f"one of {listed(FIELDS)}"),
    )
    return None


def _check_fields(entry: Entry, kind: str) -> None:
    allowed = (*FIELDS[kind], *COMMON_FIELDS)
    for field in entry.fields:
        if field in allowed:
            continue
        meant = MEANT_FIELDS.get(field) if isinstance(field, str) else None
        if meant not in allowed:
            close = difflib.get_close_matches(str(field), allowed, 1)
            meant = close[0] if close else None
        remedy = f"write {shown(meant)}" if meant else f"it takes {listed(allowed)}"
        name = field if isinstance(field, str) else shown(field)
        entry.wrong(name, f"{shown(field)} is no field of {kind}: {remedy}")


def _read_annotation(entry: Entry) -> str | None:
    annotation = entry.fields.get("annotation")
    if annotation is None:
        return None
    if not isinstance(annotation, str) or not annotation.strip() or len(annotation) > MAX_TEXT:
        entry.wrong(
            "annotation",
            f"{shown(annotation)} cannot be an annotation: write what the parameter is in 1 to {MAX_TEXT} "
            f'characters, such as "learning_rate", or leave it out',
        )
        return None
    return annotation
