"""The fields of each kind of parameter; a kind's reader builds the parameter where its entry has no issue."""

from __future__ import annotations

from typing import Any

from tuning.engine.conditions import Condition
from tuning.engine.document.entry import Entry
from tuning.engine.document.priors import check_range, check_steps, prior_name, read_prior
from tuning.engine.parameters import Categorical, Constant, Float, Int, Parameter, SteppedFloat
from tuning.engine.parameters.numeric import stepped_size
from tuning.engine.scales import MAX_VALUES
from tuning.engine.values import detached, identity, shown

JSON_VALUES = "null, true, false, a number, text, a list or an object"
MAX_LOG_WHOLE = 2**40  # beyond it neighbouring bins of the log scale merge in a double


def read_int(entry: Entry, condition: Condition | None, annotation: str | None) -> Parameter | None:
    for field in ("low", "high"):
        entry.require(field, "an int needs a low and a high")
    low, high = entry.whole("low"), entry.whole("high")
    step = entry.whole("step") if entry.given("step") else 1
    log = _read_scale(entry, low, high, step)
    prior = read_prior(entry)
    if entry.issues or low is None or high is None or step is None:
        return None
    if log and high > MAX_LOG_WHOLE:
        entry.wrong(
            "high",
            f"{high} is beyond 2^40, where a log scale cannot keep whole numbers apart: lower it, or make "
            f'the type "float"',
        )
    size = (high - low) // step + 1
    if not entry.issues:
        _check_size(entry, step, high - low, size)
    if prior is not None and not entry.issues:
        check_steps(entry, prior, low, step, size)
    if entry.issues:
        return None
    return Int(entry.name, low, high, log=log, step=step, prior=prior, condition=condition, annotation=annotation)


def read_float(entry: Entry, condition: Condition | None, annotation: str | None) -> Parameter | None:
    if prior_name(entry) == "uniform" or entry.given("step"):
        for field in ("low", "high"):
            entry.require(field, "only a float with a prior and without a step may leave it out")
    low, high, step = entry.number("low"), entry.number("high"), entry.number("step")
    log = _read_scale(entry, low, high, step)
    prior = read_prior(entry)
    if entry.issues:
        return None
    if step is None or low is None or high is None:
        if prior is not None:
            check_range(entry, prior, low, high)
        if entry.issues:
            return None
        return Float(entry.name, low, high, log=log, prior=prior, condition=condition, annotation=annotation)
    size = stepped_size(low, high, step)
    _check_size(entry, step, high - low, size)
    if prior is not None and not entry.issues:
        check_steps(entry, prior, low, step, size)
    if entry.issues:
        return None
    return SteppedFloat(entry.name, low, high, step, prior=prior, condition=condition, annotation=annotation)


def _read_scale(entry: Entry, low: float | None, high: float | None, step: float | None) -> bool:
    """The flag `log`, after noting what is wrong with the bounds, the step and the scale together."""
    if low is not None and high is not None and low >= high:
        remedy = "exchange the two" if low > high else 'raise it, or make the type "constant"'
        entry.wrong("high", f"{high!r} is {'below' if low > high else 'the same as'} low, {low!r}: {remedy}")
    if step is not None and step <= 0:
        entry.wrong("step", f"{step!r} is not above 0: write a positive step, or leave it out")
    log = entry.flag("log")
    if not log:
        return False
    if entry.given("step"):
        entry.wrong("step", "a step has no meaning on a log scale: leave it out, or set log to false")
    if prior_name(entry) != "uniform":
        entry.wrong("log", "a prior brings its own scale: leave log out, or use the prior log_normal")
    if low is not None and low <= 0:
        entry.wrong(
            "low",
            f"{low!r} has no logarithm: a log scale needs a low above 0, such as 1.0e-6 for a float or 1 for "
            f"an int; or set log to false",
        )
    return True


def _check_size(entry: Entry, step: float, length: float, size: int) -> None:
    if size < 2:
        entry.wrong(
            "step",
            f"{step!r} is wider than the range, {length!r}, and leaves only low: make it smaller, or the "
            f'type "constant"',
        )
    elif size > MAX_VALUES:
        entry.wrong(
            "step" if entry.given("step") else "high",
            "the range has more than 2^40 values: narrow it, raise the step, or use a float without step",
        )


def read_categorical(entry: Entry, condition: Condition | None, annotation: str | None) -> Parameter | None:
    choices = entry.fields.get("choices")
    if not isinstance(choices, list | tuple):
        wrong = "the choices are missing" if choices is None else f"{shown(choices)} is not a list"
        entry.wrong("choices", f'{wrong}: write them as ["sgd", "adamw"]')
        return None
    if not choices:
        entry.wrong("choices", "the list is empty: give at least one choice")
    _check_choices(entry, choices)
    weights = _read_weights(entry, len(choices))
    if entry.issues:
        return None
    values = tuple(detached(choice) for choice in choices)
    return Categorical(entry.name, values, weights=weights, condition=condition, annotation=annotation)


def _check_choices(entry: Entry, choices: list[Any] | tuple[Any, ...]) -> None:
    seen: dict[Any, int] = {}
    for position, choice in enumerate(choices, 1):
        try:
            key = identity(choice)
        except ValueError as error:
            entry.wrong("choices", f"choice {position} {error}: write {JSON_VALUES}")
            continue
        if key in seen:
            entry.wrong(
                "choices",
                f"{shown(choice)} stands there twice, as choice {seen[key]} and {position}: remove one; "
                f"weights make a choice more likely",
            )
        seen.setdefault(key, position)


def _read_weights(entry: Entry, count: int) -> tuple[float, ...] | None:
    weights = entry.fields.get("weights")
    if weights is None:
        return None
    if not isinstance(weights, list | tuple):
        entry.wrong("weights", f"{shown(weights)} is not a list: write one number for each choice, such as [1, 3]")
        return None
    if len(weights) != count:
        entry.wrong("weights", f"there are {len(weights)} weights for {count} choices: write one for each")
    numbers = []
    for position, weight in enumerate(weights, 1):
        number = entry.as_number("weights", weight, f"weight {position},")
        if number is not None and number <= 0:
            entry.wrong(
                "weights",
                f"weight {position}, {number!r}, is not above 0: leave out a choice that is never meant",
            )
        if number is not None:
            numbers.append(number)
    return tuple(numbers)


def read_constant(entry: Entry, condition: Condition | None, annotation: str | None) -> Parameter | None:
    if "value" not in entry.fields:
        entry.wrong("value", f"the value is missing: write {JSON_VALUES}")
        return None
    value = entry.fields["value"]
    try:
        identity(value)
    except ValueError as error:
        entry.wrong("value", f"the value {error}: write {JSON_VALUES}")
    if entry.issues:
        return None
    return Constant(entry.name, detached(value), condition=condition, annotation=annotation)
