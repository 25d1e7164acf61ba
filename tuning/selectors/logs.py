"""Reading what a trial process wrote to stdout and stderr: its end, the lines with some words, all of it."""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tuning.models import Attempt, Trial
from tuning.selectors.artifacts import log_gap, log_path, log_segments
from tuning.selectors.errors import NotFound

CONTEXT_LINES = 2
MOST_MATCHES = 200
LONGEST_LINE = 600  # characters that are shown of one
LONGEST_WORDS = 200
_GAP = re.compile(r"\[… ([\d,]+) bytes, ([\d,]+) lines left out …\]")


@dataclass(frozen=True)
class LogText:
    text: str
    truncated: bool
    size: int  # bytes


@dataclass(frozen=True)
class LogLine:
    """A line by its number in all that was printed; the gap between head and tail has none."""

    number: int | None
    text: str
    found: bool


@dataclass(frozen=True)
class LogSearch:
    """The lines with the words, each with those around it; neighbours share a group."""

    groups: list[list[LogLine]]
    total: int
    shown: int


def gap_words(n_bytes: int, n_lines: int) -> bytes:
    """What stands in a log between its head and its tail."""
    return f"\n[… {n_bytes:,} bytes, {n_lines:,} lines left out …]\n".encode()


def attempt_log(attempt: Attempt, *, limit_bytes: int = 200_000) -> LogText:
    """The end of an attempt's log, at most `limit_bytes`. Raises NotFound where there is none."""
    path = log_path(attempt)
    parts = [path, *log_segments(path)]
    sizes = [_size(part) for part in parts]
    size, data = sum(sizes), b""
    for part, length in zip(reversed(parts), reversed(sizes), strict=True):
        wanted = min(length, limit_bytes - len(data))
        if wanted > 0:
            data = _end_of(part, wanted) + data
    if size > limit_bytes:
        data = data[data.find(b"\n") + 1 :]  # start at a whole line
    return LogText(data.decode("utf-8", "replace"), size > limit_bytes, size)


def log_mark(trial: Trial) -> int:
    """A number that changes while a running trial prints: how much it has printed, as far as this host can see."""
    attempt = trial.attempts.order_by("-fence").first()
    try:
        path = log_path(attempt) if attempt is not None else None
    except NotFound:
        path = None
    if path is None:
        return 0
    return sum(_size(part) for part in (path, *log_segments(path))) + _gap(path)[0]


def attempt_of_trial(trial: Trial, fence: int) -> Attempt:
    """One attempt of a trial. Raises NotFound."""
    attempt = trial.attempts.filter(fence=fence).first()
    if attempt is None:
        raise NotFound(f"Trial {trial.number} has no attempt {fence}.")
    return attempt


def log_parts(attempt: Attempt) -> Iterator[bytes]:
    """All that was kept of an attempt's log, in order. Raises NotFound where there is none."""
    path = log_path(attempt)
    return _parts(path)


def _parts(path: Path) -> Iterator[bytes]:
    yield _end_of(path, _size(path))
    n_bytes, n_lines = _gap(path)
    if n_bytes:
        yield gap_words(n_bytes, n_lines)
    for segment in log_segments(path):
        yield _end_of(segment, _size(segment))


def search_log(attempt: Attempt, words: str) -> LogSearch:
    """The lines of an attempt's log that hold `words`, whatever their case, with their numbers and neighbours.

    At most MOST_MATCHES are shown, the newest; all are counted. Raises NotFound where there is no log.
    """
    wanted = words[:LONGEST_WORDS].casefold()
    lines = list(_numbered(b"".join(log_parts(attempt)).decode("utf-8", "replace")))
    found = [index for index, (number, text) in enumerate(lines) if number is not None and wanted in text.casefold()]
    shown = found[-MOST_MATCHES:]
    groups: list[list[LogLine]] = []
    last = -1
    for index in shown:
        first = max(index - CONTEXT_LINES, last + 1)
        if first > last + 1 or not groups:
            groups.append([])
        for place in range(first, min(index + CONTEXT_LINES + 1, len(lines))):
            number, text = lines[place]
            matched = number is not None and wanted in text.casefold()
            groups[-1].append(LogLine(number, _cut(text, wanted if matched else ""), matched))
            last = place
    return LogSearch(groups, len(found), len(shown))


def _numbered(text: str) -> Iterator[tuple[int | None, str]]:
    """Every line with its number; behind the gap the count goes on with the lines that were left out."""
    number = 1
    lines = text.split("\n")
    for line in lines[:-1] if lines[-1] == "" else lines:
        if gap := _GAP.fullmatch(line):
            yield None, line
            number += int(gap[2].replace(",", "")) - 1  # its last line goes on behind the gap
        else:
            yield number, line.rstrip("\r").rsplit("\r", 1)[-1]  # a progress bar's last state
            number += 1


def _cut(text: str, words: str) -> str:
    """A long line, cut around the words."""
    if len(text) <= LONGEST_LINE:
        return text
    start = max(0, text.casefold().find(words) - LONGEST_LINE // 3) if words else 0
    return f"{'… ' if start else ''}{text[start : start + LONGEST_LINE]} …"


def _gap(path: Path) -> tuple[int, int]:
    """Bytes and lines that are left out so far of a log that is being written; (0, 0) for a whole one."""
    try:
        note = json.loads(log_gap(path).read_text())
        return int(note["bytes"]), int(note["lines"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0, 0  # there is none, or it is being written anew at this moment


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _end_of(path: Path, length: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(-length, os.SEEK_END)
            return file.read(length)
    except OSError:
        return b""  # the segment was joined or rotated while we looked; the next look has it
