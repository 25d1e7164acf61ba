"""Programs that the administrator of a host allows as trials: one TOML file on that host.

A program is an argument list with placeholders, never a shell's text, and no part of it comes from a browser or
from the database: a study names a program, and the host's own file says what that is. Values take the places of
placeholders inside one argument each; texts among them must be choices that the file itself has.

    [digits]
    command = ["{python}", "train.py", "--lr", "{lr}", ["--momentum", "{momentum}"]]
    metric = "validation/accuracy"
    direction = "maximize"
    space.lr = { type = "float", low = 1e-4, high = 0.1, log = true }

An inner list is left out whole where one of its parameters is absent (its condition failed).
"""

from __future__ import annotations

import json
import re
import shutil
import stat
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuning.training.contract import space_problems
from tuning.training.digests import PatternError, code_digest, data_digest
from tuning.training.requirements import labels_of, memory_of
from tuning.training.workload import DIRECTIONS

Argument = str | tuple[str, ...]

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,79}")
PLACEHOLDER = re.compile(r"\{([A-Za-z_][\w./-]*)\}")
BUILT_IN = ("python", "params_file", "checkpoint_dir", "trial", "seed", "resource", "resume_step")
SOURCES = ("client", "stdout")
SHELLS = ("sh", "bash", "dash", "zsh", "ksh", "fish", "csh", "tcsh", "busybox")
GRACE_SECONDS = 10.0
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_KEYS = {
    "command", "cwd", "environment", "title", "doc", "space", "metric", "direction", "metrics", "metrics_from",
    "min_resource", "max_resource", "resource_unit", "code", "data", "resume", "grace_seconds", "memory",
    "labels",
}  # fmt: skip


class ProgramError(ValueError):
    """A program that cannot be offered; `problems` lists every complaint."""

    def __init__(self, name: str, problems: list[str]) -> None:
        self.name, self.problems = name, problems
        super().__init__("; ".join(problems))


class ValueRefused(ValueError):
    """A trial's parameters do not fit the command; the message says which and why."""


@dataclass(frozen=True)
class Program:
    """An allowed program.

    Attributes:
        command: the argument list; an inner tuple is left out where a parameter of it is absent.
        executable: what the first argument is on this host.
        folder: where it runs, and what patterns are relative to.
        environment: variables beside the worker's own; their values may hold placeholders.
        metrics: (name, split or None, goal) of what it reports, the objective first.
        metrics_from: "client" (tuning/client.py) or "stdout" (JSON lines among what it prints).
        resume: whether it can go on from a folder of its own checkpoints.
        grace_seconds: from the request to end to SIGTERM (client), or from SIGTERM to SIGKILL.
        memory: bytes that a device must have, None for any; labels: what its host must offer.
        digest: of the command and the code; data_digest: of the data files, "" where none are named.
    """

    name: str
    title: str
    doc: str
    command: tuple[Argument, ...]
    executable: str
    folder: Path
    environment: dict[str, str]
    space: dict[str, Any]
    metric: str
    direction: str
    metrics: tuple[tuple[str, str | None, str], ...]
    metrics_from: str
    min_resource: int
    max_resource: int | None
    resource_unit: str
    resume: bool
    grace_seconds: float
    digest: str
    data_digest: str
    memory: int | None = None
    labels: tuple[str, ...] = ()

    def arguments(self, params: Mapping[str, Any], built_in: Mapping[str, Any]) -> list[str]:
        """The argument list for one trial. Raises ValueRefused."""
        texts = self._texts(params, built_in)
        arguments = [self.executable]
        for argument in self.command[1:]:
            if isinstance(argument, str):
                arguments.append(self._filled(argument, texts, params))
            elif all(name in texts for part in argument for name in PLACEHOLDER.findall(part)):
                arguments += [self._filled(part, texts, params) for part in argument]
        return arguments

    def variables(self, params: Mapping[str, Any], built_in: Mapping[str, Any]) -> dict[str, str]:
        """The environment that the file gives; a variable whose parameter is absent is left out."""
        texts = self._texts(params, built_in)
        return {
            name: self._filled(value, texts, params)
            for name, value in self.environment.items()
            if all(placeholder in texts for placeholder in PLACEHOLDER.findall(value))
        }

    def _texts(self, params: Mapping[str, Any], built_in: Mapping[str, Any]) -> dict[str, str]:
        if both := [name for name in params if name in BUILT_IN]:
            raise ValueRefused(f"the parameter {both[0]!r} has the name of a placeholder of hpweb's own; rename it")
        return {
            **{name: text_of(value) for name, value in built_in.items() if value is not None},
            **{name: self._checked(name, value) for name, value in params.items()},
        }

    def _checked(self, name: str, value: Any) -> str:
        if isinstance(value, str):
            declared = self.space.get(name, {})
            allowed = [*declared.get("choices", ()), declared.get("value")]
            if value not in [item for item in allowed if isinstance(item, str)]:
                raise ValueRefused(
                    f"the text {value!r} for {name!r} is none of the choices that the host's file of programs "
                    f"has for {self.name}; only those and numbers may become arguments"
                )
        return text_of(value)

    def _filled(self, template: str, texts: Mapping[str, str], params: Mapping[str, Any]) -> str:
        def value(match: re.Match[str]) -> str:
            if match[1] not in texts:
                raise ValueRefused(
                    f"the command of {self.name} needs {match[1]!r}, and this trial has no such parameter "
                    f"(it has {', '.join(params) or 'none'}); add it to the study's space"
                )
            return texts[match[1]]

        return PLACEHOLDER.sub(value, template)


