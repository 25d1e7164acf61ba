import errno
import os
import pickle
import resource
import signal
import subprocess
import sys
import time

import pytest
import torch

from tests.training.problems import Blobs, Record, run_of
from tuning.training import CheckpointError, CheckpointFolder, DiskFullError, load_checkpoint, train
from tuning.training.checkpoint import RETENTION_SECONDS

STATE = {"step": 1, "model": {"weight": torch.arange(1000.0)}}


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 256 KiB, which only root may mount."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting a small tmpfs needs root: a full file system is not tried here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def age(path, seconds=RETENTION_SECONDS + 1):
    """Let the program's clock, and not the file's, be later: change times cannot be set."""
    return path.stat().st_ctime + seconds


def test_a_checkpoint_survives_the_round_trip(tmp_path):
    path = CheckpointFolder(tmp_path / "new" / "folder", fence=3).save("last", 7, STATE)
    assert path.name == "last-7-f3.pt"
    state = load_checkpoint(path)
    assert state["step"] == 1 and torch.equal(state["model"]["weight"], STATE["model"]["weight"])
    assert names(path.parent) == ["last-7-f3.pt"], "no temporary file stays"


def test_a_link_is_a_complete_checkpoint_of_its_own(tmp_path):
    folder = CheckpointFolder(tmp_path, fence=1)
    last = folder.save("last", 1, STATE)
    best = folder.link("best", 1, last)
    assert folder.link("best", 1, last) == best, "linking again changes nothing"
    last.unlink()
    assert load_checkpoint(best)["step"] == 1
    assert names(tmp_path) == ["best-1-f1.pt"]


def test_a_file_system_without_links_gets_a_copy(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    folder = CheckpointFolder(tmp_path, fence=1)
    last = folder.save("last", 1, STATE)
    monkeypatch.setattr(os, "link", refuse)
    assert load_checkpoint(folder.link("best", 1, last))["step"] == 1


@pytest.mark.parametrize(("kind", "step"), [("newest", 1), ("last", -1)])
def test_a_name_outside_of_the_scheme_is_refused(tmp_path, kind, step):
    with pytest.raises(ValueError, match="'last' or 'best'"):
        CheckpointFolder(tmp_path, fence=1).save(kind, step, STATE)


def test_the_newest_two_and_the_fresh_ones_stay(tmp_path, monkeypatch):
    folder = CheckpointFolder(tmp_path, fence=1)
    for step in (1, 2, 3):
        folder.save("last", step, STATE)
    assert len(names(tmp_path)) == 3, "a worker may not have stored the newest path yet"
    later = age(tmp_path / "last-3-f1.pt")
    monkeypatch.setattr(time, "time", lambda: later)
    folder.link("best", 1, tmp_path / "last-1-f1.pt")
    folder.save("last", 4, STATE)
    assert names(tmp_path) == ["best-1-f1.pt", "last-3-f1.pt", "last-4-f1.pt"]


def test_an_attempt_prunes_its_predecessors_and_never_its_successors(tmp_path, monkeypatch):
    CheckpointFolder(tmp_path, fence=1).save("last", 9, STATE)
    CheckpointFolder(tmp_path, fence=3).save("last", 5, STATE)
    second = CheckpointFolder(tmp_path, fence=2)
    later = age(tmp_path / "last-5-f3.pt")
    monkeypatch.setattr(time, "time", lambda: later)
    for step in (1, 2, 3):
        second.save("last", step, STATE)
    assert "last-9-f1.pt" not in names(tmp_path) and "last-5-f3.pt" in names(tmp_path)


def test_unfinished_files_of_earlier_attempts_are_removed(tmp_path):
    for name in (".last-4-f1.pt.tmp", ".best-4-f2.pt.tmp", ".last-4-f3.pt.tmp", "notes.txt"):
        (tmp_path / name).write_bytes(b"half")
    CheckpointFolder(tmp_path, fence=2)
    assert names(tmp_path) == [".last-4-f3.pt.tmp", "notes.txt"]


def test_a_missing_damaged_or_foreign_file_is_told_apart(tmp_path):
    path = CheckpointFolder(tmp_path, fence=1).save("last", 1, STATE)
    with pytest.raises(CheckpointError, match="is not there"):
        load_checkpoint(tmp_path / "last-2-f1.pt")

    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match="damaged or not a checkpoint"):
        load_checkpoint(path)
    path.write_bytes(b"")
    with pytest.raises(CheckpointError, match="damaged or not a checkpoint"):
        load_checkpoint(path)

    torch.save({"weight": torch.ones(2)}, path)
    with pytest.raises(CheckpointError, match="but not a checkpoint of a trial"):
        load_checkpoint(path)
    torch.save({"format": "hpweb checkpoint", "version": 99}, path)
    with pytest.raises(CheckpointError, match="version 99; only 1 can be read"):
        load_checkpoint(path)


