"""Where workloads come from: the shipped ones, modules that the installation names, and files in a folder.

A source that cannot be imported, or that breaks the contract, becomes an entry with its error; the others
stand. A plain function `objective(trial)` in Optuna's manner is a workload too, named after its file; the
module may add SPACE (a search space), METRIC and DIRECTION, TITLE, and MAX_RESOURCE, MIN_RESOURCE,
RESOURCE_UNIT.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import json
import pkgutil
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from tuning.training.workload import DIRECTIONS, Workload, WorkloadError, check_workload, space_problems

SHIPPED = "tuning.training.workloads"


class UnknownWorkload(LookupError):
    """No source has a working workload of that name."""


@dataclass(frozen=True)
class Entry:
    """A workload that was found, or a source that failed: one of `workload`, `objective`, `error` is set.

    Attributes:
        digest: sha256 of the source file, "" where it could not be read.
        source: the module's name, or the file's.
        metrics: (name, split or None, goal) of everything that a step reports.
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

    def to_json(self) -> dict[str, Any]:
        """Return the entry as the kind "describe" reports it."""
        fields = ("name", "title", "doc", "kind", "digest", "source", "space", "metric", "direction", "error")
        document = {name: getattr(self, name) for name in fields}
        document["metrics"] = [{"name": n, "split": s, "goal": g} for n, s, g in self.metrics]
        document |= {name: getattr(self, name) for name in ("max_resource", "min_resource", "resource_unit")}
        return document


@dataclass(frozen=True)
class Sources:
    """Where to look besides the shipped workloads.

    Attributes:
        modules: importable names. folder: its *.py files, those that begin with "_" excepted, are workload
            files;
            it is also on the import path, so that they can share a `_module`. data_dir: what workloads read
            from.
    """

    modules: tuple[str, ...] = ()
    folder: Path | None = None
    data_dir: Path | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Sources:
        """Read HPWEB_WORKLOADS (names, comma separated), HPWEB_WORKLOAD_DIR and HPWEB_DATA_DIR."""
        modules = (name.strip() for name in environment.get("HPWEB_WORKLOADS", "").split(","))
        folder, data_dir = environment.get("HPWEB_WORKLOAD_DIR"), environment.get("HPWEB_DATA_DIR")
        return cls(
            modules=tuple(name for name in modules if name),
            folder=Path(folder) if folder else None,
            data_dir=Path(data_dir) if data_dir else None,
        )


