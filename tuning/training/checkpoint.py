"""Checkpoints: all that an exact continuation needs, written so that a crash leaves the old or the new one.

A checkpoint is written to a temporary file, flushed to the disk and renamed; the folder is flushed too. Its
name carries the kind, the step and the fence of the attempt that wrote it (`last-7-f2.pt`), so that an
attempt that has lost its trial can never overwrite the files of its successor. Files hold tensors and plain
containers only and are read with torch's `weights_only`, which runs no code from the file.
"""

from __future__ import annotations

import errno
import io
import os
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

FORMAT = "hpweb checkpoint"
VERSION = 1
# A worker stores an accepted path within a second, and kills its trial when it has not reached the database for
# the 30 s of its lease: what is older than this and not among the newest two is no longer anybody's.
RETENTION_SECONDS = 60.0
KEEP = 2

_NAME = re.compile(r"(?P<kind>last|best)-(?P<step>\d+)-f(?P<fence>\d+)\.pt")
_TEMPORARY = re.compile(r"\.(?:last|best)-\d+-f(?P<fence>\d+)\.pt\.tmp")
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be read, or that belongs to something else."""


class DiskFullError(OSError):
    """A checkpoint did not fit on the disk; earlier checkpoints are untouched."""


class CheckpointFolder:
    """The checkpoints of one trial, as one attempt (one fence) writes them."""

    def __init__(self, folder: str | os.PathLike[str], fence: int) -> None:
        self.path = Path(folder)
        self.fence = fence
        _or_disk_full(lambda: self.path.mkdir(parents=True, exist_ok=True), self.path)
        self._remove_leftovers()

    def save(self, kind: str, step: int, state: Mapping[str, Any]) -> Path:
        """Write `state` durably as the checkpoint of `kind` ("last" or "best") at `step`; return its path.

        Raises:
            DiskFullError: there is no room; every earlier checkpoint stands.
        """
        buffer = io.BytesIO()
        torch.save({"format": FORMAT, "version": VERSION, **state}, buffer)
        target = self._target(kind, step)
        _or_disk_full(lambda: self._write(target, buffer), target)
        self._prune(kind)
        return target

    def link(self, kind: str, step: int, existing: Path) -> Path:
        """Make the complete file `existing` the checkpoint of `kind` at `step` too, without a second copy."""
        target = self._target(kind, step)
        temporary = self._temporary(target)
        temporary.unlink(missing_ok=True)
        try:
            os.link(existing, temporary)
        except OSError as error:
            if error.errno in _FULL:
                raise _disk_full(target, error) from error
            # A file system without hard links: a second copy, then.
            _or_disk_full(lambda: self._write(target, io.BytesIO(existing.read_bytes())), target)
        else:
            _or_disk_full(lambda: self._publish(temporary, target), target)
        self._prune(kind)
        return target

    def _target(self, kind: str, step: int) -> Path:
        target = self.path / f"{kind}-{step}-f{self.fence}.pt"
        if not _NAME.fullmatch(target.name):
            raise ValueError(f"kind is 'last' or 'best' and step not negative, not {kind!r} and {step}")
        return target

    def _temporary(self, target: Path) -> Path:
        return target.with_name(f".{target.name}.tmp")

    def _write(self, target: Path, content: io.BytesIO) -> None:
        temporary = self._temporary(target)
        try:
            with open(temporary, "wb") as file:
                file.write(content.getbuffer())
                file.flush()
                os.fsync(file.fileno())
            self._publish(temporary, target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def _publish(self, temporary: Path, target: Path) -> None:
        os.replace(temporary, target)
        temporary.unlink(missing_ok=True)  # rename does nothing where both names are links to one file
        folder = os.open(self.path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _prune(self, kind: str) -> None:
        """Remove what a newer checkpoint of the same kind has replaced (see RETENTION_SECONDS)."""
        found = []
        for path in self.path.iterdir():
            match = _NAME.fullmatch(path.name)
            if match and match["kind"] == kind:
                found.append((int(match["fence"]), int(match["step"]), path))
        now = time.time()
        for fence, _, path in sorted(found)[:-KEEP]:
            if fence <= self.fence and now - path.stat().st_ctime > RETENTION_SECONDS:
                path.unlink(missing_ok=True)

    def _remove_leftovers(self) -> None:
        """Remove the unfinished files of earlier attempts, which are dead or have lost their fence."""
        for path in self.path.iterdir():
            match = _TEMPORARY.fullmatch(path.name)
            if match and int(match["fence"]) <= self.fence:
                path.unlink(missing_ok=True)


def load_checkpoint(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what a checkpoint holds, its tensors on the CPU.

    Raises:
        CheckpointError: the file is missing, damaged, or not a checkpoint of this format.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(f"the checkpoint {os.fspath(path)} is not there") from error
    except Exception as error:  # the reader raises whatever a damaged archive leads it to
        raise CheckpointError(
            f"the checkpoint {os.fspath(path)} cannot be read: it is damaged or not a checkpoint "
            f"({type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''})"
        ) from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise CheckpointError(f"{os.fspath(path)} is a torch file, but not a checkpoint of a trial")
    if state["version"] != VERSION:
        raise CheckpointError(
            f"the checkpoint {os.fspath(path)} has version {state['version']}; only {VERSION} can be read"
        )
    return state


def _or_disk_full(write: Callable[[], object], target: Path) -> None:
    try:
        write()
    except OSError as error:
        if error.errno in _FULL:
            raise _disk_full(target, error) from error
        raise


def _disk_full(target: Path, error: OSError) -> DiskFullError:
    return DiskFullError(error.errno, f"no room for the checkpoint ({error.strerror})", str(target))
