"""A database that hangs without an error: the process is gone before its lease is, whatever the worker waits for."""

import threading
import time
from types import SimpleNamespace

import pytest
from django.db import OperationalError

from tests.factories import make_running, make_slot, make_study
from tests.workers.fakes import FakeLauncher
from tests.workers.workloads import overload
from tuning.models import Trial
from tuning.workers import patience, trial_run
from tuning.workers.patience import LeaseInDanger, Patience, Watch
from tuning.workers.trial_run import TrialRun

POINT = {"type": "step", "step": 1, "metrics": {"validation/loss": 0.5}, "wall": 1.0}


@pytest.fixture(autouse=True)
def _quick(settings, monkeypatch):
    settings.LEASE_SECONDS, settings.HEARTBEAT_SECONDS, settings.FLUSH_SECONDS = 1.0, 0.1, 0.05
    monkeypatch.setattr(patience, "WATCH_SECONDS", 0.01)
    for module in (trial_run, patience):
        monkeypatch.setattr(module, "connection", SimpleNamespace(close=lambda: None))


def test_a_watch_ends_the_process_once_before_the_lease_is_over_and_never_after_its_stop():
    ended = []
    held = Patience("a claim")
    watch = Watch(held, lambda: ended.append(time.monotonic()))
    watch.start()
    watch._thread.join(10)
    assert watch.fired
    (at,) = ended
    assert 0.75 <= at - held.held < 0.75 + 0.2 * overload()
    watch.stop()

    stopped = Watch(Patience("another"), lambda: ended.append(0.0))
    stopped.start()
    stopped.stop()
    time.sleep(1.0)
    assert (stopped.fired, len(ended)) == (False, 1)


def test_a_lease_counts_from_when_it_was_asked_for_and_reading_renews_none(monkeypatch):
    held = Patience("a claim")
    now = iter((100.0, 200.0, 300.0))
    monkeypatch.setattr(patience, "time", SimpleNamespace(monotonic=lambda: next(now)))
    assert held.ask(lambda: "renewed") == "renewed"
    assert held.held == 100.0
    assert held.ask(lambda: None, renews=False) is True
    assert held.held == 100.0


def test_a_database_that_can_only_be_read_ends_the_process(db):
    held = Patience("a claim")
    held.held -= 10.0

    def full():
        raise OperationalError("database or disk is full")

    assert held.ask(lambda: "running", renews=False) == "running"
    with pytest.raises(LeaseInDanger):
        held.ask(full)


def test_a_query_that_hangs_does_not_keep_the_process(alice, monkeypatch):
    slot = make_slot()
    study = make_study(alice, started=True, workload="tiny")
    run = TrialRun(make_running(study, slot), slot, FakeLauncher())
    healed = threading.Event()
    died = []

    def hang(**_words):
        healed.wait(30)
        died.append(run.process.code)  # what the process was when the database answered at last
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(trial_run, "record_points", hang)
    start = run.start

    def speak():
        start()
        run.process.say({"type": "hello", "pid": 4242}, POINT)
        process, kill = run.process, run.process.kill

        def heal():
            kill()
            healed.set()

        run.watch._end = heal
        assert process.code is None

    run.start = speak
    assert run.run() == "the database was away for too long"
    assert died[0] == -9
    trial = Trial.objects.get()
    assert (trial.state, trial.retries) == ("RUNNING", 0), "nobody could tell the database: the slot's next look does"
