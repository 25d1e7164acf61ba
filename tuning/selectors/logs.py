"""Reading what a trial process wrote to stdout and stderr."""

import os
from dataclasses import dataclass
from pathlib import Path

from tuning.models import Attempt
from tuning.selectors.artifacts import log_path, log_segments


@dataclass(frozen=True)
class LogText:
    text: str
    truncated: bool
    size: int  # bytes


def attempt_log(attempt: Attempt, *, limit_bytes: int = 200_000) -> LogText:
    """The end of an attempt's log, at most `limit_bytes`. Raises NotFound where there is none."""
    path = log_path(attempt)
    parts = [path, *log_segments(path)]
    sizes = [part.stat().st_size if part.exists() else 0 for part in parts]
    size, data = sum(sizes), b""
    for part, length in zip(reversed(parts), reversed(sizes), strict=True):
        wanted = min(length, limit_bytes - len(data))
        if wanted > 0:
            data = _end_of(part, wanted) + data
    if size > limit_bytes:
        data = data[data.find(b"\n") + 1 :]  # start at a whole line
    return LogText(data.decode("utf-8", "replace"), size > limit_bytes, size)


def _end_of(path: Path, length: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(-length, os.SEEK_END)
            return file.read(length)
    except OSError:
        return b""  # the segment was joined or rotated while we looked; the next look has it
