"""One attempt seen from the worker, step by step, against a trial process that the test speaks for."""

import errno
import math
import time
from types import SimpleNamespace

import pytest
from django.db import OperationalError

from tests.factories import make_running, make_slot, make_study, make_workload
from tests.workers.fakes import FakeLauncher
from tuning.models import Study, Trial
from tuning.selectors.artifacts import trial_folder
from tuning.selectors.curves import trial_curves
from tuning.services.hosts import drain_host
from tuning.services.lifecycle import cancel_trial, pause_study, start_study, stop_study
from tuning.services.studies import create_study
from tuning.services.trials import enqueue_trial
from tuning.workers import patience, trial_run
from tuning.workers.patience import LeaseInDanger
from tuning.workers.trial_run import TrialRun

METRIC = "validation/loss"


@pytest.fixture
def study(alice):
    return make_study(alice, started=True, workload="tiny", parallel=2)


@pytest.fixture
def run(study):
    """An attempt whose process has been started and has said hello; nothing is due by the clock alone."""
    slot = make_slot()
    run = TrialRun(make_running(study, slot), slot, FakeLauncher())
    run.start()
    run.process.heard()
    run.process.say({"type": "hello", "pid": 4242})
    run.step()
    return run


@pytest.fixture
def away(monkeypatch):
    """The database is away: each service named raises as often as told. The real connection stays open."""
    for module in (trial_run, patience):
        monkeypatch.setattr(module, "connection", SimpleNamespace(close=lambda: None))
        monkeypatch.setattr(module, "AWAY_SECONDS", 0.0)

    def be_away(name, times):
        original, left = getattr(trial_run, name), [times]

        def service(*args, **words):
            if left[0] > 0:
                left[0] -= 1
                raise OperationalError("server closed the connection unexpectedly")
            return original(*args, **words)

        monkeypatch.setattr(trial_run, name, service)
        return left

    return be_away


def step(number, value=0.5, **more):
    return {"type": "step", "step": number, "metrics": {METRIC: value, **more}, "wall": 1.0}


def result(**fields):
    return {"type": "result", "steps": 5, "stopped": False, "device": "cpu", **fields}


def row(run):
    return Trial.objects.get(pk=run.trial.pk)


def later(run, **ages):
    """Make clocks of the run look older by so many seconds."""
    for name, seconds in ages.items():
        setattr(run, name, getattr(run, name) - seconds)


# --- start -------------------------------------------------------------------------------------------------------
def test_the_process_is_told_what_to_do_and_noted(study, settings):
    slot = make_slot()
    run = TrialRun(make_running(study, slot), slot, FakeLauncher())
    run.start()
    (start,) = run.process.heard()
    trial, spec = run.trial, start["spec"]
    assert (start["type"], start["kind"]) == ("start", "train")
    assert (spec["params"], spec["seed"], spec["fence"], spec["epochs"]) == (trial.params, trial.seed, 1, 5)
    assert (spec["metric"], spec["direction"], spec["device"], spec["resume_from"]) == (METRIC, "minimize", "cpu", None)
    assert spec["checkpoint_dir"].startswith(str(settings.ARTIFACT_DIR))
    attempt = trial.attempts.get()
    assert (attempt.pid, attempt.boot_id, attempt.process_started) == (4242, "boot", "1000")
    assert attempt.log == f"study-{study.pk}/trial-0/attempt-1.log"


def test_an_objective_is_told_its_metric_and_known_values(alice):
    make_workload("function", kind="objective", space=None, metric="value")
    study = create_study(owner=alice, name="by run", workload="function", metric="score", n_trials=2)
    start_study(study_id=study.pk, actor=alice, despite="it is about something else")
    enqueue_trial(study_id=study.pk, actor=alice, params={"lr": 0.5})
    slot = make_slot()
    run = TrialRun(make_running(study, slot), slot, FakeLauncher())
    run.start()
    (start,) = run.process.heard()
    assert (start["kind"], start["spec"]["metric"], start["spec"]["resume_step"]) == ("objective", "score", 0)
    assert start["spec"]["params"] == {"lr": 0.5}


def test_a_checkpoint_whose_file_is_gone_starts_the_trial_anew(study):
    slot = make_slot()
    trial = make_running(study, slot)
    Trial.objects.update(checkpoint="gone.pt", checkpoint_step=3, resource_done=3)
    run = TrialRun(Trial.objects.get(pk=trial.pk), slot, FakeLauncher())
    run.start()
    assert run.process.heard()[0]["spec"]["resume_from"] is None
    assert (row(run).checkpoint, row(run).resource_done) == ("", 0)