def text_of(value: Any) -> str:
    """A value as an argument: texts as they are, all else as in JSON (true, 0.001, null)."""
    return value if isinstance(value, str) else json.dumps(value)


def read_programs(path: Path) -> Iterator[Program | ProgramError]:
    """Every program of the file, and what is wrong with the others; nothing where there is no file."""
    if not path.exists():
        return
    try:
        if path.stat().st_mode & stat.S_IWOTH:
            yield ProgramError(path.name, [f"everybody on this host may change {path}; run chmod o-w on it"])
            return
        document = tomllib.loads(path.read_text())
    except (OSError, ValueError) as error:
        yield ProgramError(path.name, [f"the file cannot be read: {error}"])
        return
    for name, table in document.items():
        try:
            yield _program(name, table, path.parent)
        except ProgramError as error:
            yield error


def _program(name: str, table: Any, home: Path) -> Program:
    problems: list[str] = []
    if not NAME.fullmatch(name):
        problems.append("a name has letters, digits, _, . and -, at most 80, and begins with a letter")
    if not isinstance(table, dict):
        raise ProgramError(name, [*problems, f"write [{name}] as a table with a command"])
    if unknown := sorted(set(table) - _KEYS):
        problems.append(f"{', '.join(unknown)} is not known; there are {', '.join(sorted(_KEYS))}")
    read = _Reader(table, problems)
    folder = (home / read.text("cwd", ".")).resolve()
    if not folder.is_dir():
        problems.append(f"cwd is {folder}, which is not a folder on this host")
    command = _command(table.get("command"), problems)
    space = table.get("space")
    if isinstance(space, dict) and space:
        problems += space_problems(space)
    else:
        problems.append("space names at least one parameter, the ranges that the form of a study begins with")
        space = {}
    environment = table.get("environment", {})
    if not isinstance(environment, dict) or not all(
        isinstance(key, str) and _VARIABLE.fullmatch(key) and isinstance(value, str)
        for key, value in environment.items()
    ):
        problems.append('environment is a table of texts, such as { DATA = "/srv/data" }')
        environment = {}
    resume = read.flag("resume")
    if command and not problems:
        problems += _placeholder_problems(command, environment, space, resume)
    executable = _executable(command, folder, problems) if command else ""
    metric, direction = read.text("metric", ""), read.choice("direction", DIRECTIONS)
    if not metric:
        problems.append("metric names what the program reports and a study optimizes")
    low, high = read.whole("min_resource", 1), read.whole("max_resource", None)
    if high is not None and low is not None and low > high:
        problems.append(f"min_resource ({low}) is above max_resource ({high})")
    patterns, data = read.texts("code"), read.texts("data")
    source, unit = read.choice("metrics_from", SOURCES), read.text("resource_unit", "steps")
    title, doc = read.text("title", name), read.text("doc", "")
    grace = read.number("grace_seconds", GRACE_SECONDS)
    metrics = _metrics(table.get("metrics", {}), metric, direction, problems)
    memory = memory_of(table.get("memory"), "memory", problems)
    labels = labels_of(table.get("labels", ()), "labels", problems)
    if problems:
        raise ProgramError(name, problems)
    try:
        if patterns is None:
            named = (part for argument in command for part in ([argument] if isinstance(argument, str) else argument))
            patterns = sorted({part for part in named if _is_file(folder, part)})
        # The program's own name and not where this host keeps it: hosts may differ in that.
        text = json.dumps([Path(str(command[0])).name, *command[1:], source, metric, direction, resume])
        digest = code_digest(folder, patterns, text)
        fingerprint = data_digest(folder, data) if data else ""
    except PatternError as error:
        raise ProgramError(name, [str(error)]) from error
    return Program(
        name=name,
        title=title,
        doc=doc,
        command=command,
        executable=executable,
        folder=folder,
        environment=environment,
        space=space,
        metric=metric,
        direction=direction,
        metrics=metrics,
        metrics_from=source,
        min_resource=low or 1,
        max_resource=high,
        resource_unit=unit,
        resume=resume,
        grace_seconds=grace,
        digest=digest,
        data_digest=fingerprint,
        memory=memory,
        labels=labels,
    )


