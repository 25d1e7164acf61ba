"""Real trial processes under a worker: trained to the end, killed and resumed, cancelled, described."""

import os
import signal
import time

import pytest

from tests.factories import make_place, make_running, make_slot, make_study, make_workload
from tests.workers.workloads import NAME, SPACE, overload, write_workload
from tuning.models import Split, Study, Trial, Workload
from tuning.selectors.artifacts import opened
from tuning.selectors.curves import trial_curves
from tuning.selectors.exports import best_checkpoint
from tuning.selectors.logs import attempt_log
from tuning.selectors.offerings import differences
from tuning.services.hosts import beat_host
from tuning.services.lifecycle import start_study, stop_study
from tuning.services.studies import create_study
from tuning.workers.describing import describe_here
from tuning.workers.local import LocalLauncher
from tuning.workers.processes import session_members, start_time
from tuning.workers.tasks import work
from tuning.workers.trial_run import TrialRun


@pytest.fixture
def workload(settings, tmp_path, db):
    """The workload's file, and a row as a trial process would describe it."""
    settings.WORKLOADS, settings.WORKLOAD_DIR = "", str(tmp_path / "workloads")
    settings.FLUSH_SECONDS = 0.05
    write_workload(tmp_path / "workloads")
    return make_workload(NAME, space=SPACE)


def running_study(alice, name):
    study = create_study(owner=alice, name=name, workload=NAME, n_trials=1, seed=3, deterministic=True)
    return start_study(study_id=study.pk, actor=alice, despite="it is about something else")


class Disturbed(TrialRun):
    """Does something once, as soon as the trial has an accepted checkpoint of step 2."""

    def __init__(self, trial, slot, disturb):
        super().__init__(trial, slot, LocalLauncher())
        self._disturb = disturb
        self.disturbed_at = 0.0

    def step(self):
        super().step()
        if not self.disturbed_at and Trial.objects.filter(pk=self.trial.pk, checkpoint_step__gte=2).exists():
            self.disturbed_at = time.monotonic()
            self._disturb(self)


def test_a_killed_trial_resumes_and_ends_with_the_same_metrics(alice, workload, tmp_path):
    Split.objects.all().delete()
    (tmp_path / "workloads" / "broken.py").write_text("import nothing_of_this_name\n")
    describe_here()
    described = Workload.objects.get(name=NAME)
    assert (described.error, described.document["space"]) == ("", SPACE)
    assert Workload.objects.get(name="broken.py").error.strip().endswith("No module named 'nothing_of_this_name'")

    whole = running_study(alice, "whole")
    slot = make_slot()
    assert work(make_place("bulk").pk) == 1, "the split job"
    assert work(slot.pk) == 1
    assert Split.objects.get().sizes == {"train": 80, "validation": 40, "test": 0}
    expected = Trial.objects.get(study=whole)
    assert (expected.state, expected.resource_done, expected.fence) == ("COMPLETE", 5, 1), expected.reason
    whole.refresh_from_db()
    assert whole.state == "FINISHED"
    assert best_checkpoint(whole).stat().st_size > 0
    folder = opened(expected.checkpoint).parent
    assert {path.name for path in folder.iterdir()} == {
        os.path.basename(path) for path in (expected.checkpoint, expected.best_checkpoint)
    }
    attempt = expected.attempts.get()
    assert attempt.outcome == "complete"
    assert attempt.pid is not None
    assert start_time(attempt.pid) == "", "the process is gone"
    assert attempt_log(attempt).size >= 0

    killed = running_study(alice, "killed")
    run = Disturbed(make_running(killed, slot), slot, lambda run: os.kill(run.process.pid, signal.SIGKILL))
    assert "SIGKILL" in run.run()
    waiting = Trial.objects.get(study=killed)
    assert (waiting.state, waiting.retries, waiting.resource_done >= 2) == ("WAITING", 1, True)
    assert waiting.attempts.get().exit_code == -signal.SIGKILL
    assert session_members(run.process.pid) == []

    assert work(slot.pk) == 1
    resumed = Trial.objects.get(study=killed)
    assert (resumed.state, resumed.fence, resumed.params) == ("COMPLETE", 2, expected.params)
    assert resumed.attempts.get(fence=2).start_step >= 2
    assert (resumed.value, resumed.value_step) == (expected.value, expected.value_step)
    one, other = trial_curves(expected), trial_curves(resumed)
    assert set(one) == set(other) == {f"{s}/{m}" for s in ("train", "validation") for m in ("loss", "accuracy")}
    for name in one:
        assert (one[name].steps, one[name].values) == (other[name].steps, other[name].values), name


def test_a_cancelled_trial_is_gone_within_a_second(alice, workload):
    study = running_study(alice, "stopped")
    slot = make_slot()
    run = Disturbed(make_running(study, slot), slot, lambda run: stop_study(study_id=study.pk, actor=alice))
    assert "the study was stopped" in run.run()
    assert time.monotonic() - run.disturbed_at < 1.0 * overload()
    assert session_members(run.process.pid) == []
    trial = Trial.objects.get()
    assert (trial.state, trial.reason_code) == ("FAILED", "cancelled")


def test_an_error_in_the_workload_is_told_with_its_place(alice, workload, tmp_path):
    path = tmp_path / "workloads" / f"{NAME}.py"
    path.write_text(path.read_text().replace("time.sleep(0.01)", "undefined_name"))
    make_workload(NAME, space=SPACE)
    study = running_study(alice, "faulty")
    work(make_slot().pk)
    trial = Trial.objects.get()
    assert (trial.state, trial.reason_code) == ("FAILED", "code_error")
    assert "undefined_name" in trial.reason
    assert f"{NAME}.py" in trial.traceback
    assert Study.objects.get(pk=study.pk).state == "FINISHED"


def test_an_objective_is_answered_over_the_channel(alice, settings, tmp_path, db):
    settings.WORKLOADS, settings.WORKLOAD_DIR = "", str(tmp_path / "workloads")
    (tmp_path / "workloads").mkdir()
    (tmp_path / "workloads" / "parabola.py").write_text(
        "def objective(trial):\n"
        "    x = trial.suggest_float('x', -2.0, 2.0)\n"
        "    print('x is', x)\n"
        "    trial.report((x - 1) ** 2, 1)\n"
        "    return (x - 1) ** 2\n"
    )
    describe_here()
    study = create_study(owner=alice, name="parabola", workload="parabola", n_trials=1, seed=1)
    start_study(study_id=study.pk, actor=alice, despite="it is about something else")
    work(make_slot().pk)
    trial = Trial.objects.get()
    assert trial.state == "COMPLETE", trial.reason
    assert trial.value == pytest.approx((trial.params["x"] - 1) ** 2)
    assert f"x is {trial.params['x']}" in attempt_log(trial.attempts.get()).text


def test_a_workload_whose_file_is_gone_runs_nowhere_and_the_workers_page_says_so(alice, settings, tmp_path, db):
    """The file is deleted after the study was made: its trial goes back to waiting, once, and costs no retry."""
    settings.WORKLOADS, settings.WORKLOAD_DIR = "", str(tmp_path)
    make_study(alice, started=True, workload="vanished", n_trials=1)
    slot = make_slot()
    assert work(slot.pk) == 1
    trial = Trial.objects.get()
    assert (trial.state, trial.retries, trial.attempts.count()) == ("WAITING", 0, 1)
    beat_host(host_id=slot.device.host_id)
    (difference,) = differences()[slot.device.host_id]
    assert difference.words == "has no working vanished"
    assert work(slot.pk) == 0
