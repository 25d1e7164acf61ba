"""Asking for a learning-rate test: what it is to train, checked before a worker takes it."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib.auth.models import AbstractBaseUser

from tuning.engine import ParamsError
from tuning.engine import SearchSpace as EngineSpace
from tuning.models import Job
from tuning.selectors.lr_ranges import HIGH, KIND, LOW, SEED, STEPS, learning_rate_of, middle_of
from tuning.selectors.studies import study_for
from tuning.selectors.workloads import workload_named
from tuning.services.errors import Invalid
from tuning.services.jobs import request_job
from tuning.services.problems import Problems

FEWEST_STEPS, MOST_STEPS = 20, 1000
MOST_CURVES = 6
LEAST_FACTOR = 10.0  # between the lowest and the highest learning rate


def request_lr_range(
    *,
    actor: AbstractBaseUser,
    workload: str,
    study_id: int | None = None,
    space: Mapping[str, Any] | None = None,
    **wanted: Any,
) -> Job:
    """Queue a test of a workload; while the same one of the same person is open, that one is returned.

    With `study_id` the study's search space takes the place of the workload's, or `space` does; `wanted` as in
    `plan_lr_range`. Raises Invalid with every wrong field, and NotFound.
    """
    if study_id is not None:
        study = study_for(actor, study_id)
        if study.workload != workload:
            raise Invalid({"study": [f"{study.name!r} does not train {workload}, but {study.workload or 'a script'}."]})
        space = study.space.document if study.space else space
    args = plan_lr_range(workload_named(workload), space=space, **wanted) | {"study": study_id}
    text = json.dumps([actor.pk, args], sort_keys=True)
    return request_job(kind=KIND, actor=actor, args=args, dedupe=f"{KIND}:{hashlib.sha256(text.encode()).hexdigest()}")


def plan_lr_range(
    workload: Any,
    *,
    space: Mapping[str, Any] | None = None,
    params: Mapping[str, Any] | None = None,
    low: float = LOW,
    high: float = HIGH,
    steps: int = STEPS,
    seed: int = SEED,
    overlay: Mapping[str, Sequence[Any]] | None = None,
) -> dict[str, Any]:
    """What a test is to do, as its job's arguments; its `curves` hold complete configurations.

    params: values in place of the middle of the space (the workload's, or `space`). overlay: one parameter with several
    values, {"batch_size": [16, 64, 256]}, each a curve. Raises Invalid with every wrong field.
    """
    problems = Problems()
    if workload.error or workload.document.get("kind") != "pytorch":
        problems.add("workload", _unfit(workload))
        problems.raise_if_any()
    document = space if space is not None else workload.document.get("space") or {}
    _check_range(problems, low, high)
    problems.whole("steps", steps, FEWEST_STEPS, MOST_STEPS)
    problems.whole("seed", seed, 0, 2**63 - 1)
    curves = _curves(problems, document, params or {}, overlay or {})
    problems.raise_if_any()
    name = next(iter(overlay), None) if overlay else None
    return {
        "workload": workload.name,
        "digest": workload.digest,
        "parameter": learning_rate_of(document),
        "low": float(low),
        "high": float(high),
        "steps": steps,
        "seed": seed,
        "overlay": None if name is None or overlay is None else {"name": name, "values": list(overlay[name])},
        "curves": curves,
    }


def _unfit(workload: Any) -> str:
    if workload.error:
        return f"{workload.name} cannot be loaded; the workloads page says what is to be corrected."
    what = "a program" if workload.document.get("kind") == "command" else "a function that trains by itself"
    return (
        f"{workload.name} is {what}, whose learning rate hpweb cannot change from step to step; the test needs a "
        "PyTorch workload. Search the learning rate over several decades on a log scale instead."
    )


def _check_range(problems: Problems, low: Any, high: Any) -> None:
    for field, value in (("low", low), ("high", high)):
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
            problems.add(field, f"{value!r} is no learning rate; give a number above 0, such as {LOW:g} or {HIGH:g}.")
    if not problems.about("low", "high") and high < LEAST_FACTOR * low:
        problems.add("high", f"Test at least a factor of {LEAST_FACTOR:g}: from {low:g} up to {LEAST_FACTOR * low:g}.")


def _curves(
    problems: Problems, document: Mapping[str, Any], params: Mapping[str, Any], overlay: Mapping[str, Sequence[Any]]
) -> list[dict[str, Any]]:
    """A label and a complete configuration for each value that is laid over the others; one without overlay."""
    if len(overlay) > 1:
        problems.add("overlay", f"Lay values of one parameter over each other, not of {' and '.join(overlay)}.")
        return []
    if not overlay:
        return [{"label": "", "params": _configuration(problems, document, params, "params")}]
    name, values = next(iter(overlay.items()))
    if name not in document:
        problems.add("overlay", f"There is no parameter {name!r}; choose one of {', '.join(document) or 'none'}.")
    elif name == learning_rate_of(document):
        problems.add("overlay", f"{name} is what the test changes from step to step; lay another parameter over.")
    elif isinstance(values, str) or not isinstance(values, Sequence) or not 2 <= len(values) <= MOST_CURVES:
        problems.add("overlay", f"Give 2 to {MOST_CURVES} values of {name}, each of which is a curve.")
    elif len({json.dumps(value) for value in values}) < len(values):
        problems.add("overlay", f"Give each value of {name} once.")
    else:
        # a value that takes part with one choice of the overlay only is left out with the others
        rest = {key: value for key, value in params.items() if key != name}
        _configuration(problems, document, rest, "params", loose=True)
        if not problems.fields:
            return [
                {
                    "label": f"{name} {value}",
                    "params": _configuration(problems, document, {**rest, name: value}, "overlay", loose=True),
                }
                for value in values
            ]
    return []


def _configuration(
    problems: Problems, document: Mapping[str, Any], given: Mapping[str, Any], field: str, *, loose: bool = False
) -> dict[str, Any]:
    """The middle configuration with the given values; what the engine refuses goes to `field`."""
    if not document:
        if given:
            problems.add(field, f"The workload has no parameters; leave out {', '.join(given)}.")
        return {}
    space = EngineSpace.from_json(document)
    unknown = {name: value for name, value in given.items() if name not in space}
    try:
        filled = middle_of(document, given)
        return space.validate({**filled, **(unknown if loose else given)})
    except ParamsError as error:
        for issue in error.errors:
            problems.add(f"{field}.{issue.parameter}" if field == "params" else field, _sentence(issue, field))
        return {}


def _sentence(issue: Any, field: str) -> str:
    words = issue.message if field == "params" else f"{issue.parameter}: {issue.message}"
    return f"{words.rstrip('.')}."
