"""What every launcher must do, first of its processes alone, then under runs, tasks and the supervisor.

A backend's test inherits both and names its class. Nothing here knows how its processes are run.
"""

import threading
import time

import pytest

from tests.factories import make_place, make_running, make_slot, make_study
from tests.workers.flood import METRIC
from tests.workers.workloads import overload
from tuning.models import Attempt, Job, Trial, Workload
from tuning.selectors.curves import trial_curves
from tuning.services.jobs import request_describe
from tuning.services.lifecycle import cancel_trial
from tuning.workers import launcher as launchers
from tuning.workers.launcher import SECRETS, Launcher, NoRest, ask_to_leave, configured_launcher
from tuning.workers.processes import start_time
from tuning.workers.supervisor import Supervisor
from tuning.workers.tasks import work
from tuning.workers.trial_run import TrialRun


def until(what, seconds: float = 20.0):
    deadline = time.monotonic() + seconds * overload()
    while not (answer := what()):
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.02)
    return answer


def answer_of(process, kind: str = "result") -> dict:
    """The next message of a kind; those before it are dropped."""
    found: list[dict] = []

    def come() -> bool:
        for message in process.channel.poll(0.1):
            if message["type"] == "hello":
                process.warm = message["warm"]
            if message["type"] == kind:
                found.append(message)
        return bool(found)

    until(come)
    return found[0]


def runs(pid: int) -> bool:
    return start_time(pid) != ""


def attempt_for(process, slot, **other) -> Attempt:
    """What the tables know of a process."""
    facts = {"pid": process.pid, "boot_id": process.boot_id, "process_started": process.started, "slot": slot}
    return Attempt(**facts | other)


