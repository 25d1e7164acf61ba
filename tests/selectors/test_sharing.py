"""Whose turn it is: priority, then the person, then the study with the least recent device time; caps, requirements,
reservations; and in words what holds a study back."""

from datetime import timedelta

import pytest
from django.utils import timezone

from tests.factories import make_place, make_running, make_slot, make_study, make_user, make_workload
from tuning.models import Account, Device, DeviceTime, Host, Job, Slot, Study, Trial, Workload
from tuning.selectors.hindrances import hindrances
from tuning.selectors.requirements import Needs, size_words
from tuning.selectors.sharing import (
    by_owner,
    caps_of,
    claimable_studies,
    people_overview,
    recent_device_time,
    running_of,
    slots_to_wake,
    with_room,
)
from tuning.services.hosts import FoundDevice, register_host
from tuning.services.jobs import request_job, request_split
from tuning.services.lifecycle import pause_study
from tuning.services.reserving import reserve_device
from tuning.services.studies import delete_study

pytestmark = pytest.mark.django_db


def running_study(owner, **settings):
    return make_study(owner, started=True, workload=settings.pop("workload", "tiny"), **settings)


def spend(study, seconds, hours_ago=0):
    hour = (timezone.now() - timedelta(hours=hours_ago)).replace(minute=0, second=0, microsecond=0)
    DeviceTime.objects.create(owner=study.owner, study=study, hour=hour, seconds=seconds)


def ids(*studies):
    return [study.pk for study in studies]


def free_slot():
    return make_slot("free")


def runs_since(study, host, seconds):
    """A trial of the study that runs on a slot of a host of its own for so long now."""
    trial = make_running(study, make_slot(host))
    Trial.objects.filter(pk=trial.pk).update(claimed=timezone.now() - timedelta(seconds=seconds))
    return trial


# --- the order ------------------------------------------------------------------------------------------------------
def test_only_running_studies_with_room_and_a_workload_are_claimed_from(alice):
    open_ = running_study(alice)
    make_study(alice, started=True)  # run by scripts
    make_study(alice, workload="tiny")  # not started
    full = running_study(alice, parallel=1)
    spent = running_study(alice, n_trials=1)
    for study in (full, spent):
        make_running(study, make_slot(f"of {study.pk}"))
    assert claimable_studies(free_slot()) == ids(open_)


def test_priority_goes_before_everything(alice, bob):
    low, high = running_study(bob), running_study(alice, priority=1)
    spend(high, 50_000)
    assert claimable_studies(free_slot()) == ids(high, low)


def test_the_person_with_the_least_recent_time_goes_first_then_their_study_with_the_least(alice, bob):
    first, second, his = running_study(alice), running_study(alice), running_study(bob)
    spend(first, 10_000)
    spend(second, 2_000)
    spend(his, 9_000)
    assert claimable_studies(free_slot()) == ids(his, second, first)
    spend(his, 3_100, hours_ago=2)
    assert claimable_studies(free_slot()) == ids(second, first, his)


def test_time_of_studies_that_are_over_or_deleted_still_counts_for_their_owner(alice, bob):
    hers, his = running_study(alice), running_study(bob)
    gone = make_study(alice, workload="tiny")
    spend(gone, 1_000)
    spend(his, 500)
    delete_study(study=gone, actor=alice)
    assert claimable_studies(free_slot()) == ids(his, hers)


def test_time_of_two_days_ago_counts_no_more(alice, bob):
    hers, his = running_study(alice), running_study(bob)
    spend(hers, 90_000, hours_ago=48)
    spend(his, 1_000, hours_ago=20)
    assert claimable_studies(free_slot()) == ids(hers, his)


def test_what_runs_now_counts_by_its_elapsed_time(alice, bob):
    hers, his = running_study(alice), running_study(bob)
    runs_since(hers, "a", 300)
    runs_since(his, "b", 60)
    spent = recent_device_time()
    assert spent[alice.pk, hers.pk] == pytest.approx(300, abs=20)
    assert by_owner(spent)[bob.pk] == pytest.approx(60, abs=20)
    assert claimable_studies(free_slot()) == ids(his, hers)


def test_within_a_turn_those_with_fewer_trials_at_work_go_first_then_the_older_study(alice, bob):
    older, newer, his = running_study(alice), running_study(alice), running_study(bob)
    assert claimable_studies(free_slot()) == ids(older, newer, his)
    make_running(older, make_slot("a"))
    assert claimable_studies(free_slot()) == ids(his, newer, older)


