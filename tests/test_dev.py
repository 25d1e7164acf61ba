"""dev.py ends what a killed supervisor left behind, and nothing else."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import dev

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@pytest.fixture
def sleeper() -> Iterator["subprocess.Popen[bytes]"]:
    """A process that leads a session of its own, as a cluster does."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


def note_of(folder: Path, session: int, boot_id: str) -> Path:
    note = folder / "cluster-here.json"
    note.write_text(json.dumps({"session": session, "boot_id": boot_id}))
    return note


def test_the_noted_cluster_of_this_boot_is_ended(sleeper, tmp_path) -> None:
    dev.end_orphans(note_of(tmp_path, sleeper.pid, BOOT_ID.read_text().strip()))
    assert sleeper.wait(10) == -signal.SIGKILL


def test_a_note_of_another_boot_ends_nobody(sleeper, tmp_path) -> None:
    dev.end_orphans(note_of(tmp_path, sleeper.pid, "another boot"))
    assert sleeper.poll() is None


def test_a_cluster_that_has_gone_is_no_error(sleeper, tmp_path) -> None:
    sleeper.kill()
    sleeper.wait()
    dev.end_orphans(note_of(tmp_path, sleeper.pid, BOOT_ID.read_text().strip()))


def test_what_runs_on_each_database_and_what_only_once_is_there() -> None:
    for path in (*dev.DATABASE_TESTS, *dev.ONCE):
        assert (dev.HERE / path).exists(), path