class LauncherContract:
    """Of one that has just been made, without anybody's tables."""

    path: str  # as settings.LAUNCHER names it
    rests = True  # whether its processes serve one job after another

    @pytest.fixture(autouse=True)
    def _of_this_kind(self, settings, monkeypatch, db):
        settings.LAUNCHER = self.path
        monkeypatch.setattr(launchers, "RUNNER", "tests.workers.puppet")
        self.slot = make_slot(slots=2)
        self.processes: list = []
        yield
        for process in self.processes:
            process.end()

    def launcher(self) -> Launcher:
        """One that knows nothing of the others: another worker's, or the supervisor's."""
        return configured_launcher()

    def started(self, tmp_path, slot=None, **spec):
        """A process that has answered its start, and its answer."""
        log = tmp_path / "logs" / f"{len(self.processes)}.log"
        process = self.launcher().launch(slot or self.slot, log, workload="any")
        self.processes.append(process)
        process.start({"type": "start", "kind": "puppet", "spec": spec})
        return process, None if "exit" in spec else answer_of(process)

    def test_a_process_answers_on_its_device_without_our_secrets_and_leaves_when_asked(self, tmp_path, monkeypatch):
        for name in SECRETS:
            monkeypatch.setenv(name, "secret")
        process, answer = self.started(tmp_path, print="these are its words\n")
        assert process.exit_code() is None
        assert "secret" not in answer["environment"].values()
        assert answer["environment"]["CUDA_VISIBLE_DEVICES"] == ""
        assert answer["environment"]["OMP_NUM_THREADS"] == str(self.slot.threads)
        ask_to_leave(process, 20.0 * overload())
        assert process.exit_code() == 0
        assert (process.end(), process.end()) == (0, 0)
        assert "these are its words" in (tmp_path / "logs" / "0.log").read_text()

    def test_the_end_of_a_process_is_its_exit_code(self, tmp_path):
        process, _ = self.started(tmp_path, exit=3)
        assert until(process.exit_code) == 3
        until(lambda: process.channel.poll(0.1) == [] and process.channel.eof)
        assert process.end() == 3

    def test_a_kill_from_another_thread_reaches_all_that_it_started(self, tmp_path):
        process, answer = self.started(tmp_path, child=True, hang=True)
        killer = threading.Thread(target=process.kill)
        killer.start()
        killer.join()
        assert until(process.exit_code) == -9
        until(lambda: not runs(answer["child"]))
        assert process.end() == -9

    def test_an_end_leaves_nothing(self, tmp_path):
        process, answer = self.started(tmp_path, child=True, hang=True)
        code = process.end()
        assert code < 0
        assert not runs(answer["pid"])
        until(lambda: not runs(answer["child"]))  # init, not we, reaps it
        assert (process.exit_code(), process.end()) == (code, code)

    def test_whoever_comes_later_finds_it_by_what_its_attempt_has_stored(self, tmp_path):
        process, answer = self.started(tmp_path, child=True, hang=True)
        attempt, later = attempt_for(process, self.slot), self.launcher()
        for name in ("boot_id", "process_started"):
            assert len(getattr(attempt, name)) <= Attempt._meta.get_field(name).max_length
            another = attempt_for(process, self.slot, **{name: "another"})
            assert not later.alive(another)
            later.end_leftover(another)
        assert not later.alive(Attempt(slot=self.slot)), "it had no process yet"
        later.end_leftover(Attempt(slot=self.slot))
        assert later.alive(attempt)
        assert runs(answer["pid"])
        later.end_leftover(attempt)
        assert not later.alive(attempt)
        until(lambda: not runs(answer["pid"]) and not runs(answer["child"]))
        later.end_leftover(attempt)

    def test_clearing_a_slot_ends_all_that_was_left_there_and_nothing_elsewhere(self, tmp_path):
        neighbour = self.slot.device.slots.exclude(pk=self.slot.pk).get()
        left, mine = self.started(tmp_path, child=True, hang=True)
        other, theirs = self.started(tmp_path, slot=neighbour, child=True, hang=True)
        self.launcher().clear(self.slot)
        until(lambda: not runs(mine["pid"]) and not runs(mine["child"]))
        assert until(left.exit_code) == -9
        assert other.exit_code() is None
        assert runs(theirs["child"])
        after, _ = self.started(tmp_path)
        assert after.exit_code() is None, "the slot is free for the next"
        self.launcher().clear(self.slot)

    def test_what_a_job_uses_is_measured_and_a_kill_is_not_for_want_of_memory(self, tmp_path):
        process, _ = self.started(tmp_path, hang=True)
        usage = process.usage(self.slot)
        time.sleep(0.1)
        usage.sample(time.monotonic())
        peak = usage.peak_memory
        assert 1 << 20 < peak < 1 << 30
        assert 0.0 <= usage.utilisation <= 1.0
        usage.note_memory(1 << 31)
        process.kill()
        until(process.exit_code)
        usage.sample(time.monotonic())
        assert usage.peak_memory == 1 << 31
        assert not usage.out_of_memory()

    def test_a_process_rests_and_takes_the_next_job_or_says_why_not(self, tmp_path):
        process, answer = self.started(tmp_path, print="first")
        if not self.rests:
            with pytest.raises(NoRest, match="one job"):
                process.rest()
            return
        assert process.rest().memory > 0
        process.resume(tmp_path / "second.log")
        process.start({"type": "start", "kind": "puppet", "spec": {"print": "second"}})
        assert answer_of(process)["pid"] == answer["pid"]
        process.end()
        assert (tmp_path / "second.log").read_text() == "second"
        assert (tmp_path / "logs" / "0.log").read_text() == "first"

    def test_a_log_that_cannot_be_written_starts_nothing(self, tmp_path):
        (tmp_path / "file").write_text("no folder")
        with pytest.raises(OSError, match="file"):
            self.launcher().launch(self.slot, tmp_path / "file" / "log")
        assert not self.launcher().keeps()


def to_its_end(run: TrialRun) -> None:
    """Go on with a run that has been started."""
    run.start = lambda: None
    run.run()


