"""The JSON form of a search space, read into parameters; every mistake in it becomes a `SpaceIssue`.

Reading never stops at the first mistake, and a parameter that depends on a faulty one gets no issue of its own
for that.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping
from typing import Any

from tuning.engine.conditions import Condition, OneOf, Test, Within, passing, reach
from tuning.engine.errors import SpaceError, SpaceIssue
from tuning.engine.parameters import (
    Categorical,
    Constant,
    Float,
    Int,
    Parameter,
    SteppedFloat,
    bin_edges,
    stepped_size,
)
from tuning.engine.priors import MIN_MASS, PRIORS, TAIL_SCORE, Beta, LogNormal, Normal, Prior
from tuning.engine.scales import MAX_VALUES, MAX_WEIGHTED
from tuning.engine.values import detached, identity, listed, shown

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]*")
MAX_NAME = 200
MAX_WHOLE = 2**53  # beyond it JavaScript and doubles lose whole numbers
MAX_LOG_WHOLE = 2**40  # beyond it neighbouring bins of the log scale merge in a double
EXAMPLE = '{"type": "float", "low": 0.0, "high": 0.5}'

FIELDS = {
    "float": ("low", "high", "log", "step", "prior"),
    "int": ("low", "high", "log", "step", "prior"),
    "categorical": ("choices", "weights"),
    "constant": ("value",),
}
COMMON_FIELDS = ("type", "when", "annotation")
MEANT = {
    "min": "low",
    "max": "high",
    "values": "choices",
    "q": "step",
    "distribution": "prior",
    "probabilities": "weights",
    "condition": "when",
    "scale": "log",
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
        raise SpaceError(
            [
                SpaceIssue(
                    None,
                    None,
                    f"a search space is an object that holds its parameters by name, not {shown(document)}",
                )
            ]
        )
    if not document:
        raise SpaceError(
            [
                SpaceIssue(
                    None,
                    None,
                    f"the search space is empty: give it at least one parameter, such "
                    f'as {{"dropout": {EXAMPLE}}}',
                )
            ]
        )
    issues: list[SpaceIssue] = []
    names = list(document)
    read: dict[str, Parameter] = {}
    for position, (name, entry) in enumerate(document.items()):
        reader = _ParameterReader(name, entry, names[:position], set(map(_text, names)), read)
        parameter = reader.parameter()
        issues += reader.issues
        if parameter is not None:
            read[name] = parameter
    if not issues:
        issues = [issue for name in read for issue in _contradiction(name, read)]
    if issues:
        raise SpaceError(issues)
    return tuple(read.values())


def _text(name: Any) -> str:
    return name if isinstance(name, str) else shown(name)


def _contradiction(name: str, read: Mapping[str, Parameter]) -> list[SpaceIssue]:
    """An issue where the conditions on the way to a parameter can never hold together."""
    own = read[name].condition
    for ancestor, values in reach(name, read).items():
        # A parameter whose parent never takes part would only repeat the parent's issue.
        if not values and own is not None and all(all(reach(p, read).values()) for p in own.parents):
            return [
                SpaceIssue(
                    name,
                    "when",
                    f"{name} can never take part: its condition ({own}) and those of its "
                    f"parents leave no value of {ancestor}; loosen one of them",
                )
            ]
    return []


class _ParameterReader:
    """Reads one entry; `issues` collects what is wrong with it."""

    def __init__(
        self, name: Any, entry: Any, earlier: list[Any], names: set[str], read: Mapping[str, Parameter]
    ) -> None:
        self.name, self.entry, self.earlier, self.names, self.read = name, entry, earlier, names, read
        self.issues: list[SpaceIssue] = []
        self._faulty: set[str] = set()

    def wrong(self, field: str | None, message: str) -> None:
        self.issues.append(SpaceIssue(_text(self.name), field, message))
        if field is not None:
            self._faulty.add(field)

    def parameter(self) -> Parameter | None:
        """The parameter, or None where there are issues."""
        self._check_name()
        if not isinstance(self.entry, Mapping):
            self.wrong(None, f"a parameter is an object such as {EXAMPLE}, not {shown(self.entry)}")
            return None
        kind = self._kind()
        if kind is None:
            return None
        self._check_fields(kind)
        condition = self._condition()
        annotation = self._annotation()
        build = {
            "float": self._float,
            "int": self._int,
            "categorical": self._categorical,
            "constant": self._constant,
        }[kind]
        parameter = build(condition, annotation)
        return None if self.issues else parameter

    def _check_name(self) -> None:
        if not isinstance(self.name, str):
            self.wrong(None, f"the name is {shown(self.name)}; a name is text")
        elif len(self.name) > MAX_NAME:
            self.wrong(None, f"the name has {len(self.name)} characters; {MAX_NAME} are the most")
        elif not NAME.fullmatch(self.name):
            self.wrong(
                None,
                f"{shown(self.name)} is no parameter name: start with a letter or _, then letters, "
                f"digits, _, . and -",
            )

    def _kind(self) -> str | None:
        kind = self.entry.get("type")
        if isinstance(kind, str) and kind in FIELDS:
            return kind
        known = listed(FIELDS)
        if "type" not in self.entry:
            self.wrong("type", f"the type is missing: write one of {known}")
        else:
            meant = MEANT_TYPES.get(kind.lower()) if isinstance(kind, str) else None
            self.wrong(
                "type",
                f"unknown type {shown(kind)}: " + (f'write "{meant}"' if meant else f"write one of {known}"),
            )
        return None

    def _check_fields(self, kind: str) -> None:
        allowed = (*FIELDS[kind], *COMMON_FIELDS)
        for field in self.entry:
            if field in allowed:
                continue
            meant = MEANT.get(field) if isinstance(field, str) else None
            close = difflib.get_close_matches(_text(field), allowed, 1)
            if meant not in allowed:
                meant = close[0] if close else None
            self.wrong(
                _text(field),
                f"unknown key {shown(field)} for {kind}: "
                + (f'write "{meant}"' if meant else f"it takes {listed(allowed)}"),
            )

    def _annotation(self) -> str | None:
        annotation = self.entry.get("annotation")
        if "annotation" in self.entry and (
            not isinstance(annotation, str) or not annotation.strip() or len(annotation) > MAX_NAME
        ):
            self.wrong(
                "annotation",
                f"{shown(annotation)} says nothing: an annotation is text of 1 to {MAX_NAME} "
                f'characters, such as "learning_rate"; or leave it out',
            )
            return None
        return annotation

    # numbers

    def _number(self, field: str, value: Any, inner: str | None = None) -> float | None:
        """The value as a finite double; else an issue and None."""
        what = f"{inner} {shown(value)}" if inner else shown(value)
        if isinstance(value, bool):
            self.wrong(field, f"{what} is not a number")
        elif isinstance(value, str):
            self.wrong(field, f"{what} is text, not a number: {_as_number(value)}")
        elif not isinstance(value, int | float):
            self.wrong(field, f"{what} is not a number")
        else:
            try:
                number = float(value)
            except OverflowError:
                number = math.inf
            if math.isfinite(number):
                return number + 0.0
            self.wrong(field, f"{what} is not finite: write a number between -1.7e308 and 1.7e308")
        return None

    def _whole(self, field: str, value: Any) -> int | None:
        number = self._number(field, value)
        if number is None:
            return None
        if not number.is_integer():
            self.wrong(field, f'{shown(value)} is not a whole number; round it, or make the type "float"')
            return None
        if abs(number) > MAX_WHOLE:
            self.wrong(
                field,
                f"{shown(value)} is beyond 2^53, where whole numbers lose digits; stay within, or "
                f"search its logarithm as a float",
            )
            return None
        return int(value)

    def _flag(self, field: str) -> bool:
        value = self.entry.get(field, False)
        if not isinstance(value, bool):
            self.wrong(field, f"{shown(value)} is neither true nor false")
            return False
        return value

    def _log(self, low: float | None) -> bool:
        log = self._flag("log")
        if log and self.entry.get("step") is not None:
            self.wrong("step", "a step on a log scale has no meaning: leave out step, or set log to false")
        if log and self.entry.get("prior") is not None and self._prior_name() != "uniform":
            self.wrong("log", "a prior brings its own scale: leave out log, or write the prior log_normal")
        if log and low is not None and low <= 0:
            self.wrong(
                "low",
                f"{low!r} has no logarithm: a log scale needs a low above 0, such as 1e-6 for a float "
                f"or 1 for an int; or set log to false",
            )
        return log

    def _order(self, low: float | None, high: float | None) -> None:
        if low is None or high is None:
            return
        if low > high:
            self.wrong("high", f"{high!r} is below low, {low!r}: exchange them")
        elif low == high:
            self.wrong("high", f'{high!r} equals low: raise high, or make the type "constant"')

    def _missing(self, field: str, why: str) -> None:
        if self.entry.get(field) is None:
            self.wrong(field, f"{field} is missing: {why}")

    # kinds

    def _int(self, condition: Condition | None, annotation: str | None) -> Parameter | None:
        bounds: dict[str, int | None] = {}
        for field in ("low", "high"):
            self._missing(field, "an int needs a low and a high")
            bounds[field] = (
                self._whole(field, self.entry[field]) if self.entry.get(field) is not None else None
            )
        low, high = bounds["low"], bounds["high"]
        self._order(low, high)
        log = self._log(low)
        step = self._whole("step", self.entry["step"]) if self.entry.get("step") is not None else 1
        if step is not None and step <= 0:
            self.wrong("step", f"{step} is not above 0: write 1 or more")
        if self.issues or low is None or high is None or step is None:
            self._prior(None, None)
            return None
        if log and high > MAX_LOG_WHOLE:
            self.wrong(
                "high",
                f"{high} is beyond 2^40, where a log scale cannot keep whole numbers apart; make the "
                f'type "float"',
            )
        size = (high - low) // step + 1
        self._check_steps(step, high - low, size)
        prior = self._prior(low, high, step, size)
        if self.issues:
            return None
        return Int(
            self.name, low, high, log=log, step=step, prior=prior, condition=condition, annotation=annotation
        )

    def _float(self, condition: Condition | None, annotation: str | None) -> Parameter | None:
        values = {
            field: self._number(field, self.entry[field]) if self.entry.get(field) is not None else None
            for field in ("low", "high", "step")
        }
        low, high, step = values["low"], values["high"], values["step"]
        if self._prior_name() == "uniform" or self.entry.get("step") is not None:
            for field in ("low", "high"):
                self._missing(field, "a float without a prior, or with a step, needs a low and a high")
        self._order(low, high)
        log = self._log(low)
        if step is not None and step <= 0:
            self.wrong("step", f"{step!r} is not above 0; leave it out for a continuous parameter")
        if self.issues:
            self._prior(None, None)
            return None
        if step is None or low is None or high is None:
            prior = self._prior(low, high)
            return (
                None
                if self.issues
                else Float(
                    self.name, low, high, log=log, prior=prior, condition=condition, annotation=annotation
                )
            )
        size = stepped_size(low, high, step)
        self._check_steps(step, high - low, size)
        prior = self._prior(low, high, step, size)
        return (
            None
            if self.issues
            else SteppedFloat(
                self.name, low, high, step, prior=prior, condition=condition, annotation=annotation
            )
        )

    def _check_steps(self, step: float, length: float, size: int) -> None:
        if size < 2:
            self.wrong(
                "step",
                f"{step!r} is wider than the range, {length!r}, and leaves only low: make it smaller, "
                f'or the type "constant"',
            )
        elif size > MAX_VALUES:
            self.wrong(
                "step",
                f"a step of {step!r} makes {size:.2g} values; 2^40 are the most: raise it, or use a "
                f"float without step",
            )

    def _categorical(self, condition: Condition | None, annotation: str | None) -> Parameter | None:
        choices = self.entry.get("choices")
        if not isinstance(choices, list | tuple) or not choices:
            self.wrong(
                "choices",
                'the choices are missing: write a list such as ["sgd", "adamw"]'
                if choices is None or choices in ([], ())
                else f'{shown(choices)} is not a list: write the choices as ["sgd", "adamw"]',
            )
            return None
        seen: dict[Any, int] = {}
        for position, choice in enumerate(choices, 1):
            try:
                key = identity(choice)
            except ValueError as error:
                self.wrong(
                    "choices",
                    f"choice {position} {error}: write null, true, false, a number, text, a list "
                    f"or an object",
                )
                continue
            if key in seen:
                self.wrong(
                    "choices",
                    f"{shown(choice)} stands there twice, as choice {seen[key]} and {position}: "
                    f"remove one; weights make a choice more likely",
                )
            seen.setdefault(key, position)
        weights = self._weights(len(choices))
        if self.issues:
            return None
        return Categorical(
            self.name,
            tuple(detached(choice) for choice in choices),
            weights=weights,
            condition=condition,
            annotation=annotation,
        )

    def _weights(self, count: int) -> tuple[float, ...] | None:
        weights = self.entry.get("weights")
        if weights is None:
            return None
        if not isinstance(weights, list | tuple):
            self.wrong("weights", f"{shown(weights)} is not a list: write one number for each choice")
            return None
        if len(weights) != count:
            self.wrong("weights", f"there are {len(weights)} weights for {count} choices: write one for each")
        numbers = [self._number("weights", weight, f"weight {k}") for k, weight in enumerate(weights, 1)]
        for weight in numbers:
            if weight is not None and weight <= 0:
                self.wrong(
                    "weights",
                    f"a weight of {weight!r} is not above 0: leave a choice out that is never meant",
                )
        return None if "weights" in self._faulty else tuple(w for w in numbers if w is not None)

    def _constant(self, condition: Condition | None, annotation: str | None) -> Parameter | None:
        if "value" not in self.entry:
            self.wrong("value", "the value is missing: a constant needs one, null included")
            return None
        try:
            identity(self.entry["value"])
        except ValueError as error:
            self.wrong(
                "value", f"the value {error}: write null, true, false, a number, text, a list or an object"
            )
        if self.issues:
            return None
        return Constant(self.name, detached(self.entry["value"]), condition=condition, annotation=annotation)

    # priors

    def _prior_name(self) -> Any:
        prior = self.entry.get("prior")
        if prior is None:
            return "uniform"
        return prior.get("name") if isinstance(prior, Mapping) else prior

    def _prior(
        self, low: float | None, high: float | None, step: float | None = None, size: int | None = None
    ) -> Prior | None:
        """The prior over low..high; None for uniform or where there is an issue."""
        document = self.entry.get("prior")
        if document is None:
            return None
        if not isinstance(document, Mapping):
            self.wrong(
                "prior",
                f'{shown(document)} is not an object: write {{"name": "normal", "mu": 0.3, "sigma": 0.1}}',
            )
            return None
        name = document.get("name")
        kind = PRIORS.get(name) if isinstance(name, str) else None
        if kind is None and name != "uniform":
            self.wrong("prior", f"unknown name {shown(name)}: write one of {listed(['uniform', *PRIORS])}")
            return None
        fields = kind.fields if kind is not None else ()
        for field in document:
            if field not in ("name", *fields):
                self.wrong("prior", f"unknown key {shown(field)}: {name} takes {listed(('name', *fields))}")
        numbers = {}
        for field in fields:
            if field not in document:
                self.wrong("prior", f"{field} is missing: {name} needs {listed(fields)}")
            else:
                numbers[field] = self._number("prior", document[field], field)
        if kind is None or "prior" in self._faulty:
            return None
        for field in ("sigma", "a", "b"):
            number = numbers.get(field)
            if number is not None and number <= 0:
                self.wrong("prior", f"{field} {number!r} is not above 0")
            elif field != "sigma" and number is not None and not 1e-3 <= number <= 1e6:
                self.wrong(
                    "prior", f"{field} {number!r} is too extreme for a double: stay within 0.001 and 1e6"
                )
        if self.issues:
            return None
        prior: Prior = kind(**numbers)  # type: ignore[arg-type]
        self._check_support(prior, low, high)
        if not self.issues:
            self._check_mass(prior, low, high, step, size)
        return None if self.issues else prior

    def _check_support(self, prior: Prior, low: float | None, high: float | None) -> None:
        start, end = prior.support
        reason = "0 to 1" if isinstance(prior, Beta) else "above 0"
        if low is not None and low < start:
            self.wrong(
                "low",
                f"{low!r} is outside the prior {prior.name}, which lies on {reason}: write "
                f"{start!r} or more, or leave it out",
            )
        if high is not None and high > end:
            self.wrong(
                "high",
                f"{high!r} is outside the prior {prior.name}, which lies on {reason}: write "
                f"{end!r} or less, or leave it out",
            )

    def _check_mass(
        self, prior: Prior, low: float | None, high: float | None, step: float | None, size: int | None
    ) -> None:
        if size is not None and size > MAX_WEIGHTED:
            self.wrong(
                "step",
                f"a prior over {size} values is not tabulated; 2^20 are the most: raise the step, or "
                f"use a float without step",
            )
            return
        start = prior.support[0] if low is None else low
        end = prior.support[1] if high is None else high
        if size is not None and step is not None and low is not None:
            start, end = (float(edge) for edge in bin_edges(low, step, size)[[0, -1]])
        if not prior.mass(start, end) >= MIN_MASS:
            self.wrong(
                "prior",
                f"{prior.name} puts less than a billionth of its mass between low and high: move the "
                f"bounds or the prior's {listed(prior.fields)}",
            )
        elif isinstance(prior, Normal) and size is None:
            logarithmic = isinstance(prior, LogNormal)
            reach = abs(prior.mu) + TAIL_SCORE * prior.sigma
            if reach > (700.0 if logarithmic else 1e300) and (
                high is None or (low is None and not logarithmic)
            ):
                self.wrong(
                    "prior",
                    f"{prior.name} reaches beyond what a double holds: lower "
                    f"{listed(prior.fields)}, or give a low and a high",
                )

    # conditions

    def _condition(self) -> Condition | None:
        when = self.entry.get("when")
        if when is None:
            return None
        if not isinstance(when, Mapping) or not when:
            self.wrong(
                "when",
                f"{shown(when)} is no condition: name the parents and their values, such as "
                f'{{"optimizer": ["sgd"]}} or {{"layers": {{"low": 2}}}}; or leave it out',
            )
            return None
        tests = []
        for parent, wanted in when.items():
            if self._check_parent(parent):
                test = self._test(parent, wanted)
                if test is not None:
                    tests.append((parent, test))
        return None if "when" in self._faulty or len(tests) < len(when) else Condition(tuple(tests))

    def _check_parent(self, parent: Any) -> bool:
        if parent == self.name:
            self.wrong("when", f"{_text(parent)} cannot depend on itself: name another parameter")
        elif _text(parent) not in self.names:
            close = difflib.get_close_matches(_text(parent), self.names - {_text(self.name)}, 1)
            self.wrong(
                "when",
                f"there is no parameter {shown(parent)}"
                + (
                    f": did you mean {shown(close[0])}?"
                    if close
                    else " to depend on: add it before this one, or remove the condition"
                ),
            )
        elif parent not in self.earlier:
            self.wrong(
                "when",
                f"{parent} comes after {_text(self.name)}: a parent stands before those that depend "
                f"on it, so move {parent} up",
            )
        else:
            return True
        return False

    def _test(self, name: str, wanted: Any) -> Test | None:
        parent = self.read.get(name)
        if isinstance(wanted, Mapping):
            range_test = self._range(name, wanted)
            if range_test is not None and parent is not None and not passing(parent, range_test):
                self.wrong("when", f"{name} is never {range_test}: it is {parent.domain}")
                return None
            return range_test
        if not isinstance(wanted, list | tuple) or not wanted:
            self.wrong(
                "when",
                f"{shown(wanted)} is no condition on {name}: write a list of values, such as "
                f'["sgd"], or a range, such as {{"low": 2}}',
            )
            return None
        if parent is None:
            return None
        if parent.size is None:
            self.wrong(
                "when",
                f"{name} is continuous and hardly ever exactly {listed(wanted)}: write a range, such "
                f'as {{"low": 0.1, "high": 0.2}}',
            )
            return None
        values, keys = [], set()
        for value in wanted:
            try:
                values.append(parent.canonical(value))
            except ValueError as error:
                self.wrong("when", f"{name} cannot take {shown(value)}: {error}")
                continue
            if identity(values[-1]) in keys:
                self.wrong("when", f"{shown(value)} stands twice in the condition on {name}: remove one")
            keys.add(identity(values[-1]))
        return None if "when" in self._faulty else OneOf(tuple(values))

    def _range(self, name: str, wanted: Mapping[Any, Any]) -> Within | None:
        unknown = [key for key in wanted if key not in ("low", "high")]
        if unknown or not any(wanted.get(key) is not None for key in ("low", "high")):
            self.wrong(
                "when",
                (
                    f"unknown key {shown(unknown[0])} in the range of {name}"
                    if unknown
                    else f"the range of {name} is empty"
                )
                + ': write {"low": ..., "high": ...} or one of them',
            )
            return None
        sides: dict[str, float | int | None] = {"low": None, "high": None}
        for key in sides:
            if wanted.get(key) is not None:
                number = self._number("when", wanted[key], f"the {key} of {name},")
                if number is None:
                    return None
                sides[key] = int(number) if isinstance(wanted[key], int) else number
        low, high = sides["low"], sides["high"]
        if low is not None and high is not None and low > high:
            self.wrong(
                "when", f"the range of {name} has its low, {low!r}, above its high, {high!r}: exchange them"
            )
            return None
        return Within(low, high)


def _as_number(text: str) -> str:
    """How to write a number that arrived as text."""
    try:
        number = float(text)
    except ValueError:
        return "write it without quotes"
    if not math.isfinite(number):
        return "an infinite bound is not possible, write a finite number"
    written = repr(number)
    mantissa, exponent, power = written.partition("e")
    if exponent and "." not in mantissa:
        written = f"{mantissa}.0e{power}"
    if re.fullmatch(r"[-+]?\d+[eE][-+]?\d+", text.strip()):
        return f"YAML reads {text.strip()} as text, write {_dotted(text.strip())}"
    return f"write {written} without quotes"


def _dotted(text: str) -> str:
    """1e-5 as 1.0e-5, and 1e5 as 1.0e+5: what YAML 1.1 reads as numbers."""
    mantissa, power = re.split("[eE]", text)
    return f"{mantissa}.0e{power if power[0] in '+-' else '+' + power}"
