"""Warm processes: which jobs share one, what they see of each other (nothing), and when a process has to go."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.factories import make_place, make_running, make_slot, make_study, make_workload
from tests.workers.fakes import FakeLauncher
from tests.workers.workloads import NAME, SPACE, overload, write_workload
from tuning.models import Attempt, Slot, Trial
from tuning.selectors.curves import trial_curves
from tuning.selectors.logs import attempt_log
from tuning.services.hosts import drain_host, take_hint
from tuning.services.jobs import request_split
from tuning.services.lifecycle import start_study, stop_study
from tuning.services.studies import create_study
from tuning.workers import tasks
from tuning.workers.launcher import Rest
from tuning.workers.local import LocalLauncher
from tuning.workers.processes import marked, session_members, start_time
from tuning.workers.slots import process_lock, slot_lock, slot_mark
from tuning.workers.tasks import work
from tuning.workers.trial_run import TrialRun
from tuning.workers.warm import WarmLauncher

STATES = """
import gc, locale, logging, os, random, signal, socket, subprocess, sys, tempfile, threading, time, warnings
import numpy as np
import torch
{imports}

MAX_RESOURCE = 1


def state():
    return {{
        "random": random.random(), "numpy": float(np.random.rand()), "torch": float(torch.rand(())),
        "environment": sorted(os.environ.items()), "folder": os.getcwd(), "mask": oct(os.umask(0o022)),
        "dtype": str(torch.get_default_dtype()), "threads": torch.get_num_threads(), "grad": torch.is_grad_enabled(),
        "anomaly": torch.is_anomaly_enabled(), "deterministic": torch.are_deterministic_algorithms_enabled(),
        "matmul": torch.get_float32_matmul_precision(), "benchmark": torch.backends.cudnn.benchmark,
        "device": str(torch.empty(0).device), "errors": np.geterr(), "precision": np.get_printoptions()["precision"],
        "filters": len(warnings.filters), "level": logging.getLogger().level, "handlers": len(logging.root.handlers),
        "library": logging.getLogger("some.library").level, "path": list(sys.path), "arguments": sys.argv,
        "limit": sys.getrecursionlimit(), "gc": gc.isenabled(), "temporary": tempfile.tempdir,
        "timeout": socket.getdefaulttimeout(), "alarm": str(signal.getsignal(signal.SIGALRM)),
        "locale": locale.setlocale(locale.LC_ALL), "stdout": sys.stdout is sys.__stdout__, "trace": str(sys.gettrace()),
    }}


def disturb():
    os.environ["LEFT"] = "behind"
    os.environ.pop("PATH")
    os.chdir("/")
    os.umask(0o077)
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    torch.set_num_threads(3)
    torch.set_grad_enabled(False)
    torch.autograd.set_detect_anomaly(True)
    torch.use_deterministic_algorithms(True)
    torch.set_float32_matmul_precision("medium")
    torch.backends.cudnn.benchmark = not torch.backends.cudnn.benchmark
    np.seterr(all="raise")
    np.set_printoptions(precision=2)
    warnings.simplefilter("error")
    logging.basicConfig(level=logging.DEBUG, handlers=[logging.NullHandler()], force=True)
    logging.getLogger("some.library").setLevel(logging.CRITICAL)
    sys.path.insert(0, "/nowhere")
    sys.argv.append("more")
    sys.setrecursionlimit(5000)
    gc.disable()
    tempfile.tempdir = "/nowhere"
    socket.setdefaulttimeout(0.001)
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    sys.stdout = open(os.devnull, "w")
    sys.settrace(lambda *words: None)


def objective(trial):
    print("this is trial", trial.number, flush=True)
    subprocess.run(["/bin/echo", "a program of trial", str(trial.number)], check=True)
    os.write(1, b"and its C code\\n")
    trial.set_user_attr("state", state())
    {body}
    return 1.0