def test_a_full_disk_at_the_start_fails_the_trial_in_words(study):
    slot = make_slot()
    launcher = FakeLauncher(error=OSError(errno.ENOSPC, "No space left on device"))
    assert TrialRun(make_running(study, slot), slot, launcher).run() == "failed"
    trial = Trial.objects.get()
    assert (trial.reason_code, trial.attempts.get().outcome) == ("disk_full", "failed")
    assert "No space left" in trial.reason


def test_a_process_that_cannot_be_started_is_tried_again(study):
    slot = make_slot()
    launcher = FakeLauncher(error=OSError(errno.EAGAIN, "Resource temporarily unavailable"))
    TrialRun(make_running(study, slot), slot, launcher).run()
    assert (Trial.objects.get().state, Trial.objects.get().retries) == ("WAITING", 1)


def test_a_claim_that_was_taken_back_before_the_start_launches_nothing_for_long(study, alice):
    slot = make_slot()
    trial = make_running(study, slot)
    Trial.objects.update(checkpoint="gone.pt", checkpoint_step=3)
    trial.refresh_from_db()
    stop_study(study_id=study.pk, actor=alice)
    launcher = FakeLauncher()
    assert "ended from outside" in TrialRun(trial, slot, launcher).run()
    assert launcher.processes == []


# --- messages and flushing ---------------------------------------------------------------------------------------
def test_points_are_stored_when_a_flush_is_due(run, settings):
    run.process.say(step(1), step(2, 0.4))
    run.step()
    assert trial_curves(row(run)) == {}
    later(run, flushed=settings.FLUSH_SECONDS)
    run.tick(time.monotonic())
    assert trial_curves(row(run))[METRIC].values == [0.5, 0.4]
    assert (row(run).value, row(run).resource_done, run.points) == (0.4, 2, [])


def test_many_points_are_stored_at_once(run):
    run.process.say(*(step(n) for n in range(1, 51)))
    while len(run.points) < 50 and not trial_curves(row(run)):
        run.step()
    assert len(trial_curves(row(run))[METRIC].steps) == 50


def test_a_checkpoint_is_accepted_with_the_points_before_it(run, settings):
    path = trial_folder(run.trial) / "checkpoints" / "last-1-2.pt"
    run.process.say(
        step(1),
        step(2),
        {"type": "checkpoint", "kind": "last", "step": 2, "path": str(path)},
        {"type": "checkpoint", "kind": "best", "step": 1, "path": "/elsewhere/best.pt"},
    )
    run.step()
    run.flush()
    folder = f"study-{run.trial.study_id}/trial-0/checkpoints"
    assert (row(run).checkpoint, row(run).checkpoint_step) == (f"{folder}/last-1-2.pt", 2)
    assert row(run).best_checkpoint == f"{folder}/best.pt", "never a path from outside"


def test_a_result_completes_the_trial_after_its_last_points(run):
    finding = {"rule": "init-loss", "severity": "info", "message": "as expected", "evidence": {}, "fix": None}
    run.process.say(step(1), {"type": "finding", **finding}, step(2, 0.3), result(parameters=10))
    run.step()
    trial = row(run)
    assert (run.outcome, trial.state, trial.value, trial.value_step) == ("complete", "COMPLETE", 0.3, 2)
    assert (trial.facts["parameters"], trial.facts["device"], trial.facts["findings"]) == (10, "cpu", [finding])
    assert "type" not in trial.facts


def test_a_value_that_came_with_the_result_counts(run):
    run.process.say(step(1, 0.5), result(value=0.125, state="complete", constraints=[-1.0]))
    run.step()
    assert (row(run).value, row(run).constraints) == (0.125, [-1.0])


def test_the_objectives_own_pruning(run):
    run.process.say(step(1, 0.5), result(value=0.5, state="pruned"))
    run.step()
    assert (row(run).state, row(run).value) == ("PRUNED", 0.5)


def test_an_infeasible_result_is_pruned_without_value(run):
    run.process.say(step(1, 0.5), result(value=0.5, state="complete", constraints=[0.5]))
    run.step()
    assert (row(run).state, row(run).value, row(run).infeasible) == ("PRUNED", None, True)


def test_a_value_that_is_not_finite_is_a_divergence(run):
    run.process.say(step(1, math.nan), result())
    run.step()
    assert (row(run).state, row(run).reason_code, row(run).value_kind) == ("FAILED", "diverged", "nan")


