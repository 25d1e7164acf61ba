"""Scripts of any framework as trials, really run by a worker: scikit-learn, PyTorch, a shell script."""

import os
import signal
import time

import pytest

from tests.factories import make_running, make_slot
from tests.runner.programs import allow, write_program
from tests.workers.scripts import SHELL, SKLEARN, TORCH
from tuning.models import Attempt, Offering, Study, Trial, Workload
from tuning.selectors.curves import trial_curves
from tuning.selectors.logs import attempt_log
from tuning.selectors.offerings import differences
from tuning.selectors.sealed import sealed_of
from tuning.services.hosts import beat_host
from tuning.services.lifecycle import cancel_trial, start_study
from tuning.services.pinning import adopt_code
from tuning.services.studies import create_study
from tuning.workers.describing import describe_here
from tuning.workers.local import LocalLauncher
from tuning.workers.processes import session_members
from tuning.workers.tasks import work
from tuning.workers.trial_run import TrialRun


@pytest.fixture
def slot(settings, tmp_path, db):
    """A slot of this machine, whose administrator has an empty file of programs."""
    settings.WORKLOADS = settings.WORKLOAD_DIR = ""
    settings.FLUSH_SECONDS, settings.WARM_SECONDS = 0.05, 0.1
    settings.HOST_NAME = "host-1"
    return make_slot()


def study_of(alice, name, **settings):
    """A running study of a program, as this host describes it."""
    describe_here()
    row = Workload.objects.get(name=name)
    assert (row.error, row.document["kind"]) == ("", "command")
    study = create_study(owner=alice, name=name, workload=name, seed=5, **{"n_trials": 1, **settings})
    return start_study(study_id=study.pk, actor=alice, despite="it is about something else")


def test_scikit_learn_and_pytorch_and_a_shell_script_are_trials(alice, slot, tmp_path):
    rate = {"type": "float", "low": 0.01, "high": 1.0, "log": True}
    write_program(
        tmp_path, "sgd", SKLEARN, metric="validation/accuracy", direction="maximize", max_resource=5,
        space={"alpha": {"type": "float", "low": 1e-6, "high": 1e-2, "log": True},
               "penalty": {"type": "categorical", "choices": ["l1", "l2"]}},
    )  # fmt: skip
    command = ["{python}", "net.py", "--lr", "{lr}"]
    write_program(tmp_path, "net", TORCH, command=command, space={"lr": rate}, max_resource=4, resume=True)
    (tmp_path / "curve.sh").write_text(SHELL)
    allow(tmp_path, "curve", command=["sh", "curve.sh", "{lr}"], space={"lr": rate}, metrics_from="stdout")

    sgd, net, curve = study_of(alice, "sgd", n_trials=2), study_of(alice, "net"), study_of(alice, "curve")
    assert work(slot.pk) == 4
    trials = list(Trial.objects.filter(study__in=[sgd, net, curve]))
    assert [(trial.state, trial.reason) for trial in trials] == [("COMPLETE", "")] * 4
    assert all(trial.value > 0.8 for trial in trials if trial.study_id == sgd.pk)
    trained = Trial.objects.get(study=net)
    losses = trial_curves(trained)["validation/loss"].values
    assert (len(losses), trained.value, trained.resource_done) == (4, min(losses), 4)
    assert losses[-1] < losses[0]
    assert trained.checkpoint_step == 4
    printed = Trial.objects.get(study=curve)
    assert printed.value == pytest.approx(printed.params["lr"] / 4, rel=1e-4)
    assert f"epoch 3 of {printed.number}" in attempt_log(printed.attempts.get()).text
    assert Study.objects.filter(state="FINISHED").count() == 3
    (pid,) = set(Attempt.objects.filter(trial__study=sgd).values_list("pid", flat=True))
    assert pid, "the process around both was one that stayed warm"