def test_loading_runs_no_code_of_the_file(tmp_path):
    class Payload:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "owned"),))

    path = tmp_path / "last-1-f1.pt"
    torch.save({"format": "hpweb checkpoint", "version": 1, "model": Payload()}, path)
    with pytest.raises(CheckpointError):
        load_checkpoint(path)
    path.write_bytes(pickle.dumps(Payload()))
    with pytest.raises(CheckpointError):
        load_checkpoint(path)
    assert not (tmp_path / "owned").exists()


def test_a_full_disk_leaves_the_checkpoint_before(small_disk):
    folder = CheckpointFolder(small_disk, fence=1)
    first = folder.save("last", 1, STATE)
    with pytest.raises(DiskFullError, match="no room for the checkpoint") as caught:
        folder.save("last", 2, {"model": torch.zeros(200_000)})
    assert caught.value.errno == errno.ENOSPC
    assert names(small_disk) == ["last-1-f1.pt"]
    assert load_checkpoint(first)["step"] == 1
    folder.save("last", 2, STATE)


def test_a_training_on_a_full_disk_can_continue_from_its_last_checkpoint(small_disk, tmp_path):
    first, full, resumed, straight = Record(), Record(), Record(), Record()
    train(Blobs(), run_of(small_disk, epochs=2), first)
    (small_disk / "filler").write_bytes(b"x" * (os.statvfs(small_disk).f_bavail * 4096 - 4096))
    with pytest.raises(DiskFullError):
        train(Blobs(), run_of(small_disk, resume_from=first.last(), fence=2), full)
    (small_disk / "filler").unlink()
    train(Blobs(), run_of(small_disk, resume_from=first.last(), fence=3), resumed)
    train(Blobs(), run_of(tmp_path / "straight"), straight)
    assert first.steps | resumed.steps == straight.steps


def test_a_file_that_the_system_will_not_let_grow_leaves_the_checkpoint_before(tmp_path):
    """The same without root: a limit on the size of files (EFBIG) for this process, for a moment."""
    folder = CheckpointFolder(tmp_path, fence=1)
    first = folder.save("last", 1, STATE)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(DiskFullError, match="no room for the checkpoint"):
            folder.save("last", 2, {"model": torch.zeros(200_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, previous)
    assert names(tmp_path) == ["last-1-f1.pt"] and load_checkpoint(first)["step"] == 1


def test_a_writer_that_is_killed_leaves_whole_checkpoints_only(tmp_path):
    code = (
        "import sys, torch\n"
        "from tuning.training.checkpoint import CheckpointFolder\n"
        "folder, step = CheckpointFolder(sys.argv[1], fence=1), 0\n"
        "while True:\n"
        "    step += 1\n"
        "    folder.save('last', step, {'step': step, 'model': torch.full((300_000,), float(step))})\n"
    )
    writer = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
    deadline = time.monotonic() + 60
    while len(names(tmp_path)) < 20 and time.monotonic() < deadline:
        time.sleep(0.005)
    writer.kill()
    writer.wait()
    whole = [path for path in tmp_path.iterdir() if path.suffix == ".pt"]
    assert len(whole) >= 19
    for path in whole:
        state = load_checkpoint(path)
        assert path.name == f"last-{state['step']}-f1.pt"
        assert bool((state["model"] == state["step"]).all())