"""


@pytest.fixture
def folder(settings, tmp_path, db) -> Path:
    """The folder of workload files; tasks stay warm for a moment after their last job."""
    settings.WORKLOADS, settings.WORKLOAD_DIR = "", str(tmp_path / "workloads")
    settings.FLUSH_SECONDS, settings.WARM_SECONDS = 0.05, 0.2
    (tmp_path / "workloads").mkdir()
    return tmp_path / "workloads"


def objective_study(alice, folder: Path, body: str, *, imports: str = "", n_trials: int = 3, name: str = "objective"):
    """A running study of an objective function with this body."""
    path, code = folder / "objective.py", STATES.format(body=body, imports=imports)
    if not path.exists():
        path.write_text(code)
    make_workload(
        "objective", kind="objective", space=None, metric="value", direction="minimize", max_resource=1, digest=""
    )
    study = create_study(owner=alice, name=name, workload="objective", n_trials=n_trials, seed=1, parallel=1)
    return start_study(study_id=study.pk, actor=alice, despite="it is about something else")


def processes(study) -> list[int]:
    """The processes of a study's attempts, in the order in which they began; each trial has ended well."""
    attempts = list(Attempt.objects.filter(trial__study=study).order_by("pk"))
    states = [(attempt.trial.state, attempt.trial.reason) for attempt in attempts]
    assert all(state == "COMPLETE" for state, _ in states), states
    return [attempt.pid for attempt in attempts]


# --- one process for many trials ---------------------------------------------------------------------------------
def test_trials_share_a_process_and_see_nothing_of_each_other(alice, folder):
    study = objective_study(alice, folder, "disturb()")
    slot = make_slot()
    assert work(slot.pk) == 3
    (pid,) = set(processes(study))
    assert start_time(pid) == "", "it ends with the task"
    trials = list(Trial.objects.filter(study=study).order_by("number"))
    states = [trial.facts["user_attrs"]["state"] for trial in trials]
    drawn = ("random", "numpy", "torch")  # each trial has a seed of its own
    assert len({tuple(state.pop(name) for name in drawn) for state in states}) == 3
    for name in states[0]:
        assert states[1][name] == states[0][name], name
        assert states[2][name] == states[0][name], name
    for number, trial in enumerate(trials):
        lines = attempt_log(trial.attempts.get()).text.splitlines()
        assert lines[:3] == [f"this is trial {number}", f"a program of trial {number}", "and its C code"]
        assert not [line for line in lines[3:] if "trial" in line]
        assert trial.attempts.get().peak_memory > 50 << 20


def test_warm_trainings_give_the_numbers_of_cold_ones(alice, folder, settings):
    write_workload(folder, seconds=0.0, epochs=2)
    make_workload(NAME, space=SPACE)
    slot, curves = make_slot(), {}
    for name, seconds in (("cold", 0.0), ("warm", 0.2)):
        settings.WARM_SECONDS = seconds
        study = create_study(owner=alice, name=name, workload=NAME, n_trials=3, seed=3, parallel=1, sampler="random")
        start_study(study_id=study.pk, actor=alice, despite="it is about something else")
        assert work(slot.pk) == 3
        assert len(set(processes(study))) == (3 if name == "cold" else 1)
        curves[name] = [
            {metric: curve.values for metric, curve in trial_curves(trial).items()}
            for trial in Trial.objects.filter(study=study).order_by("number")
        ]
    assert curves["cold"] == curves["warm"]
    assert len(curves["warm"][0]["train/loss"]) == 5


def test_a_killed_warm_process_costs_its_own_trial_one_attempt(alice, folder):
    body = "trial.number == 1 and not os.path.exists('struck') and (open('struck', 'w'), os.kill(os.getpid(), 9))"
    study = objective_study(alice, folder, body.replace("'struck'", repr(str(folder / "struck"))))
    work(make_slot().pk)
    attempts = list(Attempt.objects.filter(trial__study=study).order_by("pk").values_list("trial__number", "outcome"))
    assert [number for number, _ in attempts] == [0, 1, 1, 2]
    assert "SIGKILL" in attempts[1][1]
    one, two, three, four = processes(study)
    assert one == two != three == four
    assert set(Trial.objects.values_list("retries", flat=True)) == {0, 1}


