"""The field `when` of a parameter, and conditions that contradict each other."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from tuning.engine.conditions import Condition, OneOf, Test, Within, passing, reach
from tuning.engine.document.entry import Entry
from tuning.engine.errors import SpaceIssue
from tuning.engine.parameters import Parameter
from tuning.engine.values import identity, listed, shown

EXAMPLE = '{"optimizer": ["sgd"]} or {"layers": {"low": 2}}'


def read_condition(
    entry: Entry, names: Sequence[str], earlier: Sequence[str], read: Mapping[str, Parameter]
) -> Condition | None:
    """The condition, or None where there is none or an issue.

    `names` are all parameters', `earlier` those before this one, `read` the earlier ones without issues.
    """
    when = entry.fields.get("when")
    if when is None:
        return None
    if not isinstance(when, Mapping) or not when:
        entry.wrong("when", f"{shown(when)} is no condition: write one such as {EXAMPLE}, or leave it out")
        return None
    tests = []
    for parent, wanted in when.items():
        if _is_parent(entry, parent, names, earlier):
            test = _read_test(entry, parent, wanted, read.get(parent))
            if test is not None:
                tests.append((parent, test))
    return Condition(tuple(tests)) if len(tests) == len(when) else None


def _is_parent(entry: Entry, parent: Any, names: Sequence[str], earlier: Sequence[str]) -> bool:
    if not isinstance(parent, str) or parent not in names:
        close = difflib.get_close_matches(str(parent), [name for name in names if name != entry.name], 1)
        remedy = f"did you mean {close[0]}?" if close else "add it before this one, or remove the condition"
        entry.wrong("when", f"there is no parameter {shown(parent)} to depend on: {remedy}")
    elif parent == entry.name:
        entry.wrong("when", f"{parent} cannot depend on itself: name another parameter")
    elif parent not in earlier:
        entry.wrong(
            "when",
            f"{parent} comes after {entry.name}, but a parent stands before those that depend on it: move {parent} up",
        )
    else:
        return True
    return False


def _read_test(entry: Entry, name: str, wanted: Any, parent: Parameter | None) -> Test | None:
    """The test on one parent; None where there is an issue or, without one, where the parent is faulty."""
    if isinstance(wanted, Mapping):
        within = _read_range(entry, name, wanted)
        if within is not None and parent is not None and not passing(parent, within):
            entry.wrong("when", f"{name} is never {within}: it is {parent.domain}")
            return None
        return within
    if not isinstance(wanted, list | tuple) or not wanted:
        entry.wrong(
            "when",
            f'{shown(wanted)} is no condition on {name}: write a list of values, such as ["sgd"], or a '
            f'range, such as {{"low": 2}}',
        )
        return None
    return None if parent is None else _read_values(entry, parent, wanted)


def _read_values(entry: Entry, parent: Parameter, wanted: Sequence[Any]) -> OneOf | None:
    if parent.size is None:
        entry.wrong(
            "when",
            f"{parent.name} is continuous and hardly ever exactly {listed(wanted)}: write a range, such as "
            f'{{"low": 0.1, "high": 0.2}}',
        )
        return None
    before = len(entry.issues)
    values = []
    seen = set()
    for value in wanted:
        try:
            values.append(parent.canonical(value))
        except ValueError as error:
            entry.wrong("when", f"{parent.name} cannot take {shown(value)}: {error}")
            continue
        key = identity(values[-1])
        if key in seen:
            entry.wrong("when", f"{shown(value)} stands twice in the condition on {parent.name}: remove one")
        seen.add(key)
    return OneOf(tuple(values)) if len(entry.issues) == before else None


def _read_range(entry: Entry, name: str, wanted: Mapping[Any, Any]) -> Within | None:
    form = 'write {"low": ..., "high": ...}, or one of the two'
    unknown = [key for key in wanted if key not in ("low", "high")]
    if unknown:
        entry.wrong("when", f"unknown key {shown(unknown[0])} in the range of {name}: {form}")
        return None
    given = {key: value for key, value in wanted.items() if value is not None}
    if not given:
        entry.wrong("when", f"the range of {name} is empty: {form}")
        return None
    sides: dict[str, float | int] = {}
    for key, value in given.items():
        number = entry.as_number("when", value, f"the {key} of {name},")
        if number is None:
            return None
        sides[key] = int(value) if isinstance(value, int) else number
    if len(sides) == 2 and sides["low"] > sides["high"]:
        entry.wrong(
            "when",
            f"the range of {name} has its low, {sides['low']!r}, above its high, {sides['high']!r}: exchange them",
        )
        return None
    return Within(sides.get("low"), sides.get("high"))


def contradictions(parameters: Mapping[str, Parameter]) -> list[SpaceIssue]:
    """An issue for each parameter that could take part by its parents, but by its own condition never can."""
    impossible: dict[str, str] = {}
    issues = []
    for name, parameter in parameters.items():
        empty = [ancestor for ancestor, values in reach(name, parameters).items() if not values]
        if not empty:
            continue
        impossible[name] = empty[0]
        condition = parameter.condition
        if condition is not None and impossible.keys().isdisjoint(condition.parents):
            issues.append(
                SpaceIssue(
                    name,
                    "when",
                    f"{name} can never take part: its condition ({condition}) and those of its parents leave "
                    f"no value of {empty[0]}: loosen one of them",
                )
            )
    return issues