def test_a_slot_keeps_to_a_study_for_a_turn(alice, bob):
    """Another study's workload needs a cold process, which takes seconds."""
    first, second, his = running_study(alice), running_study(alice), running_study(bob)
    spend(first, 50)
    assert claimable_studies(free_slot()) == ids(first, second, his)
    spend(second, 20)
    assert claimable_studies(free_slot()) == ids(his, first, second), "70 s are more than a person's turn"
    spend(his, 9_000)
    spend(first, 560, hours_ago=1)
    assert claimable_studies(free_slot()) == ids(second, first, his), "610 s are more than a study's turn"


def test_trials_of_scripts_cost_no_device_time(alice):
    make_running(make_study(alice, started=True))
    assert recent_device_time() == {}
    assert running_of([alice.pk]) == {}


# --- caps -----------------------------------------------------------------------------------------------------------
def test_a_person_at_the_cap_is_passed_over(alice, bob, settings):
    hers, his = running_study(alice), running_study(bob)
    make_running(hers, make_slot("a"))
    settings.MAX_RUNNING = 1
    assert claimable_studies(free_slot()) == ids(his)
    Account.objects.create(user=alice, max_running=2)
    assert claimable_studies(free_slot()) == ids(his, hers)
    Account.objects.create(user=bob, max_running=0)
    assert claimable_studies(free_slot()) == ids(hers)
    assert caps_of([alice.pk, bob.pk]) == {alice.pk: 2, bob.pk: 0}


def test_without_a_cap_nobody_has_one(alice):
    Account.objects.create(user=alice)
    assert caps_of([alice.pk]) == {}


def test_people_with_what_they_use(alice, bob, settings):
    study = running_study(alice)
    make_running(study, make_slot("a"))
    spend(study, 100)
    settings.MAX_RUNNING = 3
    Account.objects.create(user=bob, max_running=5)
    rows = {row.user.username: row for row in people_overview()}
    assert (rows["alice"].running, rows["alice"].cap, rows["alice"].own_cap) == (1, 3, None)
    assert rows["alice"].device_seconds == pytest.approx(100, abs=20)
    assert (rows["bob"].running, rows["bob"].cap, rows["bob"].own_cap) == (0, 5, 5)
    assert [row.user.username for row in people_overview(everybody=False)] == ["alice"], "who has studies"


def test_the_order_costs_a_fixed_number_of_queries(alice, bob, django_assert_max_num_queries):
    for owner in (alice, bob):
        for _ in range(6):
            spend(running_study(owner), 10)
    slot = free_slot()
    with django_assert_max_num_queries(9):
        assert len(claimable_studies(slot)) == 12


# --- requirements -----------------------------------------------------------------------------------------------------
def needing(name, memory=None, labels=()):
    make_workload(name)
    Workload.objects.filter(name=name).update(memory=memory, labels=list(labels))


def host_with(name, memory, labels=(), slots=1):
    """A slot of a live host whose one device has so much memory."""
    device = FoundDevice("cpu", "CPU, 2 cores", memory, slots, 1)
    host = register_host(name=name, boot_id="boot", facts={}, devices=[device], labels=labels)
    return Slot.objects.select_related("device__host").filter(device__host=host).order_by("index")[0]


def test_a_slot_claims_only_what_its_device_and_host_satisfy(alice):
    needing("large", memory=8 * 10**9)
    needing("picky", labels=["a100", "fast-disk"])
    large, picky = running_study(alice, workload="large"), running_study(alice, workload="picky")
    any_ = running_study(alice)
    assert set(claimable_studies(host_with("small", 4 * 10**9))) == set(ids(any_))
    assert set(claimable_studies(host_with("big", 2**33))) == set(ids(large, any_)), "8 GiB are more than 8 GB"
    assert set(claimable_studies(host_with("one", 10**9, ["a100"]))) == set(ids(any_)), "all labels are needed"
    assert set(claimable_studies(host_with("both", 10**9, ["fast-disk", "x", "a100"]))) == set(ids(picky, any_))
    assert set(claimable_studies(host_with("mute", None))) == set(ids(any_)), "unknown memory is none"


def test_memory_that_running_trials_require_is_taken(alice):
    needing("half", memory=4 * 10**9)
    study = running_study(alice, workload="half", parallel=4)
    first = host_with("h", 9 * 10**9, slots=3)
    second, third = Slot.objects.select_related("device__host").exclude(pk=first.pk).order_by("index")
    make_running(study, first)
    assert claimable_studies(second) == ids(study)
    make_running(study, second)
    assert claimable_studies(third) == []
    other = running_study(alice)
    assert claimable_studies(third) == ids(other), "without a requirement nothing is counted"


