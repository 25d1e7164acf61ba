"""What is known of one workload: the entries that a module's classes and its function `objective` give.

A plain function `objective(trial)` in Optuna's manner is a workload named after its file; the module may add
SPACE (a search space), METRIC and DIRECTION, TITLE, MAX_RESOURCE, MIN_RESOURCE, RESOURCE_UNIT, MEMORY, LABELS, and
DATA: patterns of the files that it reads, below HPWEB_DATA_DIR or, where that is not set, beside the module.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from tuning.training.contract import WorkloadError, check_workload, space_problems
from tuning.training.programs import Program
from tuning.training.requirements import labels_of, memory_of
from tuning.training.workload import DIRECTIONS, Workload


@dataclass(frozen=True)
class Entry:
    """A workload that was found, or a source that failed: one of `workload`, `objective`, `program`, `error` is set.

    Attributes:
        digest: sha256 of the code, "" where it could not be read.
        data: patterns of the files that an objective function reads.
        data_digest: a fingerprint of the files that a program or a function names; others get theirs from the examples.
        source: the module's name, or the file's.
        metrics: (name, split or None, goal) of everything that a step reports.
        memory: bytes that a device must have; labels: what its host must offer.
        error: what is wrong, in plain text.
    """

    name: str
    title: str
    doc: str
    kind: str
    digest: str
    source: str
    space: dict[str, Any] | None = None
    metric: str | None = None
    direction: str | None = None
    metrics: tuple[tuple[str, str | None, str], ...] = ()
    max_resource: int | None = None
    min_resource: int | None = None
    resource_unit: str = "epochs"
    error: str | None = None
    workload: type[Workload] | None = field(default=None, compare=False)
    objective: Callable[[Any], Any] | None = field(default=None, compare=False)
    program: Program | None = field(default=None, compare=False)
    data: tuple[str, ...] = ()
    data_digest: str = ""
    memory: int | None = None
    labels: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the entry as the kind "describe" reports it."""
        fields = ("name", "title", "doc", "kind", "digest", "source", "space", "metric", "direction", "error")
        document = {name: getattr(self, name) for name in fields}
        document["metrics"] = [{"name": n, "split": s, "goal": g} for n, s, g in self.metrics]
        names = ("max_resource", "min_resource", "resource_unit", "data_digest", "memory")
        document |= {name: getattr(self, name) for name in names}
        document["labels"] = list(self.labels)
        document["test_data"] = self.workload is not None and self.workload.has_test_data()
        if self.program is not None:
            document |= {"command": list(self.program.command), "resume": self.program.resume}
            document |= {"metrics_from": self.program.metrics_from}
        return document


def entries_of(module: ModuleType, *, source: str, stem: str, digest: str) -> list[Entry]:
    """Return the entries of what `module` itself defines, or one failure if that is nothing.

    A class without a name that others in the module derive from is their common part and no workload.
    """
    found = (value for value in vars(module).values() if isinstance(value, type))
    classes = [
        cls
        for cls in dict.fromkeys(found)  # a second name for a class is no second workload
        if issubclass(cls, Workload) and cls.__module__ == module.__name__
    ]
    bases = {base for cls in classes for base in cls.__mro__[1:]}
    entries = [_workload_entry(cls, source, digest) for cls in classes if hasattr(cls, "name") or cls not in bases]
    objective = vars(module).get("objective")
    if inspect.isfunction(objective):
        entries.append(_objective_entry(module, objective, source, stem, digest))
    if not entries:
        text = "it defines neither a subclass of Workload nor a function objective(trial)"
        entries.append(failure(source, source, digest, text))
    return entries


