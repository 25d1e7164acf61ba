"""What can be told of a function or a program without running it; none of it holds a study back."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from tuning.training.digests import PatternError
from tuning.training.entry import Entry
from tuning.training.preflight.check import Check, Result, skipped
from tuning.training.programs import BUILT_IN, ValueRefused

INSIDE = (
    "Baselines, initial loss, overfitting, shuffled labels, duplicates and so on need a PyTorch workload, whose model "
    "and data can be reached; a {what} keeps them to itself, and two runs of it may take as long as two trials."
)


def outside_checks(entry: Entry, params: Mapping[str, Any], digest: Callable[[], str]) -> list[dict[str, Any]]:
    """The documents of all checks of a function or a program that was found; `digest` reads the files that it names."""
    what = "program" if entry.program is not None else "function"
    checks: list[tuple[str, str, Callable[[], Result]]] = [
        ("RUNS", "The workload can be loaded", lambda: _loads(entry, what)),
        ("DEFAULTS", "The middle of the space", lambda: _defaults(entry, params, what)),
        ("DATA-FILES", "Data files", lambda: _files(what, digest)),
        ("INSIDE", "Model and data", lambda: skipped(INSIDE.format(what=what))),
    ]
    return [_document(rule, title, measure) for rule, title, measure in checks]


def _document(rule: str, title: str, measure: Callable[[], Result]) -> dict[str, Any]:
    began = time.monotonic()
    result = measure()
    return Check(rule, title, "", 0, lambda _: result).document(result, time.monotonic() - began)


def _loads(entry: Entry, what: str) -> Result:
    if entry.program is not None:
        says = f"The program's executable is {entry.program.executable}, run in {entry.program.folder}."
    else:
        says = f"The {what} objective(trial) of {entry.source} is imported and takes one argument."
    return Result("passed", f"{says} It reports {entry.metric}, to {entry.direction}.")


def _defaults(entry: Entry, params: Mapping[str, Any], what: str) -> Result:
    """Whether the middle of the space makes a command line; a function asks for what it wants."""
    if not params:
        return skipped(f"The {what} declares no search space.")
    shown = ", ".join(f"{name} = {value!r}" for name, value in params.items())
    if entry.program is None:
        return Result("passed", f"The middle of its space is {shown}.", evidence=params)
    try:
        entry.program.arguments(params, dict.fromkeys(BUILT_IN, ""))
    except ValueRefused as error:
        todo = "Correct the space or the command in the file of programs."
        return Result("warning", f"The middle of its space gives no command line: {error}.", "", todo, params)
    return Result("passed", f"The middle of its space, {shown}, fits the command line.", evidence=params)


def _files(what: str, digest: Callable[[], str]) -> Result:
    try:
        found = digest()
    except PatternError as error:
        todo = "Bring the files to every host with workers, or correct the patterns."
        return Result("warning", f"{error}.", "A trial would not find its data.", todo)
    if not found:
        return skipped(f"The {what} names no data files; those that DATA names are held to what a study began with.")
    return Result("passed", "The data files that it names are there and can be read.", evidence={"digest": found})
