"""Hosts, slots and hints; and the reaper for what a silent or dead worker left."""

from datetime import timedelta

import pytest
from django.utils import timezone

from tests.factories import make_place, make_running, make_slot, make_study
from tuning.models import Device, Host, Job, Slot, Trial
from tuning.services.hosts import (
    FoundDevice,
    beat_host,
    clear_hint,
    drain_host,
    forget_hints,
    leave_host,
    note_process,
    register_host,
    slots_with_aged_hints,
    take_hint,
)
from tuning.services.jobs import claim_job, request_describe
from tuning.services.reaper import reap_dead, reap_expired, release_slot
from tuning.services.scripts import ask_trials

pytestmark = pytest.mark.django_db
PAST = "2020-01-01T00:00:00Z"


def register(*devices):
    return register_host(name="h", boot_id="b", facts={"cores": 2}, devices=devices)


def test_a_host_is_what_it_found_last():
    register(FoundDevice("cpu", "CPU", None, 2, 1), FoundDevice("GPU-1", "k" * 200, 2**33, 1, 4))
    slots = list(Slot.objects.values_list("device__uuid", "index", "threads", "enabled").order_by("pk"))
    assert slots == [("cpu", 0, 1, True), ("cpu", 1, 1, True), ("GPU-1", 0, 4, True)]
    register(FoundDevice("cpu", "CPU", None, 1, 2))
    assert list(Slot.objects.filter(enabled=True).values_list("device__uuid", "index", "threads")) == [("cpu", 0, 2)]
    assert (Host.objects.count(), Device.objects.count(), Slot.objects.count()) == (1, 2, 3), "slots are never deleted"
    assert Host.objects.get().last_seen is not None


def test_registering_ends_a_drain_and_beats_are_noted():
    host = register(FoundDevice("cpu", "CPU", None, 1, 1))
    drain_host(host_id=host.pk)
    assert Host.objects.get().draining
    Host.objects.update(last_seen=PAST)
    beat_host(host_id=host.pk)
    assert Host.objects.get().last_seen.year > 2020
    leave_host(host_id=host.pk)
    assert (Host.objects.get().last_seen, Host.objects.get().draining) == (None, False)


def age_hints(seconds, *columns):
    Slot.objects.update(**{column: timezone.now() - timedelta(seconds=seconds) for column in columns})


def test_a_hint_is_sent_once_until_it_is_taken_up_or_lost():
    slot = make_slot()
    assert [take_hint(slot.pk) for _ in range(3)] == [True, False, False]
    clear_hint(slot.pk)
    assert take_hint(slot.pk)
    age_hints(11, "hinted")
    assert [take_hint(slot.pk) for _ in range(2)] == [True, False], "a lost one is sent again"


def test_a_cluster_that_hears_nothing_is_noticed_although_hints_are_repeated():
    slot = make_slot()
    host_id = slot.device.host_id
    take_hint(slot.pk)
    assert slots_with_aged_hints(host_id=host_id, seconds=20) == []
    age_hints(25, "hinted", "unheard")
    take_hint(slot.pk)
    assert slots_with_aged_hints(host_id=host_id, seconds=20) == [slot.pk]
    clear_hint(slot.pk)
    assert slots_with_aged_hints(host_id=host_id, seconds=20) == []
    take_hint(slot.pk)
    age_hints(25, "hinted", "unheard")
    forget_hints(host_id=host_id)
    assert slots_with_aged_hints(host_id=host_id, seconds=20) == []


def test_after_the_database_clock_was_set_back_a_slot_is_hinted_and_a_deaf_cluster_is_noticed():
    slot = make_slot()
    host_id = slot.device.host_id
    take_hint(slot.pk)
    age_hints(-2 * 3600, "hinted", "unheard")
    assert [take_hint(slot.pk) for _ in range(2)] == [True, False], "nobody waits for two hours"
    assert Slot.objects.get().unheard <= timezone.now()
    age_hints(25, "unheard")
    assert slots_with_aged_hints(host_id=host_id, seconds=20) == [slot.pk]


# --- the reaper --------------------------------------------------------------------------------------------------
@pytest.fixture
def running(alice):
    return make_running(make_study(alice, started=True, workload="tiny"), make_slot())