# --- reasons to end it -------------------------------------------------------------------------------------------
LEFT = [
    "threading.Thread(target=time.sleep, args=(30,), daemon=True).start()",
    "subprocess.Popen(['/bin/sleep', '30'])",
    "subprocess.run(['/bin/sh', '-c', 'setsid sleep 30 &'])",
    "subprocess.run(['/bin/sh', '-c', 'setsid sleep 30 >/dev/null 2>&1 &'])",
    "sys.__stdout__.close()",
]


def test_a_process_in_which_something_is_left_serves_no_more(alice, folder, caplog):
    caplog.set_level("INFO", logger="tuning.workers.warm")
    body = "\n    ".join(f"if trial.number == {number}: {left}" for number, left in enumerate(LEFT))
    study = objective_study(alice, folder, body, n_trials=len(LEFT) + 2)
    slot = make_slot()
    work(slot.pk)
    pids = processes(study)
    assert len(set(pids)) == len(LEFT) + 1
    assert pids[-1] == pids[-2], "the last ones leave nothing"
    for words in ("the thread 'Thread-", "left a process running", "closed its standard output"):
        assert words in caplog.text
    assert marked(slot_mark(slot)) == [], "whatever was left has been ended, too"


def test_a_process_whose_memory_grows_serves_no_more(alice, folder, settings, caplog):
    caplog.set_level("INFO", logger="tuning.workers.warm")
    settings.WARM_GROWTH_MB = 120
    study = objective_study(alice, folder, "globals().setdefault('kept', []).append(os.urandom(1 << 20) * 100)")
    work(make_slot().pk)
    one, two, three = processes(study)  # 100 MB more than after the first are borne, 200 are not
    assert one == two == three
    assert "ends after 3 jobs: its memory has grown by 20" in caplog.text


def test_code_that_changes_is_loaded_in_a_new_process(alice, folder):
    part, slot, keeper, runs = folder / "_part.py", make_slot(), WarmLauncher(), []
    part.write_text("VALUE = 1\n")
    try:
        for value in (1, 1, 20):
            if value != 1:
                part.write_text(f"VALUE = {value}\n")
            name = f"study {len(runs)}"
            study = objective_study(alice, folder, "return _part.VALUE", imports="import _part", n_trials=1, name=name)
            runs.append(TrialRun(make_running(study, slot), slot, keeper))
            assert runs[-1].run() == "complete"
    finally:
        keeper.close()
    assert list(Trial.objects.order_by("pk").values_list("value", flat=True)) == [1.0, 1.0, 20.0]
    one, two, three = (run.process.pid for run in runs)
    assert one == two != three


def test_a_process_serves_so_many_jobs(alice, folder, settings):
    settings.WARM_TRIALS = 2
    study = objective_study(alice, folder, "pass", n_trials=5)
    work(make_slot().pk)
    one, two, three, four, five = processes(study)
    assert one == two != three == four != five


def test_a_failed_trial_ends_its_process(alice, folder):
    study = objective_study(alice, folder, "assert trial.number != 0")
    work(make_slot().pk)
    pids = list(Attempt.objects.filter(trial__study=study).order_by("pk").values_list("pid", flat=True))
    assert pids[0] != pids[1] == pids[2]
    assert Trial.objects.get(number=0).reason_code == "code_error"


def test_a_cancelled_trial_ends_its_process(alice, folder, settings):
    settings.CONTROL_SECONDS = 0.05
    study = objective_study(alice, folder, "time.sleep(60)", n_trials=1)
    slot = make_slot()
    launcher = WarmLauncher()
    run = TrialRun(make_running(study, slot), slot, launcher)
    run.start()
    while not any(message["type"] == "hello" for message in run.process.channel.poll(0.1)):
        pass
    stop_study(study_id=study.pk, actor=alice)
    run.start = lambda: None
    assert "ended from outside" in run.run()
    assert not launcher.keeps()
    assert session_members(run.process.pid) == []


