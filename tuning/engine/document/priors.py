"""The field `prior` of a numeric parameter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuning.engine.document.entry import Entry
from tuning.engine.parameters.numeric import bin_edges
from tuning.engine.priors import MIN_MASS, PRIORS, TAIL_SCORE, Beta, LogNormal, Normal, Prior
from tuning.engine.scales import MAX_WEIGHTED
from tuning.engine.values import listed, shown

EXAMPLE = '{"name": "normal", "mu": 0.3, "sigma": 0.1}'
LARGEST = {"normal": 1e300, "log_normal": 700.0}  # of what |mu| + 8.25 sigma may reach without bounds


def prior_name(entry: Entry) -> Any:
    """The prior's name as given, "uniform" where there is none; anything else where the field is faulty."""
    prior = entry.fields.get("prior")
    if prior is None:
        return "uniform"
    return prior.get("name") if isinstance(prior, Mapping) else prior


def read_prior(entry: Entry) -> Prior | None:
    """The prior; None for the uniform one and where there is an issue."""
    fields = entry.fields.get("prior")
    if fields is None:
        return None
    if not isinstance(fields, Mapping):
        entry.wrong("prior", f"{shown(fields)} is not an object: write {EXAMPLE}")
        return None
    name = fields.get("name")
    kind = PRIORS.get(name) if isinstance(name, str) else None
    if kind is None and name != "uniform":
        entry.wrong("prior", f"unknown name {shown(name)}: write one of {listed(['uniform', *PRIORS])}")
        return None
    wanted = kind.fields if kind is not None else ()
    for field in fields:
        if field not in ("name", *wanted):
            entry.wrong("prior", f"unknown key {shown(field)}: {name} takes {listed(('name', *wanted))}")
    numbers = {field: _positive(entry, field, fields) for field in wanted}
    if kind is None or entry.faulty("prior"):
        return None
    return kind(*(number for number in numbers.values() if number is not None))


def _positive(entry: Entry, field: str, fields: Mapping[Any, Any]) -> float | None:
    """A prior's number: any for mu, above 0 for sigma, above 0 and not extreme for a and b."""
    if field not in fields:
        entry.wrong("prior", f"{field} is missing: write it as in {EXAMPLE}")
        return None
    number = entry.as_number("prior", fields[field], field)
    if number is None or field == "mu":
        return number
    if number <= 0:
        entry.wrong("prior", f"{field} {number!r} is not above 0")
    elif field in ("a", "b") and not 1e-3 <= number <= 1e6:
        entry.wrong("prior", f"{field} {number!r} is too extreme for a double: stay within 0.001 and 1e6")
    return number


def check_range(entry: Entry, prior: Prior, low: float | None, high: float | None) -> None:
    """Note an issue where low..high leaves the prior's support, misses its mass, or is open too far."""
    start, end = prior.support
    lies = f"outside the prior {prior.name}, which lies {'on 0 to 1' if isinstance(prior, Beta) else 'above 0'}"
    if low is not None and low < start:
        entry.wrong("low", f"{low!r} is {lies}: write {start!r} or more, or leave it out")
    if high is not None and high > end:
        entry.wrong("high", f"{high!r} is {lies}: write {end!r} or less, or leave it out")
    if entry.issues:
        return
    _check_mass(entry, prior, start if low is None else low, end if high is None else high)
    open_side = high is None or (low is None and not isinstance(prior, LogNormal))
    if isinstance(prior, Normal) and open_side and abs(prior.mu) + TAIL_SCORE * prior.sigma > LARGEST[prior.name]:
        entry.wrong(
            "prior",
            f"{prior.name} with mu {prior.mu!r} and sigma {prior.sigma!r} reaches beyond what a double "
            f"holds: lower them, or give a low and a high",
        )


def check_steps(entry: Entry, prior: Prior, low: float, step: float, size: int) -> None:
    """The same for the values low, low + step, ...: each takes the mass within half a step of it."""
    if size > MAX_WEIGHTED:
        entry.wrong(
            "step",
            f"{size} values are too many for a prior, 2^20 are the most: raise the step, or use a float without step",
        )
        return
    edges = bin_edges(low, step, size)
    _check_mass(entry, prior, float(edges[0]), float(edges[-1]))


def _check_mass(entry: Entry, prior: Prior, low: float, high: float) -> None:
    if not prior.mass(low, high) >= MIN_MASS:  # also where the mass is NaN
        entry.wrong(
            "prior",
            f"{prior.name} puts less than a billionth of its mass between low and high: move the bounds, or "
            f"the prior's {listed(prior.fields)}",
        )
