"""What a program says of its trial: messages of tuning/client.py over a socket, or JSON lines among what it prints.

A printed line counts where it is a JSON object with one of these keys; every other line is only log:

    {"step": 3, "validation/loss": 0.25}      numbers of step 3; texts and objects beside them stay in the log, but for
                                              what has a name of the test set (tuning.sealed)
    {"value": 0.25}                           the trial's value; without one the reported metric decides
    {"checkpoint": 3}                         the files of step 3 are complete in $HPWEB_CHECKPOINT_DIR

JSON writers differ in numbers that are not finite: NaN, "nan", "Infinity", "-inf" and null (for NaN) are read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tuning.sealed import is_sealed

LONGEST_LINE = 65_536
MAX_STEP = 2**31 - 1
_WORDS = {"nan": math.nan, "inf": math.inf, "infinity": math.inf, "-inf": -math.inf, "-infinity": -math.inf}


class ReportError(ValueError):
    """A report that cannot be taken; the message says what would be right."""


@dataclass(frozen=True)
class StepReport:
    step: int
    metrics: dict[str, float]


@dataclass(frozen=True)
class ValueReport:
    value: float | None
    constraints: tuple[float, ...] = ()


@dataclass(frozen=True)
class CheckpointReport:
    step: int


Report = StepReport | ValueReport | CheckpointReport


class LineReader:
    """Whole lines out of chunks; a line longer than LONGEST_LINE cannot be a report and is passed over."""

    def __init__(self) -> None:
        self._rest = b""
        self._passing = False

    def lines(self, data: bytes) -> Iterator[bytes]:
        """The lines that `data` completes and that begin with a brace."""
        if self._passing:
            _, newline, data = data.partition(b"\n")
            if not newline:
                return
            self._passing = False
        data = self._rest + data
        end = data.rfind(b"\n") + 1
        self._rest = data[end:]
        if len(self._rest) > LONGEST_LINE:
            self._rest, self._passing = b"", True
        if b"{" not in data:
            return
        for line in data[:end].split(b"\n"):
            if line[:1] == b"{" and len(line) <= LONGEST_LINE:
                yield line

    def rest(self) -> bytes:
        """The last line, where the program ended without a newline."""
        rest, self._rest = self._rest, b""
        return rest if rest[:1] == b"{" else b""


def printed_report(line: bytes) -> Report | None:
    """The report of a printed line; None where it is only log. Raises ReportError."""
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    if "step" in document:
        metrics = {
            name: number
            for name, value in {**document, **_mapping(document.get("metrics"))}.items()
            if name != "step" and (number := number_of(value)) is not None
        }
        return step_report(document["step"], metrics) if metrics else None
    if set(document) == {"value"} or set(document) == {"value", "constraints"}:
        return value_report(document)
    if set(document) == {"checkpoint"}:
        return CheckpointReport(step_of(document["checkpoint"]))
    return None


def sent_report(message: Mapping[str, Any]) -> Report | None:
    """The report of a message of the client; None for a look at the decision. Raises ReportError."""
    kind = message.get("type")
    if kind == "report":
        metrics: dict[str, float] = {}
        for name, value in _mapping(message.get("metrics")).items():
            number = number_of(value)
            if number is None:
                shown = "something" if is_sealed(name) else repr(value)
                raise ReportError(f"the metric {name!r} is {shown}, which is not a number")
            metrics[name] = number
        return step_report(message.get("step"), metrics)
    if kind == "tell":
        return value_report(message)
    if kind == "checkpoint":
        return CheckpointReport(step_of(message.get("step")))
    if kind == "look":
        return None
    raise ReportError(f"a message of type {kind!r}; there are report, checkpoint, tell and look")


def step_report(step: Any, metrics: dict[str, float]) -> StepReport:
    """A report of one step. Raises ReportError."""
    if not metrics:
        raise ReportError('report at least one number by name, such as {"step": 1, "validation/loss": 0.25}')
    return StepReport(step_of(step), metrics)


def value_report(document: Mapping[str, Any]) -> ValueReport:
    """The trial's value, None to let the reported metric decide. Raises ReportError."""
    value = document.get("value")
    number = None if value is None else number_of(value)
    if value is not None and number is None:
        raise ReportError(f"the value is {value!r}, which is not a number")
    bounds = document.get("constraints") or []
    numbers = [number_of(bound) for bound in bounds] if isinstance(bounds, list) else [None]
    if any(bound is None for bound in numbers):
        raise ReportError(f"the constraints are {bounds!r}, which is not a list of numbers")
    return ValueReport(number, tuple(bound for bound in numbers if bound is not None))


def step_of(value: Any) -> int:
    """A step as a whole number. Raises ReportError."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # some languages have one kind of number
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_STEP:
        raise ReportError(f"a step is a whole number from 0 (usually from 1) to {MAX_STEP}, not {value!r}")
    return value


def number_of(value: Any) -> float | None:
    """A number, finite or not; None where it is something else."""
    if value is None:
        return math.nan
    if isinstance(value, str):
        return _WORDS.get(value.lower())
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:  # a whole number beyond a double
        return math.inf if value > 0 else -math.inf


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