def test_test_data_never_meets_a_trial(alice, folder):
    """Splitting reads the sealed test split; no trial may run in a process that has held it."""
    write_workload(folder, seconds=0.0, epochs=1)
    make_workload(NAME, space=SPACE, counted=False)
    slot = make_slot()
    launcher = Counting()
    request_split(actor=None, workload=NAME)
    study = create_study(owner=alice, name="after", workload=NAME, n_trials=2, seed=1, parallel=1)
    start_study(study_id=study.pk, actor=alice, despite="it is about something else")
    assert work(slot.pk, WarmLauncher(launcher)) == 2
    place = WarmLauncher(launcher)
    assert work(make_place("bulk").pk, place) == 1
    one, two, split = launcher.served
    assert split != one == two
    assert not place.keeps(), "nor does it serve another job"


class Counting(LocalLauncher):
    """Notes which process each job got, also where it was a warm one."""

    def __init__(self) -> None:
        self.served: list[int] = []

    def launch(self, slot, log, **words):
        process = super().launch(slot, log, **words)
        start = process.start

        def noted(message):
            self.served.append(process.pid)
            start(message)

        process.start = noted
        return process


# --- at most one process a slot ----------------------------------------------------------------------------------
def test_what_a_killed_worker_left_of_a_trial_is_ended_before_the_next(alice, folder):
    slot = make_slot()
    code = "import os, time; os.setsid(); print('up', flush=True); time.sleep(60)"
    orphan = subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, **slot_mark(slot)}, stdout=subprocess.PIPE, text=True
    )
    assert orphan.stdout.readline() == "up\n"
    assert marked(slot_mark(slot)) == [orphan.pid]
    with slot_lock(slot.pk):
        assert work(slot.pk) == 0
    assert orphan.poll() is None, "somebody works on the slot: it may be his"
    assert work(slot.pk) == 0
    assert orphan.wait(5) == -signal.SIGKILL
    orphan.stdout.close()


