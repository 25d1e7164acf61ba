"""Reading what a trial process wrote to stdout and stderr."""

from dataclasses import dataclass

from tuning.models import Attempt
from tuning.selectors.artifacts import log_path


@dataclass(frozen=True)
class LogText:
    text: str
    truncated: bool
    size: int  # bytes


def attempt_log(attempt: Attempt, *, limit_bytes: int = 200_000) -> LogText:
    """The end of an attempt's log, at most `limit_bytes`. Raises NotFound where there is none."""
    path = log_path(attempt)
    size = path.stat().st_size
    with path.open("rb") as file:
        if size > limit_bytes:
            file.seek(size - limit_bytes)
            file.readline()  # start at a whole line
        data = file.read()
    return LogText(data.decode("utf-8", "replace"), size > limit_bytes, size)
