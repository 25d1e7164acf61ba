"""Draining a host: no new claim, what runs ends or goes back, and a restart of the supervisor does not end it."""

import pytest

from tests.factories import make_running, make_slot, make_study
from tuning.models import AuditEvent, Host
from tuning.selectors.control import trial_control
from tuning.selectors.hosts import idle_slots, live_slots
from tuning.services.draining import end_drain, start_drain
from tuning.services.errors import Forbidden, NotFound
from tuning.services.hosts import drain_host, leave_host


@pytest.fixture
def slot(alice):
    return make_slot()


def flags(slot):
    host = Host.objects.get(pk=slot.device.host_id)
    return host.draining, host.evacuating, host.drained_by


def test_a_drained_host_claims_nothing_and_its_trials_go_on(alice, admin, slot):
    trial = make_running(make_study(alice, started=True, workload="tiny"), slot)
    assert live_slots().count() == 1
    start_drain(host_id=slot.device.host_id, actor=admin)
    assert flags(slot) == (True, False, "admin")
    assert not live_slots().exists()
    assert not idle_slots().exists()
    control = trial_control(trial.pk, trial.fence)
    assert (control.held, control.draining) == (True, False), "it runs to its end"
    start_drain(host_id=slot.device.host_id, actor=admin, now=True)
    assert trial_control(trial.pk, trial.fence).draining, "now it goes back to waiting at its next checkpoint"
    end_drain(host_id=slot.device.host_id, actor=admin)
    assert flags(slot) == (False, False, "")
    assert live_slots().count() == 1
    assert not trial_control(trial.pk, trial.fence).draining


def test_a_drain_outlasts_the_supervisor_that_is_started_anew(admin, slot):
    start_drain(host_id=slot.device.host_id, actor=admin, now=True)
    drain_host(host_id=slot.device.host_id)
    leave_host(host_id=slot.device.host_id)
    assert flags(slot) == (True, False, "admin")
    make_slot()
    assert flags(slot) == (True, False, "admin")
    end_drain(host_id=slot.device.host_id, actor=admin)
    assert flags(slot) == (False, False, "")


def test_a_shutdown_is_no_drain_of_a_person(admin, slot):
    drain_host(host_id=slot.device.host_id)
    assert flags(slot) == (True, True, "")
    end_drain(host_id=slot.device.host_id, actor=admin)
    assert flags(slot) == (True, True, ""), "the supervisor goes on with its shutdown"
    make_slot()
    assert flags(slot) == (False, False, "")


@pytest.mark.parametrize("now", [False, True])
def test_the_same_again_changes_nothing(admin, slot, now):
    for again in range(2):
        start_drain(host_id=slot.device.host_id, actor=admin, now=now)
        assert flags(slot) == (True, now, "admin"), again
    start_drain(host_id=slot.device.host_id, actor=admin)
    assert flags(slot) == (True, now, "admin"), "what goes back is not kept after all"
    for _ in range(2):
        end_drain(host_id=slot.device.host_id, actor=admin)
    events = AuditEvent.objects.filter(object_kind="host", object_id=slot.device.host_id).order_by("pk")
    assert [(event.actor_name, event.verb, event.object_name) for event in events] == [
        ("admin", "drained", "host-1"),
        ("admin", "undrained", "host-1"),
    ]


def test_only_administrators_drain(alice, admin, slot):
    for action in (start_drain, end_drain):
        with pytest.raises(Forbidden, match="administrators"):
            action(host_id=slot.device.host_id, actor=alice)
        with pytest.raises(NotFound):
            action(host_id=10**9, actor=admin)
    assert flags(slot) == (False, False, "")