class Disturbed(TrialRun):
    """Kills the process once, as soon as the trial has reported `step`."""

    def __init__(self, trial, slot, step, disturb):
        super().__init__(trial, slot, LocalLauncher())
        self._step, self._disturb = step, disturb

    def step(self):
        super().step()
        if self._step and Trial.objects.filter(pk=self.trial.pk, resource_done__gte=self._step).exists():
            self._step = 0
            self._disturb(self)


COUNTS = """
import time
from hpweb_client import current_trial
trial = current_trial()
for step in range(trial.resume_step + 1, 7):
    trial.report(step, {"validation/loss": 10 * (trial.resume_step + 1) + step})
    with trial.checkpoint(step) as folder:
        (folder / "step").write_text(str(step))
    time.sleep(0.1)
"""


@pytest.mark.parametrize("resume", [True, False])
def test_a_killed_program_goes_on_from_its_checkpoint_or_starts_anew(alice, slot, tmp_path, resume):
    code = COUNTS if resume else COUNTS.replace("with trial.checkpoint(step) as folder:", "if False:")
    write_program(tmp_path, "counts", code, resume=resume, max_resource=6)
    study = study_of(alice, "counts")
    run = Disturbed(make_running(study, slot), slot, 3, lambda run: os.kill(run.process.pid, signal.SIGKILL))
    assert "SIGKILL" in run.run()
    assert session_members(run.process.pid) == []
    assert work(slot.pk) == 1
    trial = Trial.objects.get()
    assert (trial.state, trial.fence) == ("COMPLETE", 2), trial.reason
    curve = trial_curves(trial)["validation/loss"]
    start = trial.attempts.get(fence=2).start_step
    assert curve.steps == [1, 2, 3, 4, 5, 6], "each step once"
    assert (start >= 2) is resume
    expected = [10 + step if step <= start else 10 * (start + 1) + step for step in curve.steps]
    assert curve.values == expected, "the first attempt's points up to the checkpoint, the second's after it"


def test_a_failing_program_says_why_and_the_study_goes_on(alice, slot, tmp_path):
    write_program(tmp_path, "fails", "import sys\nsys.exit('no GPU of that kind: ' + sys.argv[0])\n")
    study_of(alice, "fails")
    work(slot.pk)
    trial = Trial.objects.get()
    assert (trial.state, trial.reason_code) == ("FAILED", "code_error")
    assert "ended with exit code 1: no GPU of that kind: fails.py" in trial.reason
    assert trial.traceback == "no GPU of that kind: fails.py"
    assert Study.objects.get().state == "FINISHED"


def test_a_program_without_the_study_s_metric_is_told_what_it_reported(alice, slot, tmp_path):
    write_program(tmp_path, "other", 'print(\'{"step": 1, "train/loss": 0.5}\')\n', metrics_from="stdout")
    study_of(alice, "other")
    work(slot.pk)
    assert "without reporting validation/loss. It reported train/loss" in Trial.objects.get().reason


def test_a_cancelled_program_is_gone_at_once(alice, slot, tmp_path):
    code = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + COUNTS.replace("0.1)", "600)")
    write_program(tmp_path, "stubborn", code, resume=True)
    study = study_of(alice, "stubborn")
    run = Disturbed(make_running(study, slot), slot, 1, lambda run: cancel_trial(trial_id=run.trial.pk, actor=alice))
    run.run()
    assert session_members(run.process.pid) == []
    assert Trial.objects.get().reason_code == "cancelled"


def seen(slot):
    """What the workers page says of the host, which has been heard of just now."""
    beat_host(host_id=slot.device.host_id)
    return differences().get(slot.device.host_id, [])


