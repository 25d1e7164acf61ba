"""Checking a class against the contract of `workload.py`: every complaint at once, before anything is trained."""

from __future__ import annotations

import json
import re
from typing import Any

from tuning.sealed import is_sealed
from tuning.training.requirements import labels_of, memory_of
from tuning.training.workload import DIRECTIONS, Metric, Workload

PRECISIONS = (None, "bfloat16", "float16")


class WorkloadError(ValueError):
    """A class that does not fulfil the contract; `problems` lists every complaint."""

    def __init__(self, name: str, problems: list[str]) -> None:
        self.problems = problems
        super().__init__(f"{name} is not a workload yet: " + "; ".join(problems))


def check_workload(cls: type[Workload]) -> None:
    """Check a class against the contract without calling any of its methods.

    The search space is checked for its shape only: names and parameters with a type.

    Raises:
        WorkloadError: with everything that is wrong.
    """
    problems = [
        *_name_problems(cls),
        *_method_problems(cls),
        *_number_problems(cls),
        *space_problems(getattr(cls, "space", None)),
    ]
    problems += _metric_problems(cls)
    memory_of(cls.memory, "memory", problems)
    labels_of(cls.labels, "labels", problems)
    if problems:
        raise WorkloadError(cls.__name__, problems)


def _name_problems(cls: type[Workload]) -> list[str]:
    problems = []
    name = getattr(cls, "name", None)
    if name is None:
        problems.append(f"it has no name; add for example name = {_snake_case(cls.__name__)!r}")
    elif not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        problems.append(f"name {name!r} is not a lower-case word such as {_snake_case(cls.__name__)!r}")
    if not isinstance(cls.title, str):
        problems.append(f"title is a text, not {cls.title!r}")
    return problems


def _method_problems(cls: type[Workload]) -> list[str]:
    problems = []
    for method in ("data", "build_model", "build_optimizer", "loss"):
        if getattr(cls, method) is getattr(Workload, method):
            problems.append(f"the method {method}() is missing")
    optional = ("metrics", "test_data", "train_loader", "augment", "train_step", "penalty", "build_schedule")
    for method in ("data", "build_model", "build_optimizer", "loss", *optional, "input_example"):
        if not callable(getattr(cls, method)):
            problems.append(f"{method} must be a method, not {getattr(cls, method)!r}")
    return problems


def _number_problems(cls: type[Workload]) -> list[str]:
    problems = []
    for attribute in ("min_epochs", "max_epochs", "batch_size", "evaluation_batch_size"):
        value = getattr(cls, attribute)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            problems.append(f"{attribute} is a whole number of at least 1, not {value!r}")
    if not problems and cls.min_epochs > cls.max_epochs:
        problems.append(f"min_epochs ({cls.min_epochs}) is above max_epochs ({cls.max_epochs})")
    if cls.amp not in PRECISIONS:
        problems.append(f"amp is None, 'bfloat16' or 'float16', not {cls.amp!r}")
    return problems


def space_problems(space: Any) -> list[str]:
    """What is wrong with the shape of a search space; the engine knows the rest."""
    if space is None:
        return [
            'it has no space; add for example space = {"lr": {"type": "float", "low": 1e-4, "high": 0.1}}'
        ]
    if not isinstance(space, dict):
        return [f"space is a dict from parameter names to their ranges, not a {type(space).__name__}"]
    problems = []
    for parameter, document in space.items():
        if not isinstance(parameter, str):
            problems.append(f"space: a parameter's name is a text, not {parameter!r}")
        elif not isinstance(document, dict):
            problems.append(
                f'space: {parameter!r} is a dict such as {{"type": "float", ...}}, not {document!r}'
            )
        elif not isinstance(document.get("type"), str):
            problems.append(f'space: {parameter!r} has no "type" (float, int, categorical or constant)')
        else:
            try:
                json.dumps(document)
            except (TypeError, ValueError) as error:
                problems.append(f"space: {parameter!r} is not plain JSON: {error}")
    return problems


def _metric_problems(cls: type[Workload]) -> list[str]:
    if not isinstance(cls.scores, (tuple, list)) or not all(isinstance(s, Metric) for s in cls.scores):
        return [f'scores is a tuple such as (Metric("accuracy", "maximize"),), not {cls.scores!r}']
    problems = []
    names = [score.name for score in cls.scores]
    for name in sorted({name for name in names if names.count(name) > 1}):
        problems.append(f"scores names {name!r} twice")
    if "loss" in names:
        problems.append("scores names 'loss', which is always reported and minimised; leave it out")
    for name in filter(is_sealed, names):
        problems.append(
            f"scores names {name!r}, a metric of the test set, which no trial may measure; leave it out and give the "
            "test set in test_data(), which is opened once the choice is made"
        )
    if cls.scores and cls.metrics is Workload.metrics:
        problems.append(f"scores promises {', '.join(names)}, but the method metrics() is missing")
    if cls.direction not in DIRECTIONS:
        problems.append(f"direction is 'minimize' or 'maximize', not {cls.direction!r}")
    elif cls.metric not in (reported := cls.reported_metrics()):
        problems.append(f"metric {cls.metric!r} is not reported; choose one of {', '.join(reported)}")
    elif reported[cls.metric] != cls.direction:
        problems.append(
            f"direction is {cls.direction!r}, but {cls.metric!r} has the goal {reported[cls.metric]!r}"
        )
    return problems


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