@pytest.mark.parametrize("code", ["diverged", "out_of_memory", "disk_full", "code_error"])
def test_an_error_fails_the_trial_with_message_remedy_and_traceback(run, code):
    error = {"type": "error", "reason_code": code, "message": "It broke.", "traceback": "T", "remedy": "Mend it."}
    run.process.say(step(1), error)
    run.step()
    trial = row(run)
    assert (trial.state, trial.reason_code, trial.reason, trial.traceback) == (
        "FAILED",
        code,
        "It broke. Mend it.",
        "T",
    )
    assert trial_curves(trial)[METRIC].steps == [1], "what it had reported is kept"
    assert Study.objects.get().state == "RUNNING"


def test_suggestions_are_answered_in_both_ways(run):
    ask = {"type": "suggest", "id": 7, "name": "width", "distribution": {"type": "int", "low": 1, "high": 9}}
    run.process.say(ask, {**ask, "id": 8, "distribution": {"type": "int", "low": 9, "high": 1}})
    run.step()
    good, bad = run.process.heard()
    assert (good["type"], good["id"], bad["id"]) == ("suggest_reply", 7, 8)
    assert good["value"] in range(1, 10)
    assert row(run).params["width"] == good["value"]
    assert "distribution.high" in bad["error"]


def test_a_suggestion_of_none_is_an_answer(run):
    choices = {"type": "categorical", "choices": [None, "cosine"]}
    for number in range(20):
        run.process.say({"type": "suggest", "id": number, "name": f"schedule{number}", "distribution": choices})
    run.step()
    assert {reply["value"] for reply in run.process.heard()} == {None, "cosine"}


GARBAGE = [
    b"not json\n",
    b"[1]\n",
    b'{"no": "type"}\n',
    b'{"type": "dance"}\n',
    b'{"type": "step"}\n',
    b'{"type": "step", "step": "1", "metrics": {}, "wall": 1}\n',
    b'{"type": "step", "step": true, "metrics": {}, "wall": 1}\n',
    b'{"type": "step", "step": 1, "metrics": {"a": "b"}, "wall": 1}\n',
    b'{"type": "step", "step": 1, "metrics": {"a": 1}, "wall": null}\n',
    b'{"type": "checkpoint", "kind": "odd", "step": 1, "path": "x"}\n',
    b'{"type": "checkpoint", "kind": "last", "step": 1}\n',
    b'{"type": "result", "value": "high"}\n',
    b'{"type": "result", "constraints": {"a": 1}}\n',
    b'{"type": "error", "message": 5}\n',
    b'{"type": "suggest", "name": 5}\n',
    b'{"type": "step", "step": 1, "metrics": {"a": NaN}, "wall": 1}\n',
]


@pytest.mark.parametrize("line", GARBAGE)
def test_garbage_on_the_channel_is_an_error_of_the_code(run, line):
    run.process.say_raw(line)
    run.step()
    assert (row(run).state, row(run).reason_code) == ("FAILED", "code_error")
    assert row(run).reason


@pytest.mark.parametrize("number", [-1, 2**40])
def test_a_step_that_cannot_be_stored_is_an_error_of_the_code(run, number):
    run.process.say(step(number), result())
    run.step()
    assert (row(run).state, row(run).reason_code) == ("FAILED", "code_error")
    assert str(number) in row(run).reason


def test_a_checkpoint_that_links_out_of_the_folder_is_refused(run, tmp_path):
    folder = trial_folder(run.trial) / "checkpoints"
    folder.mkdir(parents=True)
    (folder / "last.pt").symlink_to("/etc/passwd")
    run.process.say({"type": "checkpoint", "kind": "last", "step": 1, "path": str(folder / "last.pt")})
    run.step()
    assert (row(run).state, row(run).checkpoint) == ("FAILED", "")


# --- the deadline ------------------------------------------------------------------------------------------------
def test_a_trial_past_its_deadline_is_ended_with_what_it_had_reported(run, settings):
    Study.objects.update(trial_seconds=60)
    run.process.say(step(1), step(2))
    run.step()
    later(run, looked=settings.CONTROL_SECONDS)
    run.tick(time.monotonic())
    assert run.outcome == "", "without a deadline nothing is missed"
    Trial.objects.update(deadline="2020-01-01T00:00:00Z")
    run.process.say(step(3))
    run.step()
    later(run, looked=settings.CONTROL_SECONDS)
    run.tick(time.monotonic())
    trial = row(run)
    assert (run.outcome, trial.state, trial.reason_code) == ("failed", "FAILED", "deadline")
    assert "done 3 of 5 epochs" in trial.reason
    assert trial_curves(trial)[METRIC].steps == [1, 2, 3]


