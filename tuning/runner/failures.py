"""Why a job failed, in the four words that the rest of the program knows, and what would help."""

from __future__ import annotations

import errno
import sysconfig
import traceback
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from tuning.remedies import memory_remedy
from tuning.training import CheckpointError, DeviceError, DivergedError, SealedTestError, WorkloadError
from tuning.training.catalogue import UnknownWorkload
from tuning.training.footprint import FootprintError

LONGEST_MESSAGE = 2_000
LONGEST_TRACEBACK = 50_000

_OUT_OF_MEMORY_TEXTS = ("can't allocate memory", "CUDA out of memory", "CUBLAS_STATUS_ALLOC_FAILED")
_OWN_CODE = str(Path(__file__).resolve().parent.parent)
_LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})


_OWN_ERRORS = (CheckpointError, DeviceError, FootprintError, SealedTestError, UnknownWorkload, WorkloadError)


class JobError(ValueError):
    """A start that this process cannot serve: an unknown kind, or a spec with a wrong field."""


class ProgramFailed(RuntimeError):
    """An allowed program ended badly; `failure` says how."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(failure.message)


class NotFiniteObjective(ArithmeticError):
    """An objective function returned NaN or an infinity."""


@dataclass(frozen=True)
class Failure:
    """The fields of an error message: reason_code, what happened, where, and what would help."""

    reason_code: str
    message: str
    traceback: str
    remedy: str

    @classmethod
    def of(cls, error: BaseException, spec: Mapping[str, Any]) -> Failure:
        """Classify what a job raised; `spec` is the job's."""
        if isinstance(error, ProgramFailed):
            return error.failure
        params = spec.get("params")
        code, remedy = _classify(error, params if isinstance(params, Mapping) else {})
        text = str(error).strip()
        named = isinstance(error, (DivergedError, NotFiniteObjective, JobError, *_OWN_ERRORS))
        message = _sentence(text) if named and text else f"{type(error).__name__}: {text}".rstrip(": ")
        if len(message) > LONGEST_MESSAGE:
            message = message[:LONGEST_MESSAGE] + " …"
        shown = "" if isinstance(error, (DivergedError, JobError, UnknownWorkload)) else _traceback(error)
        return cls(code, message + _place(error, named), shown, remedy)

    @classmethod
    def out_of_memory(cls, message: str, text: str, params: Mapping[str, Any]) -> Failure:
        """A program that ran out of memory, by what it wrote (`text`)."""
        return cls("out_of_memory", message, text, memory_remedy(params))

    def to_json(self) -> dict[str, str]:
        """Return the fields of the error message."""
        return asdict(self)


def _classify(error: BaseException, params: Mapping[str, Any]) -> tuple[str, str]:
    if isinstance(error, (DivergedError, NotFiniteObjective)):
        return "diverged", _diverged_remedy(params)
    if _is_out_of_memory(error):
        return "out_of_memory", memory_remedy(params)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "disk_full", (
            "Free space on the disk with the checkpoints, then resume the study. "
            "The last checkpoint is untouched and the trial can continue from it."
        )
    return "code_error", _code_remedy(error)


def out_of_memory_in(text: str) -> bool:
    """Whether a program's last words say that memory ran out, in the ways of Python, CUDA, C++ and the JVM."""
    words = (*_OUT_OF_MEMORY_TEXTS, "MemoryError", "std::bad_alloc", "java.lang.OutOfMemoryError")
    return any(word in text for word in words)


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _OUT_OF_MEMORY_TEXTS)


def _diverged_remedy(params: Mapping[str, Any]) -> str:
    rates = [name for name in params if name == "lr" or "learning_rate" in name or name.endswith("_lr")]
    if rates:
        named = ", ".join(f"'{name}' (here {_short(params[name])})" for name in rates)
        return f"Lower the upper end of the range of {named}, or warm the learning rate up in the schedule."
    return "Lower the learning rate, or look for a division by zero or the logarithm of zero in the loss."


def _code_remedy(error: BaseException) -> str:
    if isinstance(error, SealedTestError):
        return "Use the validation split that data() returns; to measure on the test split, finalise the study."
    if isinstance(error, CheckpointError):
        return "Start the trial again from its beginning, or restore the file from a backup."
    if isinstance(error, UnknownWorkload):
        return "Look at the workloads page for the names and for what is wrong with a file."
    if isinstance(error, WorkloadError):
        return "Correct the workload's class as the message says."
    if isinstance(error, DeviceError):
        return "Start the worker on a machine with that device, or choose the CPU."
    if isinstance(error, JobError):
        return "The worker and the trial process may come from different versions; restart the workers."
    if isinstance(error, RuntimeError) and "does not have a deterministic implementation" in str(error):
        return "Replace the operation that the message names, or turn deterministic training off for the study."
    if isinstance(error, SystemExit):
        return "The workload's code calls exit(); let it raise an exception that says what is wrong."
    return "Correct the workload's code where the traceback ends; the next trials use the corrected file."


def _place(error: BaseException, named: bool) -> str:
    return "" if named else users_place(error)


def users_place(error: BaseException) -> str:
    """Where the user's code was when it failed, for a one-line reading; "" where it was not at work."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_users(frame.filename)]
    if not frames:
        return ""
    return f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno}, in {frames[-1].name})"


def _is_users(filename: str) -> bool:
    return not filename.startswith((_OWN_CODE, *_LIBRARIES, "<")) or f"{_OWN_CODE}/training/workloads/" in filename


def _traceback(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)).strip()[-LONGEST_TRACEBACK:]


def _sentence(text: str) -> str:
    text = text[0].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else text + "."


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else repr(value)