def test_expired_leases_are_reaped_once(running):
    assert reap_expired() == 0
    Trial.objects.update(lease_until=PAST)
    assert (reap_expired(), reap_expired()) == (1, 0)
    trial = Trial.objects.get()
    assert (trial.state, trial.retries, trial.slot) == ("WAITING", 1, None)
    assert "went silent" in trial.reason
    attempt = trial.attempts.get()
    assert (attempt.outcome, attempt.ended is None) == ("lease expired", False)


def test_after_the_database_clock_was_set_back_nothing_is_waited_for_longer_than_a_lease(running, settings):
    request_describe(actor=None)
    claim_job(slot=make_slot())
    ahead = timezone.now() + timedelta(hours=2)
    Trial.objects.update(lease_until=ahead)
    Job.objects.update(lease_until=ahead)
    assert reap_expired() == 0
    left = [row.lease_until - timezone.now() for row in (Trial.objects.get(), Job.objects.get())]
    lease = timedelta(seconds=settings.LEASE_SECONDS)
    assert all(lease - timedelta(seconds=5) < one <= lease for one in left), left
    before = Trial.objects.get().lease_until
    assert (reap_expired(), Trial.objects.get().lease_until) == (0, before), "a lease that is no longer is left alone"


def test_scripts_are_reaped_too(alice):
    ask_trials(study_id=make_study(alice, started=True).pk, actor=alice)
    Trial.objects.update(lease_until=PAST)
    assert reap_expired() == 1
    assert "The script" in Trial.objects.get().reason


def test_a_lease_renewed_between_look_and_write_is_left(running, monkeypatch):
    Trial.objects.update(lease_until=PAST)

    def renew_first(**words):
        Trial.objects.update(lease_until=timezone.now() + timedelta(seconds=30))
        return original(**words)

    from tuning.services import reaper

    original = reaper.requeue_trial
    monkeypatch.setattr(reaper, "requeue_trial", renew_first)
    assert reap_expired() == 0
    assert Trial.objects.get().state == "RUNNING"


def test_expired_jobs_are_reaped(alice):
    request_describe(actor=None)
    claim_job(slot=make_place("quick"))
    Job.objects.update(lease_until=PAST)
    assert (reap_expired(), reap_expired()) == (1, 0)
    assert Job.objects.get().state == "WAITING"


@pytest.mark.parametrize(("lost", "retries"), [(True, 1), (False, 0)])
def test_a_hosts_dead_processes_are_reaped_at_once(running, lost, retries):
    note_process(attempt_id=running.attempts.get().pk, pid=1, boot_id="b", process_started="7", log="log")
    assert reap_dead(host="host-1", is_alive=lambda _: True) == 0
    assert reap_dead(host="host-2", is_alive=lambda _: False) == 0
    assert reap_dead(host="host-1", is_alive=lambda attempt: attempt.pid != 1, lost=lost) == 1
    assert (Trial.objects.get().state, Trial.objects.get().retries) == ("WAITING", retries)
    assert running.attempts.get().outcome == "process gone"


def test_jobs_of_a_dead_host_are_reaped():
    request_describe(actor=None)
    claim_job(slot=make_place("quick"))
    assert reap_dead(host="other", is_alive=lambda _: False) == 0
    assert reap_dead(host="host-1", is_alive=lambda _: False, lost=False) == 1
    assert (Job.objects.get().state, Job.objects.get().retries) == ("WAITING", 0)


def test_an_attempt_whose_trial_has_ended_is_only_noted(running):
    Trial.objects.update(state="FAILED", slot=None)
    assert reap_dead(host="host-1", is_alive=lambda _: False) == 0
    assert running.attempts.get().ended is not None


def test_a_slot_is_released_of_what_it_holds(running):
    assert release_slot(running.slot_id) == 1
    assert release_slot(running.slot_id) == 0
    assert Trial.objects.get().state == "WAITING"
    slot = make_place("quick")
    request_describe(actor=None)
    claim_job(slot=slot)
    assert release_slot(slot.pk) == 1
    assert Job.objects.get().state == "WAITING"
