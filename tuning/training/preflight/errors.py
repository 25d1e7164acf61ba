"""What may go wrong while a check runs: the workload raises, the time is over, or the worker wants the process back."""

from __future__ import annotations

import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

OWN_CODE = str(Path(__file__).resolve().parents[2])
SHIPPED = f"{OWN_CODE}/training/workloads/"
LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
LONGEST = 600


class Stopped(Exception):
    """The worker asked for the process; what has been found until now is the answer."""


class WorkloadRaised(Exception):
    """The workload's own code raised; `doing` says in which of its methods, `error` what."""

    def __init__(self, doing: str, error: BaseException) -> None:
        self.doing, self.error = doing, error
        super().__init__(f"{doing} raised {described(error)}")

    @property
    def todo(self) -> str:
        """What would help."""
        if isinstance(self.error, MemoryError | torch.OutOfMemoryError):
            return "Lower the batch size or the model's size in the middle of the space, or use a larger device."
        if isinstance(self.error, SystemExit):
            return "The workload calls exit(); let it raise an exception that says what is wrong."
        if isinstance(self.error, FileNotFoundError):
            return "Bring the file to every host with workers, or correct its path; HPWEB_DATA_DIR names the folder."
        return "Correct the workload's code there; the job's log has the whole traceback. Then run the preflight again."


@contextmanager
def workload_code(doing: str) -> Iterator[None]:
    """Around a call of the workload's own code: what it raises is told as its doing. Raises WorkloadRaised."""
    try:
        yield
    except (WorkloadRaised, Stopped):
        raise
    except (Exception, SystemExit) as error:
        raise WorkloadRaised(doing, error) from error


def described(error: BaseException) -> str:
    """An error in one sentence: its kind, its text, and the line of the workload where it came up."""
    text = " ".join(str(error).split())[:LONGEST]
    return f"{type(error).__name__}: {text}".rstrip(": ") + _place(error)


def _place(error: BaseException) -> str:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_users(frame.filename)]
    if not frames:
        return ""
    return f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno}, in {frames[-1].name})"


def _is_users(filename: str) -> bool:
    return filename.startswith(SHIPPED) or not filename.startswith((OWN_CODE, *LIBRARIES, "<"))
