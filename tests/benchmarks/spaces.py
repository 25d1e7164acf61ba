"""What a contender needs to know of a space in hpweb's JSON form, to put it into its own words.

The benchmarks' spaces have floats, ints and categoricals, on linear and log scales, with conditions; no steps, priors
or weights, which not every peer knows.
"""

from collections.abc import Callable, Mapping
from typing import Any

Tell = Callable[[Mapping[str, Any]], float]  # a configuration -> the value that is told
Run = Callable[[dict[str, Any], Tell, int, int], None]  # space, tell, number of trials, seed


def holds(wanted: Any, value: Any) -> bool:
    """Whether a parent's value fulfils one entry of `when`: a list of choices, or a range."""
    if isinstance(wanted, dict):
        return bool(wanted.get("low", float("-inf")) <= value <= wanted.get("high", float("inf")))
    return value in wanted


def active(when: Mapping[str, Any], params: Mapping[str, Any]) -> bool:
    """Whether a parameter takes part, given the values of those before it."""
    return all(parent in params and holds(wanted, params[parent]) for parent, wanted in when.items())


def only_active(space: Mapping[str, Any], drawn: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration among values that were drawn for all parameters."""
    params: dict[str, Any] = {}
    for name, form in space.items():
        if active(form.get("when", {}), params):
            params[name] = drawn[name]
    return params


def values_of(form: Mapping[str, Any]) -> list[Any]:
    """All values of a parent: its choices, or its whole numbers. Raises ValueError for a float."""
    if form["type"] == "categorical":
        return list(form["choices"])
    if form["type"] == "int":
        return list(range(form["low"], form["high"] + 1))
    raise ValueError(f"a {form['type']} cannot be the parent of a condition here: make it an int or a categorical")


def inside(form: Mapping[str, Any], drawn: Any) -> Any:
    """A drawn number in the parameter's own type and within its bounds, which exp(log(bound)) may leave."""
    number = min(max(float(drawn), form["low"]), form["high"])
    return round(number) if form["type"] == "int" else number