class RuntimeContract:
    """Of one under the whole runtime; its trial processes report steps and need no torch."""

    path: str

    @pytest.fixture(autouse=True)
    def _under_the_runtime(self, settings, monkeypatch, alice):
        settings.LAUNCHER, settings.HOST_NAME = self.path, "host-1"
        settings.FLUSH_SECONDS = settings.CONTROL_SECONDS = 0.05
        monkeypatch.setattr(launchers, "RUNNER", "tests.workers.flood")
        monkeypatch.setenv("FLOOD_POINTS", "5")
        monkeypatch.setenv("FLOOD_RATE", "0")
        self.slot = make_slot("host-1")
        yield
        configured_launcher().clear(self.slot)

    def trial(self, alice, **words) -> Trial:
        return make_running(make_study(alice, started=True, workload="tiny", **words), self.slot)

    def begun(self, trial: Trial) -> TrialRun:
        """A run whose process has reported a step."""
        run = TrialRun(trial, self.slot, configured_launcher())
        run.start()

        def stepped() -> bool:
            run.step()
            return Trial.objects.get(pk=trial.pk).resource_done > 0

        until(stepped)
        return run

    def test_a_task_runs_what_there_is(self, alice):
        study = make_study(alice, started=True, workload="tiny", n_trials=2, parallel=1)
        assert work(self.slot.pk) == 2
        trials = list(Trial.objects.filter(study=study))
        assert [trial.state for trial in trials] == ["COMPLETE"] * 2
        for trial in trials:
            assert trial_curves(trial)[METRIC].steps == [1, 2, 3, 4, 5]
            attempt = trial.attempts.get()
            assert (attempt.outcome, attempt.ended is not None) == ("complete", True)
            assert attempt.peak_memory > 1 << 20

    def test_a_job_is_answered(self, settings, monkeypatch, tmp_path):
        (tmp_path / "workloads").mkdir()
        (tmp_path / "workloads" / "ripples.py").write_text("def objective(trial):\n    return 1.0\n")
        settings.WORKLOADS, settings.WORKLOAD_DIR = "", str(tmp_path / "workloads")
        monkeypatch.setattr(launchers, "RUNNER", "tuning.runner")
        request_describe(actor=None, host="host-1")
        assert work(make_place("quick").pk) >= 1
        assert Job.objects.get(kind="describe").state == "COMPLETE"
        assert Workload.objects.get(name="ripples").error == ""

    def test_a_process_that_is_killed_sends_its_trial_back_and_the_next_attempt_ends_it(self, alice, monkeypatch):
        monkeypatch.setenv("FLOOD_RATE", "20")
        monkeypatch.setenv("FLOOD_POINTS", "1000")
        trial = self.trial(alice, n_trials=1)
        run = self.begun(trial)
        configured_launcher().end_leftover(trial.attempts.get())
        to_its_end(run)
        trial.refresh_from_db()
        assert (trial.state, trial.retries) == ("WAITING", 1)
        monkeypatch.setenv("FLOOD_POINTS", "5")
        assert work(self.slot.pk) == 1
        trial.refresh_from_db()
        assert trial.state == "COMPLETE"

    def test_a_cancelled_trial_has_no_process_soon(self, alice, monkeypatch):
        monkeypatch.setenv("FLOOD_RATE", "20")
        monkeypatch.setenv("FLOOD_POINTS", "1000")
        trial = self.trial(alice)
        run = self.begun(trial)
        cancel_trial(trial_id=trial.pk, actor=alice)
        began = time.monotonic()
        to_its_end(run)
        assert not configured_launcher().alive(trial.attempts.get())
        assert time.monotonic() - began < 1.0 * overload()

    def test_what_a_killed_worker_left_is_ended_by_the_supervisor_and_waits_again(self, alice, monkeypatch):
        monkeypatch.setenv("FLOOD_RATE", "20")
        monkeypatch.setenv("FLOOD_POINTS", "1000")
        trial = self.trial(alice)
        self.begun(trial).watch.stop()  # and nobody looks after it any more
        watch = Supervisor()
        monkeypatch.setattr(watch, "start_cluster", lambda: None)
        watch.start()
        attempt = trial.attempts.get()
        assert not watch.launcher.alive(attempt)
        trial.refresh_from_db()
        assert (trial.state, trial.retries, attempt.outcome) == ("WAITING", 1, "process gone")