def test_other_code_is_not_run_until_the_study_takes_it_over(alice, slot, tmp_path):
    write_program(tmp_path, "edited", "print('{\"value\": 1}')\n", metrics_from="stdout")
    study = study_of(alice, "edited", n_trials=2)
    (tmp_path / "edited.py").write_text("print('{\"value\": 2}')\n")
    assert work(slot.pk) == 1, "the process finds out, and the host claims no more"
    trial = Trial.objects.get()
    assert (trial.state, trial.retries) == ("WAITING", 0)
    (difference,) = seen(slot)
    assert "has other code of edited" in difference.words
    describe_here()
    assert work(slot.pk) == 0
    assert seen(slot)[0].adoptable
    adopt_code(study_id=study.pk, actor=alice)
    assert seen(slot) == []
    assert work(slot.pk) == 2
    assert set(Trial.objects.values_list("state", "value")) == {("COMPLETE", 2.0)}


def test_a_program_that_no_host_allows_is_claimed_by_nobody(alice, slot, tmp_path):
    write_program(tmp_path, "allowed", "print('{\"value\": 1}')\n", metrics_from="stdout")
    study_of(alice, "allowed")
    (tmp_path / "programs.toml").unlink()
    describe_here()
    assert not Workload.objects.filter(name="allowed").exists()
    assert not Offering.objects.filter(workload="allowed").exists()
    assert work(slot.pk) == 0
    assert [difference.words for difference in seen(slot)] == ["has no working allowed"]


PRINTS = """
import sys
block = b"".join(b"%07d: the quick brown fox jumps over the lazy dog, again and again\\n" % n for n in range(1000))
for _ in range({megabytes} * 1_000_000 // len(block) + 1):
    sys.stdout.buffer.write(block)
print("the needle", file=sys.stdout, flush=True)
print('{{"value": 0.5}}')
"""


HOLDS = """
import subprocess, sys, time
held = bytearray(200 << 20)
code = "import time; held = bytearray(300 << 20); print('up', flush=True); time.sleep(600)"
below = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
below.stdout.readline()
time.sleep(2.5)
below.kill()
print('{"value": 0.5}')
"""


def test_the_memory_told_of_a_program_is_its_own_and_that_of_what_it_starts(alice, slot, tmp_path):
    write_program(tmp_path, "holds", HOLDS, metrics_from="stdout")
    study_of(alice, "holds")
    assert work(slot.pk) == 1
    attempt = Attempt.objects.get()
    assert 500 << 20 < attempt.peak_memory < 900 << 20, "not the 100 MB or so of the process that starts it"


def test_a_trial_that_prints_1_gigabyte_harms_nobody(alice, slot, tmp_path, settings):
    """The disk holds 5 MB of it, the trial and its heartbeat go on, and the last words are there."""
    write_program(tmp_path, "prints", PRINTS.format(megabytes=1000), metrics_from="stdout")
    study_of(alice, "prints")
    began = time.monotonic()
    work(slot.pk)
    trial = Trial.objects.get()
    assert (trial.state, trial.value) == ("COMPLETE", 0.5), trial.reason
    assert time.monotonic() - began < 300
    log = attempt_log(trial.attempts.get(), limit_bytes=10_000_000)
    assert 3_000_000 < log.size < 5_100_000
    assert log.text.endswith('the needle\n{"value": 0.5}\n')
    assert log.text.startswith("0000000: the quick")


def test_what_a_program_reports_of_the_test_set_is_sealed_and_its_log_does_not_show_it(alice, slot, tmp_path):
    lines = "print('{\"step\": 1, \"score\": 0.5, \"test/score\": 0.918273}'); print({'test_f1': 0.918273})"
    write_program(tmp_path, "peeks", lines, metric="score", metrics_from="stdout")
    study_of(alice, "peeks")
    work(slot.pk)
    trial = Trial.objects.get()
    assert (trial.state, trial.value) == ("COMPLETE", 0.5)
    assert [(row.name, row.step, row.value) for row in sealed_of(trial)] == [("test/score", 1, 0.918273)]
    assert list(trial_curves(trial)) == ["score"]
    log = attempt_log(trial.attempts.get()).text
    assert '"test/score": "sealed"' in log and "'test_f1': \"sealed\"" in log
    assert "918273" not in log
