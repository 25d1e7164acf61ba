"""The kernel's word on who works a slot of this host: a file lock that the kernel frees when its holder dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings


@contextmanager
def slot_lock(slot_id: int) -> Iterator[bool]:
    """Hold the slot on this host; yields False where another process holds it. The kernel frees it if we die."""
    folder = Path(settings.STATE_DIR) / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / f"slot-{slot_id}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(handle)