def test_a_slot_whose_former_process_still_lives_sends_its_trial_back(alice, folder):
    study = objective_study(alice, folder, "pass", n_trials=1)
    slot = make_slot()
    code = (
        "import fcntl, os, sys, time; handle = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)\n"
        "fcntl.flock(handle, fcntl.LOCK_EX); print('held', flush=True); time.sleep(120)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(process_lock(slot))], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        assert "still holds the slot" in TrialRun(make_running(study, slot), slot, LocalLauncher()).run()
    finally:
        holder.kill()
        holder.communicate()
    trial = Trial.objects.get(study=study)
    assert (trial.state, trial.retries) == ("WAITING", 0)
    assert work(slot.pk) == 1
    assert Trial.objects.get(study=study).state == "COMPLETE"


# --- the rules, without processes --------------------------------------------------------------------------------
def finish(process):
    process.say(
        {"type": "step", "step": 1, "metrics": {"validation/loss": 0.5}, "wall": 1.0},
        {"type": "result", "steps": 1, "stopped": False},
    )


@pytest.fixture
def warm(settings, alice):
    """A slot with three trials to run, and a launcher whose processes say yes to everything."""
    settings.WARM_SECONDS = 0.05
    make_study(alice, started=True, workload="tiny", n_trials=3, parallel=1)
    launcher = FakeLauncher()
    launch = launcher.launch

    def speaking(slot, log, **words):
        process = launch(slot, log, **words)
        process.rests = [Rest(100 << 20, {})]
        start = process.start

        def answer(message):
            start(message)
            finish(process)

        process.start = answer
        return process

    launcher.launch = speaking
    return make_slot(), launcher


def test_the_task_waits_for_a_call_with_its_warm_process(warm, alice, settings):
    slot, launcher = warm
    settings.WARM_SECONDS = 60
    calls = []

    def call(seconds):
        calls.append(seconds)
        if len(calls) == 1:
            make_study(alice, started=True, workload="tiny", n_trials=2)
            take_hint(slot.pk)
        elif len(calls) == 2:
            drain_host(host_id=slot.device.host_id)

    monkey = pytest.MonkeyPatch()
    monkey.setattr(tasks.time, "sleep", call)
    try:
        assert work(slot.pk, WarmLauncher(launcher)) == 5
    finally:
        monkey.undo()
    assert len(launcher.processes) == 1
    assert len(launcher.process.logs) == 5
    assert launcher.process.ended, "the host was drained"
    assert Slot.objects.get().hinted is None


def test_without_a_call_the_task_ends_with_its_process(warm):
    slot, launcher = warm
    began = time.monotonic()
    assert work(slot.pk, WarmLauncher(launcher)) == 3
    assert launcher.process.ended
    assert time.monotonic() - began < 20 * overload()


def test_a_slot_that_is_waited_on_belongs_to_its_task(warm, settings):
    slot, launcher = warm
    settings.WARM_SECONDS = 1.0
    seen = []

    def look():
        while not (launcher.processes and launcher.process.logs[2:]):
            time.sleep(0.01)
        with slot_lock(slot.pk) as free:
            seen.append(free)

    thread = threading.Thread(target=look)
    thread.start()
    work(slot.pk, WarmLauncher(launcher))
    thread.join()
    assert seen == [False]


def test_an_environment_that_has_changed_needs_a_new_process(warm, settings, tmp_path):
    slot, launcher = warm
    keeper = WarmLauncher(launcher)
    first = keeper.launch(slot, tmp_path / "1.log")
    keeper.finish(first, clean=True)
    assert keeper.launch(slot, tmp_path / "2.log") is first
    keeper.finish(first, clean=True)
    settings.DATA_DIR = str(tmp_path)
    second = keeper.launch(slot, tmp_path / "3.log")
    assert second is not first
    assert first.ended


def test_a_process_that_has_died_while_it_waited_is_not_used(warm, tmp_path):
    slot, launcher = warm
    keeper = WarmLauncher(launcher)
    first = keeper.launch(slot, tmp_path / "1.log")
    keeper.finish(first, clean=True)
    assert keeper.keeps()
    first.code = -9
    assert not keeper.keeps()
    assert keeper.launch(slot, tmp_path / "2.log") is not first


def test_a_process_ends_with_its_time_though_its_task_hangs(warm, tmp_path, monkeypatch):
    monkeypatch.setattr("tuning.workers.warm.HUNG_SECONDS", 0.05)
    slot, launcher = warm
    keeper = WarmLauncher(launcher)
    first = keeper.launch(slot, tmp_path / "1.log")
    keeper.finish(first, clean=True)
    assert keeper.launch(slot, tmp_path / "2.log") is first
    time.sleep(0.15)
    assert first.exit_code() is None, "it works: nobody waits for it"
    keeper.finish(first, clean=True)
    time.sleep(0.15 * overload())  # in which nobody looks after it
    assert first.exit_code() is not None
    assert not keeper.keeps()


def test_a_process_serves_one_workload(warm, tmp_path):
    slot, launcher = warm
    keeper = WarmLauncher(launcher)
    first = keeper.launch(slot, tmp_path / "1.log", workload="a")
    keeper.finish(first, clean=True)
    assert keeper.launch(slot, tmp_path / "2.log", workload="b") is not first
    assert first.ended


@pytest.mark.parametrize(("clean", "seconds"), [(False, 30), (True, 0)])
def test_a_process_is_kept_only_after_a_clean_end_and_where_the_host_allows_it(
    warm, settings, tmp_path, clean, seconds
):
    settings.WARM_SECONDS = seconds
    slot, launcher = warm
    keeper = WarmLauncher(launcher)
    process = keeper.launch(slot, tmp_path / "1.log")
    keeper.finish(process, clean=clean)
    assert (keeper.keeps(), process.ended) == (False, True)