def _command(given: Any, problems: list[str]) -> tuple[Argument, ...]:
    """The argument list; empty with a complaint where it is none."""
    arguments: list[Argument] = []
    for item in given if isinstance(given, list) else []:
        if isinstance(item, str) and "\0" not in item:
            arguments.append(item)
        elif isinstance(item, list) and item and all(isinstance(part, str) and "\0" not in part for part in item):
            arguments.append(tuple(item))
        else:
            problems.append(f"command holds texts and lists of texts, not {item!r}")
    if not arguments or not isinstance(arguments[0], str) or not arguments[0]:
        problems.append('command is a list of arguments that begins with the program, ["{python}", "train.py"]')
        return ()
    first, rest = arguments[0], [part for item in arguments[1:] for part in ([item] if isinstance(item, str) else item)]
    if PLACEHOLDER.sub("", first) != first and first != "{python}":
        problems.append(f"the program itself is fixed: {first!r} holds a placeholder")
    if Path(first).name in SHELLS and any(re.fullmatch(r"-\w*c", part) for part in rest):
        problems.append("a shell's -c text is refused; put the lines into a file and name that file")
    return tuple(arguments)


def _placeholder_problems(
    command: tuple[Argument, ...], environment: Mapping[str, str], space: Mapping[str, Any], resume: bool
) -> list[str]:
    problems = [
        f"the parameter {name!r} has the name of a placeholder of hpweb's own; rename it"
        for name in space
        if name in BUILT_IN
    ]
    alone = [item for item in command if isinstance(item, str)]
    grouped = [part for item in command if not isinstance(item, str) for part in item]
    for text in [*alone, *grouped, *environment.values()]:
        for name in PLACEHOLDER.findall(text):
            if name not in BUILT_IN and name not in space:
                known = ", ".join([*space, *BUILT_IN])
                problems.append(f"{{{name}}} is neither a parameter of space nor known otherwise; there are {known}")
            elif name == "checkpoint_dir" and not resume:
                problems.append("{checkpoint_dir} needs resume = true")
    for text in alone:
        for name in PLACEHOLDER.findall(text):
            if isinstance(space.get(name), dict) and space[name].get("when"):
                problems.append(f"{name!r} is conditional; write [..., {text!r}] as a list, left out without it")
    return problems


def _executable(command: tuple[Argument, ...], folder: Path, problems: list[str]) -> str:
    first = str(command[0])
    if first == "{python}":
        return sys.executable
    found = shutil.which(str(folder / first) if "/" in first else first)
    if found is None:
        problems.append(f"there is no program {first!r} on this host; give its path, or install it")
    return found or ""


def _is_file(folder: Path, part: str) -> bool:
    try:
        return (
            bool(part) and not PLACEHOLDER.search(part) and not Path(part).is_absolute() and (folder / part).is_file()
        )
    except OSError:
        return False  # a text that no file system takes as a name


def _metrics(given: Any, metric: str, direction: str, problems: list[str]) -> tuple[tuple[str, str | None, str], ...]:
    if not isinstance(given, dict) or not all(goal in DIRECTIONS for goal in given.values()):
        problems.append('metrics is a table of goals, such as { "train/loss" = "minimize" }')
        return ()
    goals = {metric: direction, **given}
    return tuple((name, name.partition("/")[0] if "/" in name else None, goal) for name, goal in goals.items())


class _Reader:
    """Fields of a table by type; complaints are collected."""

    def __init__(self, table: Mapping[str, Any], problems: list[str]) -> None:
        self._table, self._problems = table, problems

    def text(self, name: str, default: str) -> str:
        value = self._table.get(name, default)
        if isinstance(value, str) and "\0" not in value:
            return value
        self._problems.append(f"{name} is a text, not {value!r}")
        return default

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        value = self._table.get(name, choices[0])
        if value in choices:
            return str(value)
        self._problems.append(f"{name} is {' or '.join(choices)}, not {value!r}")
        return choices[0]

    def whole(self, name: str, default: int | None) -> int | None:
        value = self._table.get(name, default)
        if value is default or (isinstance(value, int) and not isinstance(value, bool) and value >= 1):
            return value
        self._problems.append(f"{name} is a whole number of at least 1, not {value!r}")
        return default

    def number(self, name: str, default: float) -> float:
        value = self._table.get(name, default)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 3600:
            return float(value)
        self._problems.append(f"{name} is a number of seconds up to 3600, not {value!r}")
        return default

    def flag(self, name: str) -> bool:
        value = self._table.get(name, False)
        if not isinstance(value, bool):
            self._problems.append(f"{name} is true or false, not {value!r}")
        return value is True

    def texts(self, name: str) -> list[str] | None:
        value = self._table.get(name)
        if value is None or (isinstance(value, list) and all(isinstance(item, str) and item for item in value)):
            return value
        self._problems.append(f'{name} is a list of patterns, such as ["*.py"], not {value!r}')
        return None