def test_a_deadline_that_was_moved_meanwhile_ends_nothing(run, settings, monkeypatch):
    Trial.objects.update(deadline="2020-01-01T00:00:00Z")
    original = trial_run.fail_overdue

    def moved_first(**words):
        Trial.objects.update(deadline="2099-01-01T00:00:00Z")
        return original(**words)

    monkeypatch.setattr(trial_run, "fail_overdue", moved_first)
    later(run, looked=settings.CONTROL_SECONDS)
    run.tick(time.monotonic())
    assert (run.outcome, row(run).state) == ("", "RUNNING")


# --- ends without a word -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(("code", "name"), [(-9, "SIGKILL"), (-11, "SIGSEGV"), (-63, "signal 63")])
def test_a_killed_process_sends_its_trial_back_to_waiting(run, code, name):
    run.process.say(step(1))
    run.process.die(code)
    run.step()  # what it still said
    run.step()
    trial = row(run)
    assert (trial.state, trial.retries) == ("WAITING", 1)
    assert name in trial.reason
    assert trial_curves(trial)[METRIC].steps == [1], "committed metrics survive"


def test_the_third_kill_is_followed_by_a_last_attempt_and_then_given_up(run):
    Trial.objects.update(retries=3)
    run.process.die(-9)
    run.step()
    assert (row(run).state, row(run).reason_code) == ("FAILED", "lost_host")


@pytest.mark.parametrize("words", ["Segfault ahead\nlast words\n", ""])
def test_an_exit_without_result_fails_with_the_logs_tail(run, words):
    run.process.die(3, words)
    run.step()
    trial = row(run)
    assert (trial.state, trial.reason_code, trial.traceback) == ("FAILED", "code_error", words)
    assert "exit code 3" in trial.reason
    assert ("It printed nothing" in trial.reason) == (not words)


def test_a_result_before_the_exit_counts(run):
    run.process.say(step(1, 0.5), result())
    run.process.die(0)
    run.step()
    assert row(run).state == "COMPLETE"


# --- taken back, draining ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("turn", ["stop", "pause", "cancel", "delete"])
def test_a_claim_that_is_no_longer_the_newest_ends_the_process(run, alice, settings, turn):
    if turn == "stop":
        stop_study(study_id=run.trial.study_id, actor=alice)
    elif turn == "pause":
        pause_study(study_id=run.trial.study_id, actor=alice)
    elif turn == "cancel":
        cancel_trial(trial_id=run.trial.pk, actor=alice)
    else:
        Trial.objects.all().delete()
    later(run, looked=settings.CONTROL_SECONDS)
    run.start = lambda: None
    run.process.say(step(1))
    assert "ended from outside" in run.run()
    assert run.process.ended
    if turn != "delete":
        attempt = run.trial.attempts.get()
        assert ("ended from outside" in attempt.outcome, attempt.exit_code) == (True, None)
        assert trial_curves(row(run)) == {}


def test_a_draining_host_lets_a_trial_reach_its_checkpoint(run, settings):
    run.process.say(step(1))
    run.step()
    drain_host(host_id=run.slot.device.host_id)
    later(run, looked=settings.CONTROL_SECONDS)
    run.tick(time.monotonic())
    assert [message["type"] for message in run.process.heard()] == ["pause"]
    run.process.say(result(stopped="pause"))
    run.step()
    assert (row(run).state, row(run).retries) == ("WAITING", 0)


def test_a_draining_host_waits_for_its_grace_alone(run, settings):
    settings.GRACE_SECONDS = 7
    run.process.say(step(1))
    run.step()
    drain_host(host_id=run.slot.device.host_id)
    now = time.monotonic()
    later(run, looked=settings.CONTROL_SECONDS)
    run.tick(now)
    run.tick(now + 6.9)
    assert (run.outcome, row(run).state) == ("", "RUNNING")
    run.tick(now + 7.1)
    assert (row(run).state, row(run).retries) == ("WAITING", 0)


def test_a_trial_that_has_done_nothing_leaves_a_draining_host_at_once(run, settings):
    drain_host(host_id=run.slot.device.host_id)
    later(run, looked=settings.CONTROL_SECONDS, beaten=settings.HEARTBEAT_SECONDS)
    run.tick(time.monotonic())
    assert (row(run).state, row(run).retries, run.outcome) == ("WAITING", 0, "the host was shut down")


def test_a_training_that_was_done_when_the_pause_came_is_complete(run, settings):
    run.process.say(step(1, 0.5))
    run.step()
    drain_host(host_id=run.slot.device.host_id)
    later(run, looked=settings.CONTROL_SECONDS)
    run.tick(time.monotonic())
    run.process.say(result(stopped=False))
    run.step()
    assert row(run).state == "COMPLETE"