class Catalogue:
    """All workloads of the installation; files that changed since the last look are loaded again."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self._loaded: dict[Path, tuple[str, list[Entry]]] = {}

    def entries(self) -> list[Entry]:
        """Return every workload and every failure, the shipped ones first."""
        return _without_duplicates(list(self._found()))

    def find(self, name: str) -> Entry:
        """Return the working entry of that name; sources behind the one that has it are not even loaded.

        Raises:
            UnknownWorkload: there is none; the message says which there are and what is wrong with the
                others.
        """
        seen = []
        for entry in self._found():
            if entry.name == name and entry.error is None:
                return entry
            seen.append(entry)
        names = ", ".join(entry.name for entry in seen if entry.error is None)
        failures = "".join(f"\n{entry.name}: {entry.error}" for entry in seen if entry.error is not None)
        raise UnknownWorkload(f"there is no workload {name!r}; there are {names}.{failures}")

    def make(self, name: str) -> Workload:
        """Return an instance of the PyTorch workload of that name.

        Raises:
            UnknownWorkload: there is none, or it is an objective function.
        """
        entry = self.find(name)
        if entry.workload is None:
            raise UnknownWorkload(f"{name!r} is an objective function, not a PyTorch workload")
        return entry.workload(self.sources.data_dir)

    def _found(self) -> Iterator[Entry]:
        package = importlib.import_module(SHIPPED)
        shipped = sorted(f"{SHIPPED}.{info.name}" for info in pkgutil.iter_modules(package.__path__))
        for name in (*shipped, *self.sources.modules):
            yield from self._from_module(name)
        yield from self._from_folder()

    def _from_module(self, name: str) -> list[Entry]:
        digest = ""
        try:
            spec = importlib.util.find_spec(name)
            if spec is not None and spec.origin is not None and Path(spec.origin).is_file():
                digest = _digest(Path(spec.origin))
            module = importlib.import_module(name)
        except (Exception, SystemExit) as error:
            return [_failure(name, name, digest, _short_traceback(error))]
        return _entries_of(module, source=name, stem=name.rpartition(".")[2], digest=digest)

    def _from_folder(self) -> Iterator[Entry]:
        folder = self.sources.folder
        if folder is None:
            return
        if not folder.is_dir():
            text = (
                f"HPWEB_WORKLOAD_DIR names {folder}, which is not a folder; create it or correct the variable"
            )
            yield _failure(folder.name, str(folder), "", text)
            return
        if str(folder) not in sys.path:
            sys.path.append(str(folder))
        for path in sorted(folder.glob("*.py")):
            if not path.name.startswith("_"):
                yield from self._from_file(path)

    def _from_file(self, path: Path) -> list[Entry]:
        try:
            digest = _digest(path)
        except OSError as error:
            return [_failure(path.name, path.name, "", f"the file cannot be read: {error}")]
        known = self._loaded.get(path)
        if known is None or known[0] != digest:
            known = self._loaded[path] = (digest, self._load(path, digest))
        return known[1]

    def _load(self, path: Path, digest: str) -> list[Entry]:
        name = f"hpweb_workload_{path.stem}"
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            return [_failure(path.name, path.name, digest, "the file is not a Python module")]
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # dataclasses and pickle look their module up there
        try:
            # From the text and not from a cached .pyc, whose one-second stamp misses a quick second edit.
            exec(compile(path.read_bytes(), str(path), "exec"), module.__dict__)  # noqa: S102
        except (Exception, SystemExit) as error:
            del sys.modules[name]
            return [_failure(path.name, path.name, digest, _short_traceback(error))]
        return _entries_of(module, source=path.name, stem=path.stem, digest=digest)


def _entries_of(module: ModuleType, *, source: str, stem: str, digest: str) -> list[Entry]:
    classes = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Workload) and value.__module__ == module.__name__
    ]
    bases = {base for cls in classes for base in cls.__mro__[1:]}
    entries = [
        _workload_entry(cls, source, digest) for cls in classes if hasattr(cls, "name") or cls not in bases
    ]
    objective = vars(module).get("objective")
    if inspect.isfunction(objective):
        entries.append(_objective_entry(module, objective, source, stem, digest))
    if not entries:
        text = "it defines neither a subclass of Workload nor a function objective(trial)"
        entries.append(_failure(source, source, digest, text))
    return entries


def _workload_entry(cls: type[Workload], source: str, digest: str) -> Entry:
    try:
        check_workload(cls)
    except WorkloadError as error:
        return _failure(f"{source}:{cls.__name__}", source, digest, str(error))
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
    )


def _objective_entry(
    module: ModuleType, objective: Callable[[Any], Any], source: str, stem: str, digest: str
) -> Entry:
    metric, direction = getattr(module, "METRIC", "value"), getattr(module, "DIRECTION", "minimize")
    space, title = getattr(module, "SPACE", None), getattr(module, "TITLE", _title(stem))
    low, high = getattr(module, "MIN_RESOURCE", 1), getattr(module, "MAX_RESOURCE", 1)
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
    if not all(isinstance(n, int) and not isinstance(n, bool) for n in (low, high)) or not 1 <= low <= high:
        problems.append(
            f"MIN_RESOURCE and MAX_RESOURCE are whole numbers, 1 <= {low!r} <= {high!r} does not hold"
        )
    if problems:
        return _failure(source, source, digest, "; ".join(problems))
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
    )


def _without_duplicates(entries: list[Entry]) -> list[Entry]:
    """Keep the first of each name; a later one becomes an error under its source's name."""
    first: dict[str, Entry] = {}
    unique = []
    for entry in entries:
        earlier = first.setdefault(entry.name, entry)
        if earlier is not entry:
            text = f"the name {entry.name!r} is taken by {earlier.source}; give this one another"
            label, count = f"{entry.source}:{entry.name}", 2
            while label in first:
                label, count = f"{entry.source}:{entry.name}:{count}", count + 1
            entry = replace(_failure(label, entry.source, entry.digest, text), title=entry.title)
            first[label] = entry
        unique.append(entry)
    return unique


def _failure(name: str, source: str, digest: str, error: str) -> Entry:
    return Entry(name=name, title=name, doc="", kind="pytorch", digest=digest, source=source, error=error)


def _short_traceback(error: BaseException) -> str:
    """Return the error and the frames of the user's own code, without those of the import machinery."""
    report = traceback.TracebackException.from_exception(error)
    hidden = (__file__, importlib.__file__)
    frames = [
        f for f in report.stack if f.filename not in hidden and not f.filename.startswith("<frozen importlib")
    ]
    report.stack = traceback.StackSummary.from_list(frames[-3:])
    return "".join(report.format(chain=False)).strip()


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _plain(space: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return a copy that is JSON through and through: a tuple of choices becomes a list."""
    copy: dict[str, Any] | None = json.loads(json.dumps(space))
    return copy


def _title(name: str) -> str:
    return name.replace("_", " ").strip().capitalize()