def test_memory_in_words():
    sizes = (8 * 10**9, 85_520_809_984, 512 * 10**6, 1_500 * 10**9, 12, None)
    assert [size_words(size) for size in sizes] == ["8 GB", "85.5 GB", "512 MB", "1.5 TB", "12 bytes", "unknown"]
    assert Needs(8 * 10**9, ("a100",)).words() == "8 GB of device memory and the label a100"


# --- reservations -----------------------------------------------------------------------------------------------------
def test_a_reserved_device_serves_one_person_until_its_time_is_over(alice, bob):
    hers, his = running_study(alice), running_study(bob)
    slot = free_slot()
    reserve_device(device_id=slot.device_id, actor=bob, hours=1, reason="a demonstration")
    assert claimable_studies(slot) == ids(his)
    Device.objects.update(reserved_until=timezone.now() - timedelta(seconds=1))
    assert set(claimable_studies(slot)) == set(ids(hers, his))


# --- hints ------------------------------------------------------------------------------------------------------------
def test_only_slots_that_would_find_something_are_woken(alice, bob):
    assert slots_to_wake() == []
    free, other = free_slot(), make_slot("other")
    assert slots_to_wake() == []
    request_job(kind="preflight", actor=None, args={"host": "other"})
    assert slots_to_wake() == [other], "a job of one host wakes that host"
    place = make_place("bulk", "third")
    Slot.objects.filter(device__host__name="third", lane="device").update(enabled=False)
    request_split(actor=None, workload="tiny")
    assert slots_to_wake() == [other, place], "a short job wakes the place of its lane"
    Job.objects.all().delete()
    study = running_study(alice)
    assert {slot.pk for slot in slots_to_wake()} == {free.pk, other.pk}
    reserve_device(device_id=free.device_id, actor=bob, hours=1, reason="mine")
    assert slots_to_wake() == [other]
    pause_study(study_id=study.pk, actor=alice)
    request_job(kind="preflight", actor=None)
    assert {slot.pk for slot in slots_to_wake()} == {free.pk, other.pk}, "jobs run on a reserved device, too"


# --- in words ---------------------------------------------------------------------------------------------------------
def words(study):
    return [(finding.rule, finding.message) for finding in hindrances(Study.objects.get(pk=study.pk))]


def test_nothing_hinders_a_study_that_will_start_or_is_full(alice):
    study = running_study(alice, parallel=1)
    slot = free_slot()
    assert words(study) == []
    make_running(study, slot)
    Host.objects.update(last_seen=None)
    assert words(study) == []


def test_no_worker_and_no_host_that_takes_trials(alice):
    study = running_study(alice)
    assert [rule for rule, _ in words(study)] == ["no-worker"]
    free_slot()
    Host.objects.update(draining=True)
    assert [rule for rule, _ in words(study)] == ["no-slot"]


def test_the_cap_is_told(alice, settings):
    study = running_study(alice)
    make_running(study, make_slot("a"))
    free_slot()
    settings.MAX_RUNNING = 1
    ((rule, message),) = words(study)
    assert rule == "cap"
    assert "1 trial of alice runs, as many as the cap of alice allows" in message
    Account.objects.create(user=alice, max_running=0)
    assert "The cap of alice is 0" in words(study)[0][1]


def test_the_requirement_that_nobody_meets_is_named_with_its_remedy(alice):
    needing("demanding", memory=80 * 10**9, labels=["a100"])
    study = running_study(alice, workload="demanding")
    host_with("h", 8 * 10**9)
    ((rule, message),) = words(study)
    assert rule == "requirements"
    assert "requires the label a100" in message
    assert "HPWEB_LABELS=a100" in message
    host_with("h", 8 * 10**9, ["a100"])
    assert "requires 80 GB of device memory" in words(study)[0][1]
    assert "has 8 GB" in words(study)[0][1]
    host_with("other", 90 * 10**9)
    assert "no live device has all of it at once" in words(study)[0][1]
    host_with("third", 90 * 10**9, ["a100"])
    assert words(study) == []


def test_devices_that_are_all_reserved_are_told(alice):
    study = running_study(alice)
    slot = free_slot()
    reserve_device(device_id=slot.device_id, actor=make_user("bob"), hours=1, reason="mine")
    ((rule, message),) = words(study)
    assert rule == "reserved"
    assert "reserved for bob" in message
    make_slot("another")
    assert words(study) == []
    assert with_room().get() == study