def test_a_trial_that_the_scheduler_stops_is_pruned(run, monkeypatch):
    monkeypatch.setattr("tuning.services.reporting.decide_report", lambda *_: "stop")
    run.process.say(step(1, 0.5))
    run.step()
    run.flush()
    assert [message["type"] for message in run.process.heard()] == ["stop"]
    run.process.say(step(2, 0.4), result(stopped=True))
    run.step()
    assert (row(run).state, row(run).value) == ("PRUNED", 0.4)


@pytest.mark.parametrize("stopped", ["pause", False])
def test_a_trial_that_has_come_to_its_rung_pauses_and_frees_its_slot(alice, stopped):
    """Whether its process has heard of the pause, or was at the end of what it had been told anyhow."""
    study = make_study(
        alice, started=True, workload="tiny", scheduler="hyperband", parallel=2, reduction_factor=2, n_trials=9
    )
    slot = make_slot()
    run = TrialRun(make_running(study, slot), slot, FakeLauncher())
    run.start()
    (start,) = run.process.heard()
    assert (start["spec"]["epochs"], start["spec"]["max_epochs"]) == (1, 5)
    run.process.say({"type": "hello", "pid": 4242}, step(1, 0.5))
    while not run.points:
        run.step()
    run.flush()
    assert [message["type"] for message in run.process.heard()] == ["pause"]
    run.process.say(result(stopped=stopped, steps=1))
    run.step()
    assert (row(run).state, row(run).slot, row(run).value) == ("PAUSED", None, 0.5)
    assert run.outcome == "paused"


# --- heartbeat, database away ------------------------------------------------------------------------------------
def test_a_heartbeat_renews_the_lease_when_it_is_due(run, settings):
    Trial.objects.update(lease_until="2020-01-01T00:00:00Z")
    run.tick(time.monotonic())
    assert row(run).lease_until.year == 2020
    later(run, beaten=settings.HEARTBEAT_SECONDS)
    run.tick(time.monotonic())
    assert row(run).lease_until.year > 2020


def test_points_wait_for_a_database_that_is_away_once(run, away, settings):
    away("record_points", 1)
    run.process.say(step(1))
    run.step()
    later(run, flushed=settings.FLUSH_SECONDS)
    run.tick(time.monotonic())
    assert len(run.points) == 1
    run.process.say(step(2))
    run.step()
    later(run, flushed=settings.FLUSH_SECONDS)
    run.tick(time.monotonic())
    assert trial_curves(row(run))[METRIC].steps == [1, 2]


@pytest.mark.parametrize("service", ["record_points", "finish_run", "answer_suggestion"])
def test_what_must_be_told_is_told_again_until_the_database_is_back(run, away, service):
    left = away(service, 3)
    ask = {"type": "suggest", "id": 1, "name": "width", "distribution": {"type": "int", "low": 1, "high": 9}}
    run.process.say(ask, step(1, 0.5), result())
    run.step()
    assert (left, row(run).state, row(run).value) == ([0], "COMPLETE", 0.5)
    assert len(run.process.heard()) == 1


@pytest.mark.parametrize("service", ["trial_control", "renew"])
def test_looks_and_heartbeats_forgive_a_database_that_is_away_for_a_moment(run, away, settings, service):
    away(service, 1)
    later(run, looked=settings.CONTROL_SECONDS, beaten=settings.HEARTBEAT_SECONDS)
    run.tick(time.monotonic())
    assert run.outcome == ""


def test_a_database_that_is_away_for_longer_than_the_lease_ends_the_process(run, away, settings):
    away("trial_control", 10**6)
    later(run, looked=settings.CONTROL_SECONDS)
    run.patience.held -= settings.LEASE_SECONDS - patience.MARGIN_SECONDS
    with pytest.raises(LeaseInDanger):
        run.tick(time.monotonic())
    later(run, looked=settings.CONTROL_SECONDS)
    run.start = lambda: None
    assert run.run() == "the database was away for too long"
    assert run.process.ended
    assert row(run).state == "RUNNING", "nobody could tell the database; the reaper or the slot's next worker will"


def test_an_ending_is_not_tried_beyond_the_lease(run, away, settings):
    away("finish_run", 10**6)
    run.patience.held -= settings.LEASE_SECONDS
    run.process.say(step(1), result())
    run.flush = lambda **_: True
    with pytest.raises(LeaseInDanger):
        run.step()


def test_an_unexpected_error_still_ends_the_process_and_is_noted(run):
    run.start = lambda: None
    run.step = lambda: 1 / 0
    with pytest.raises(ZeroDivisionError):
        run.run()
    assert run.process.ended
    assert run.trial.attempts.get().outcome == "the worker failed"
