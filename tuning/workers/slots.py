"""The kernel's word on who works a slot of this host: a file lock that the kernel frees when its holder dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from tuning.models import Slot

MARK = "HPWEB_SLOT"  # in the environment of a slot's trial process, and so of everything that it starts


@contextmanager
def slot_lock(slot_id: int) -> Iterator[bool]:
    """Hold the slot on this host; yields False where another process holds it. The kernel frees it if we die."""
    handle = os.open(lock_folder() / f"slot-{slot_id}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield True
    finally:
        os.close(handle)


def slot_holder(slot_id: int) -> int | None:
    """The process that took the slot's lock last; whether it still has it, the lock itself says."""
    try:
        return int((lock_folder() / f"slot-{slot_id}.lock").read_text())
    except (OSError, ValueError):
        return None  # nobody yet, or just now somebody


def lock_folder() -> Path:
    folder = Path(settings.STATE_DIR) / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def process_lock(slot: Slot) -> Path | None:
    """The file that the slot's trial process holds locked: also one that outlives its worker for a moment keeps
    another from starting. None for a slot that is in no table (describing without workers)."""
    return lock_folder() / f"process-{slot.pk}.lock" if slot.pk else None


def process_runs(slot_id: int) -> bool:
    """Whether the slot has a trial process on this host, one that waits for its next job included."""
    try:
        handle = os.open(lock_folder() / f"process-{slot_id}.lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def slot_mark(slot: Slot) -> dict[str, str]:
    """The environment variable by which the slot's processes are known, on this machine and for this folder alone."""
    lock = process_lock(slot)
    return {MARK: str(lock)} if lock else {}