def _workload_entry(cls: type[Workload], source: str, digest: str) -> Entry:
    try:
        check_workload(cls)
    except WorkloadError as error:
        return failure(f"{source}:{cls.__name__}", source, digest, str(error))
    return Entry(
        name=cls.name,
        title=cls.title or _title(cls.name),
        doc=inspect.cleandoc(cls.__doc__ or ""),
        kind="pytorch",
        digest=digest,
        source=source,
        space=_plain(cls.space),
        metric=cls.metric,
        direction=cls.direction,
        metrics=tuple((full, full.partition("/")[0], goal) for full, goal in cls.reported_metrics().items()),
        max_resource=cls.max_epochs,
        min_resource=cls.min_epochs,
        resource_unit=cls.resource_unit,
        workload=cls,
        memory=memory_of(cls.memory, "memory", []),
        labels=labels_of(cls.labels, "labels", []),
    )


def _objective_entry(module: ModuleType, objective: Callable[[Any], Any], source: str, stem: str, digest: str) -> Entry:
    metric, direction = getattr(module, "METRIC", "value"), getattr(module, "DIRECTION", "minimize")
    space, title = getattr(module, "SPACE", None), getattr(module, "TITLE", _title(stem))
    low, high = getattr(module, "MIN_RESOURCE", 1), getattr(module, "MAX_RESOURCE", None)
    unit = getattr(module, "RESOURCE_UNIT", "steps")
    problems = []
    if len(inspect.signature(objective).parameters) != 1:
        problems.append("objective takes one argument, the trial")
    if direction not in DIRECTIONS:
        problems.append(f"DIRECTION is 'minimize' or 'maximize', not {direction!r}")
    if space is not None:
        problems += space_problems(space)
    for constant, value in (("METRIC", metric), ("TITLE", title), ("RESOURCE_UNIT", unit)):
        if not isinstance(value, str) or not value:
            problems.append(f"{constant} is a text, not {value!r}")
    limits = [low] if high is None else [low, high]  # without a highest one, a trial goes as far as the function does
    if not all(isinstance(n, int) and not isinstance(n, bool) for n in limits) or [1, *limits] != sorted([1, *limits]):
        problems.append(f"MIN_RESOURCE and MAX_RESOURCE are whole numbers, 1 <= {low!r} <= {high!r} does not hold")
    memory = memory_of(getattr(module, "MEMORY", None), "MEMORY", problems)
    labels = labels_of(getattr(module, "LABELS", ()), "LABELS", problems)
    data = getattr(module, "DATA", ())
    if not isinstance(data, tuple | list) or not all(isinstance(pattern, str) and pattern for pattern in data):
        problems.append(f'DATA is a tuple of patterns of files, such as ("wine/*.csv",), not {data!r}')
    if problems:
        return failure(source, source, digest, "; ".join(problems))
    split = metric.partition("/")[0] if "/" in metric else None
    return Entry(
        name=stem,
        title=title,
        doc=inspect.cleandoc(objective.__doc__ or module.__doc__ or ""),
        kind="objective",
        digest=digest,
        source=source,
        space=_plain(space),
        metric=metric,
        direction=direction,
        metrics=((metric, split, direction),),
        max_resource=high,
        min_resource=low,
        resource_unit=unit,
        objective=objective,
        memory=memory,
        labels=labels,
        data=tuple(data),
    )


def program_entry(program: Program, source: str) -> Entry:
    """Return the entry of an allowed program; what it runs stays in the host's file."""
    return Entry(
        name=program.name,
        title=program.title,
        doc=program.doc,
        kind="command",
        digest=program.digest,
        source=source,
        space=_plain(program.space),
        metric=program.metric,
        direction=program.direction,
        metrics=program.metrics,
        max_resource=program.max_resource,
        min_resource=program.min_resource,
        resource_unit=program.resource_unit,
        program=program,
        data_digest=program.data_digest,
        memory=program.memory,
        labels=program.labels,
    )


def failure(name: str, source: str, digest: str, error: str) -> Entry:
    """Return the entry of a source, or of a part of it, that is not a workload."""
    return Entry(name=name, title=name, doc="", kind="pytorch", digest=digest, source=source, error=error)


def _plain(space: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return a copy that is JSON through and through: a tuple of choices becomes a list."""
    copy: dict[str, Any] | None = json.loads(json.dumps(space))
    return copy


def _title(name: str) -> str:
    return name.replace("_", " ").strip().capitalize()
