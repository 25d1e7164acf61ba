"""Did the kernel kill a trial process because memory ran out? Its counts handed in, and for real where root may."""

import os
import shutil
import signal
import uuid
from pathlib import Path

import pytest

from tests.factories import make_running, make_slot, make_study
from tests.workers.fakes import FakeLauncher
from tuning.models import Trial
from tuning.workers import oom
from tuning.workers.local import LocalLauncher
from tuning.workers.oom import MemoryKills, kill_counter
from tuning.workers.trial_run import TrialRun


# --- the count -------------------------------------------------------------------------------------------------------
def counting(*counts):
    left = list(counts)
    return lambda: left.pop(0) if len(left) > 1 else left[0]


@pytest.mark.parametrize(
    ("counts", "happened"),
    [((0, 1), True), ((5, 6), True), ((5, 5), False), ((None, None), False), ((None, 1), False), ((1, None), False)],
)
def test_a_count_that_rose_since_the_start_tells(counts, happened):
    kills = MemoryKills(1, counting(*counts))
    assert kills.happened() == happened


def test_a_kill_long_before_this_one_tells_nothing():
    kills = MemoryKills(1, counting(0, 1))
    began = kills._seen[0][0]
    for second in range(1, 20):
        kills.sample(began + second)
    assert not kills.happened(), "the count rose 19 s ago, for another process"


def test_a_kill_that_was_counted_while_the_process_still_seemed_to_live_tells():
    kills = MemoryKills(1, counting(*([0] * 18), 1))
    began = kills._seen[0][0]
    for second in range(1, 20):
        kills.sample(began + second)
    assert kills.happened()


def made(tmp_path: Path, lines: str, **files: str) -> "tuple[Path, Path]":
    root, proc = tmp_path / "cgroup", tmp_path / "proc"
    (proc / "7").mkdir(parents=True)
    (proc / "7" / "cgroup").write_text(lines)
    for name, text in files.items():
        path = tmp_path / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root, proc


EVENTS = "low 0\nhigh 0\nmax 9\noom 4\noom_kill 3\noom_group_kill 0\n"


def test_the_count_is_that_of_the_cgroup_and_else_of_the_machine(tmp_path):
    root, proc = made(tmp_path, "0::/a/b\n", cgroup__a__b__memory_dot_events=EVENTS, proc__vmstat="oom_kill 70\n")
    count = kill_counter(7, root, proc)
    assert count() == 3
    (root / "a/b/memory.events").write_text(EVENTS.replace("oom_kill 3", "oom_kill 4"))
    assert count() == 4
    shutil.rmtree(root)
    assert count() is None, "what was found is gone: nobody knows"
    assert kill_counter(7, root, proc)() == 70
    (proc / "vmstat").unlink()
    assert kill_counter(7, root, proc)() is None
    assert kill_counter(8, root, proc)() is None


def test_the_first_version_of_cgroups_has_it_elsewhere(tmp_path):
    control = "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"
    root, proc = made(tmp_path, "4:memory:/x\n0::/\n", cgroup__memory__x__memory_dot_oom_control=control)
    assert kill_counter(7, root, proc)() == 2


def test_garbage_in_the_files_is_no_count(tmp_path):
    root, proc = made(tmp_path, "0::/\n", cgroup__memory_dot_events="oom_kill many\n", proc__vmstat="oom_kill\n")
    assert kill_counter(7, root, proc)() is None


# --- the trial -------------------------------------------------------------------------------------------------------
@pytest.fixture
def run(alice):
    slot = make_slot()
    study = make_study(alice, started=True, workload="tiny", space={"batch_size": {"type": "constant", "value": 512}})
    run = TrialRun(make_running(study, slot), slot, FakeLauncher())
    run.start()
    return run


@pytest.mark.django_db
@pytest.mark.parametrize(("counts", "code", "state"), [
    ((0, 1), -signal.SIGKILL, "FAILED"),
    ((0, 0), -signal.SIGKILL, "WAITING"),
    ((None, None), -signal.SIGKILL, "WAITING"),
    ((0, 1), -signal.SIGSEGV, "WAITING"),
])  # fmt: skip
def test_a_kill_for_memory_fails_the_trial_with_a_remedy_and_any_other_is_tried_again(run, counts, code, state):
    run.usage.kills = MemoryKills(1, counting(*counts))
    run.process.die(code)
    run.step()
    trial = Trial.objects.get()
    assert trial.state == state
    if state == "FAILED":
        assert (trial.reason_code, trial.retries) == ("out_of_memory", 0)
        for words in ("The host ran out of memory", "'batch_size' (here 512)", "HPWEB_SLOTS"):
            assert words in trial.reason


# --- for real --------------------------------------------------------------------------------------------------------
LIMIT = 64 * 2**20


@pytest.fixture
def small_cgroup():
    """A cgroup of 64 MB; skips where this machine lets nobody make one."""
    name = f"hpweb-test-{uuid.uuid4().hex[:8]}"
    second, first = oom.CGROUPS / name, oom.CGROUPS / "memory" / name
    try:
        if (oom.CGROUPS / "cgroup.controllers").exists():
            folder = second
            folder.mkdir()
            limits = {"memory.max": LIMIT, "memory.swap.max": 0}
        else:
            folder = first
            folder.mkdir()
            limits = {"memory.limit_in_bytes": LIMIT, "memory.memsw.limit_in_bytes": LIMIT}
        for file, value in limits.items():
            if (folder / file).exists():
                (folder / file).write_text(str(value))
        if not any((folder / file).exists() for file in ("memory.max", "memory.limit_in_bytes")):
            raise OSError("it has no limit for memory")
    except OSError as error:
        for folder in (first, second):
            if folder.is_dir():
                folder.rmdir()
        pytest.skip(f"this machine lets nobody make a cgroup with a limit of memory ({error})")
    yield folder
    folder.rmdir()


class Confined(LocalLauncher):
    """Starts trial processes in a cgroup."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def launch(self, slot, log, *, workload=""):
        process = super().launch(slot, log, workload=workload)
        (self.folder / "cgroup.procs").write_text(str(process.pid))
        return process


@pytest.mark.django_db(transaction=True)
def test_a_trial_that_the_kernel_kills_for_memory_has_failed_and_says_what_to_lower(alice, small_cgroup):
    """The trial process imports torch, which 64 MB do not hold."""
    slot = make_slot()
    trial = make_running(make_study(alice, started=True, workload="tiny"), slot)
    assert TrialRun(trial, slot, Confined(small_cgroup)).run() == "failed"
    trial.refresh_from_db()
    assert (trial.state, trial.reason_code, trial.retries) == ("FAILED", "out_of_memory", 0)
    assert "the kernel ended the trial process" in trial.reason
    assert trial.attempts.get().exit_code == -signal.SIGKILL
    assert os.listdir(small_cgroup)
