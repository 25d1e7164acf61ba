"""Digests that two hosts compare: of the code that a study was made with, and of the data that it reads."""

from __future__ import annotations

import ast
import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

MAX_CODE_FILES = 2_000
MAX_CODE_BYTES = 200_000_000
MAX_DATA_FILES = 100_000
SAMPLE_BYTES = 1_000_000  # of the head and of the tail of each data file
SETTLED_NS = 2_000_000_000  # a file written so lately may be written again without a sign of it in its state
_MAGIC = set("*?[")

# What this process has read of data files, by their state: a trial in a warm process looks, and reads what has changed.
_samples: dict[Path, tuple[tuple[int, ...], str]] = {}


class PatternError(ValueError):
    """A pattern of files that leads outside, matches nothing, or matches too much."""


def file_digest(path: Path) -> str:
    """sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def source_digest(path: Path, folder: Path) -> str:
    """sha256 of a workload's file; where it imports others of its folder, of all of them together."""
    digest = file_digest(path)
    parts = [(part.relative_to(folder).as_posix(), file_digest(part)) for part in sorted(_imported(path, folder))]
    return _digest_of([digest, parts]) if parts else digest


def _imported(path: Path, folder: Path) -> set[Path]:
    """The files of `folder` that `path` imports, directly and through each other."""
    found: set[Path] = set()
    waiting = [path]
    while waiting:
        for module in _imports(waiting.pop()):
            for part in _files_of(module, folder):
                if part not in found and part != path:
                    found.add(part)
                    waiting.append(part)
    return found


def _imports(path: Path) -> Iterator[str]:
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return  # it cannot be loaded either, and that is told where it is
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def _files_of(module: str, folder: Path) -> Iterable[Path]:
    top = folder / module.partition(".")[0]
    if top.with_suffix(".py").is_file():
        return [top.with_suffix(".py")]
    return sorted(top.rglob("*.py")) if top.is_dir() else []


def code_digest(folder: Path, patterns: Sequence[str], text: str) -> str:
    """sha256 of `text` and of every file that a pattern below `folder` matches. Raises PatternError."""
    files: dict[str, str] = {}
    size = 0
    for pattern in patterns:
        if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
            raise PatternError(f"the code pattern {pattern!r} leads out of {folder}; set cwd to the code's folder")
        matched = [path for path in folder.glob(pattern) if path.is_file() and "__pycache__" not in path.parts]
        if not matched:
            raise PatternError(f"the code pattern {pattern!r} matches no file in {folder}")
        size += sum(path.stat().st_size for path in matched)
        if len(files) + len(matched) > MAX_CODE_FILES or size > MAX_CODE_BYTES:
            raise PatternError(
                f"the code patterns match more than {MAX_CODE_FILES:,} files or {MAX_CODE_BYTES:,} bytes; "
                "name the sources alone"
            )
        try:
            files |= {path.relative_to(folder).as_posix(): file_digest(path) for path in matched}
        except OSError as error:
            raise PatternError(f"a file of the code cannot be read: {error}") from error
    return _digest_of([text, sorted(files.items())])


def data_digest(folder: Path, patterns: Sequence[str]) -> str:
    """A fingerprint of data files: names, sizes, and the first and last SAMPLE_BYTES of each. Raises PatternError.

    Patterns may lead anywhere on the host; names are taken below the pattern's part without wildcards, so that
    hosts may keep the same data at different places.
    """
    rows: list[tuple[str, int, str]] = []
    for pattern in patterns:
        root, rest = _split(folder / pattern)
        if len(rows) > MAX_DATA_FILES:
            raise PatternError(f"the data patterns match more than {MAX_DATA_FILES:,} files; name an archive of them")
        try:
            matched = sorted(path for path in root.glob(rest) if path.is_file()) if rest else [root]
            rows += [(path.relative_to(root).as_posix() if rest else path.name, *_sample(path)) for path in matched]
        except OSError as error:
            raise PatternError(f"the data {pattern!r} cannot be read: {error}") from error
        if not matched:
            raise PatternError(f"the data pattern {pattern!r} matches no file on this host")
    return _digest_of(sorted(rows))


def _split(path: Path) -> tuple[Path, str]:
    """The part of a pattern before its first wildcard, and the rest."""
    for index, part in enumerate(path.parts):
        if _MAGIC & set(part):
            return Path(*path.parts[:index]), str(Path(*path.parts[index:]))
    return path, ""


def _sample(path: Path) -> tuple[int, str]:
    status = path.stat()
    size = status.st_size
    state = (status.st_dev, status.st_ino, size, status.st_mtime_ns, status.st_ctime_ns)
    known = _samples.get(path)
    if known is not None and known[0] == state:
        return size, known[1]
    digest = hashlib.sha256()
    with path.open("rb") as file:
        digest.update(file.read(SAMPLE_BYTES))
        if size > SAMPLE_BYTES:
            file.seek(max(SAMPLE_BYTES, size - SAMPLE_BYTES))
            digest.update(file.read(SAMPLE_BYTES))
    if time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) > SETTLED_NS:
        _samples[path] = (state, digest.hexdigest())
    return size, digest.hexdigest()


def _digest_of(document: object) -> str:
    return hashlib.sha256(json.dumps(document).encode()).hexdigest()
