"""What the supervisor has computed beside its loop."""

import threading

import pytest
from django.db import OperationalError

from tests.factories import make_study
from tests.selectors.test_diagnostics import TURNS, trained
from tests.services.test_importance import dropout_matters
from tests.services.test_linting import searched
from tuning.workers import supervisor as supervisors
from tuning.workers.aside import Aside
from tuning.workers.supervisor import Supervisor


def test_one_thing_at_a_time_beside_the_loop():
    aside, go, done = Aside(), threading.Event(), []
    aside.start(lambda: done.append(threading.current_thread()) or go.wait(10))
    aside.start(lambda: done.append("a second"))
    assert aside.busy
    go.set()
    aside.wait(10)
    assert not aside.busy and len(done) == 1 and done[0] is not threading.current_thread()
    aside.start(lambda: done.append("another"))
    aside.wait(10)
    assert done[1:] == ["another"]


def test_a_database_that_is_away_is_borne(caplog):
    aside = Aside()

    def away() -> None:
        raise OperationalError("server closed the connection")

    aside.start(away)
    aside.wait(10)
    assert "what was computed is lost" in caplog.text


@pytest.mark.django_db
def test_the_supervisor_starts_a_look_only_where_one_is_due(alice, monkeypatch):
    started = []
    watcher = Supervisor()
    monkeypatch.setattr(watcher.aside, "start", started.append)
    monkeypatch.setattr(watcher, "_is_due", lambda name, seconds: name == "aside")
    monkeypatch.setattr(watcher, "cluster_is_well", lambda: True)
    make_study(alice)
    watcher.step()
    assert started == []
    searched(alice, dropout_matters, 20)
    watcher.step()
    assert started == [supervisors.look_at_importance], "its trials have told no loss of training"
    trained(make_study(alice, started=True, max_resource=7), TURNS)
    watcher.step()
    assert started[1:] == [supervisors.look_at_curves]
