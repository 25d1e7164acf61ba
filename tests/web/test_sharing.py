"""Sharing on the pages: who uses the devices, caps, reservations, requirements, time limits, what hinders a study."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from tests.factories import make_running, make_slot, make_study, make_workload
from tests.web.conftest import browser_of, poll, words
from tuning.models import Account, Device, Host, Slot, Study, Trial, Workload
from tuning.services.deadlines import fail_overdue
from tuning.services.hosts import FoundDevice, register_host
from tuning.web.forms.time import seconds_of, time_text


@pytest.fixture
def slot(db: None) -> Slot:
    return make_slot(slots=2)


# --- reservations -----------------------------------------------------------------------------------------------------
def test_a_person_reserves_a_device_and_gives_it_back(as_alice: Client, as_bob: Client, slot: Slot) -> None:
    address = f"/devices/{slot.device_id}"
    page = as_alice.get("/workers/").content.decode()
    assert page.count(f'href="{address}/reserve/"') == 1, "once for the device, not for each slot"
    assert "Until then only one person's trials start on it" in words(as_alice.get(f"{address}/reserve/"))
    assert 'name="person"' not in as_alice.get(f"{address}/reserve/").content.decode()
    answer = as_alice.post(f"{address}/reserve/", {"hours": "2.5", "reason": "a demonstration"}, follow=True)
    assert "host-1, CPU, 2 cores is reserved for alice." in words(answer)
    assert "reserved for alice until" in words(as_bob.get("/workers/"))
    assert "a demonstration" in words(as_bob.get("/workers/"))
    assert f"{address}/release/" not in as_bob.get("/workers/").content.decode()
    assert as_bob.post(f"{address}/release/").status_code == 403
    refused = as_bob.post(f"{address}/reserve/", {"hours": "1", "reason": "mine"})
    assert (refused.status_code, "is reserved for alice until" in words(refused)) == (409, True)
    assert f"{address}/release/" in as_alice.get("/workers/").content.decode()
    assert "is there for everybody again" in words(as_alice.post(f"{address}/release/", follow=True))
    assert Device.objects.get().reserved_for is None


def test_a_reservation_that_is_over_is_not_shown(as_alice: Client, slot: Slot) -> None:
    as_alice.post(f"/devices/{slot.device_id}/reserve/", {"hours": "1", "reason": "x"})
    tag = as_alice.get("/workers/")["ETag"]
    Device.objects.update(reserved_until=timezone.now() - timedelta(seconds=1))
    assert poll(as_alice, "/workers/", tag).status_code == 200
    assert "reserved for" not in words(as_alice.get("/workers/"))


@pytest.mark.parametrize(
    ("form", "complaint"),
    [
        ({"hours": "", "reason": "x"}, "Write a number of hours"),
        ({"hours": "soon", "reason": "x"}, "Write a number of hours"),
        ({"hours": "nan", "reason": "x"}, "Write a number of hours"),
        ({"hours": "0", "reason": "x"}, "give a number above 0"),
        ({"hours": "9000", "reason": "x"}, "at most 720 hours"),
        ({"hours": "1", "reason": ""}, "Say what it is needed for"),
        ({"hours": "1", "reason": "x" * 300}, "at most 200 characters"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(
    as_alice: Client, slot: Slot, form: dict[str, str], complaint: str
) -> None:
    answer = as_alice.post(f"/devices/{slot.device_id}/reserve/", form)
    assert (answer.status_code, complaint in words(answer)) == (400, True)
    assert Device.objects.get().reserved_for is None


def test_an_administrator_reserves_for_anybody_and_releases(admin: User, bob: User, slot: Slot) -> None:
    staff, address = browser_of(admin), f"/devices/{slot.device_id}"
    assert 'name="person"' in staff.get(f"{address}/reserve/").content.decode()
    staff.post(f"{address}/reserve/", {"hours": "1", "reason": "his turn", "person": "bob"})
    assert Device.objects.get().reserved_for == bob
    assert staff.post(f"{address}/release/").status_code == 302
    assert staff.post(f"{address}/reserve/", {"hours": "1", "reason": "x", "person": "dora"}).status_code == 400
    assert staff.get("/devices/99/reserve/").status_code == 404


# --- caps -------------------------------------------------------------------------------------------------------------
def test_an_administrator_sets_a_cap_on_the_workers_page(
    as_alice: Client, admin: User, alice: User, slot: Slot, settings: object
) -> None:
    make_running(make_study(alice, workload="tiny", started=True), slot)
    address, staff = f"/people/{alice.pk}/cap/", browser_of(admin)
    assert address in staff.get("/workers/").content.decode()
    assert address not in as_alice.get("/workers/").content.decode()
    assert "Who uses them" in words(as_alice.get("/workers/"))
    assert as_alice.get(address).status_code == as_alice.post(address, {"max_running": "9"}).status_code == 403
    assert "1 runs now" in words(staff.get(address))
    assert "Trials of alice: at most 3 at once." in words(staff.post(address, {"max_running": "3"}, follow=True))
    assert "alice 1 3" in words(as_alice.get("/workers/"))
    assert Account.objects.get(user=alice).max_running == 3
    for wrong in ("-1", "x", "1.5"):
        answer = staff.post(address, {"max_running": wrong})
        assert (answer.status_code, "Write a whole number from 0" in words(answer)) == (400, True)
    assert "the server's default holds" in words(staff.post(address, {"max_running": ""}, follow=True))
    assert Account.objects.get(user=alice).max_running is None
    assert staff.get("/people/9999/cap/").status_code == 404


def test_people_without_studies_are_shown_to_administrators_alone(
    as_alice: Client, admin: User, alice: User, bob: User, slot: Slot
) -> None:
    make_study(alice)
    assert f"/people/{bob.pk}/cap/" in browser_of(admin).get("/workers/").content.decode()
    assert "bob" not in words(as_alice.get("/workers/"))


# --- labels, memory, requirements -------------------------------------------------------------------------------------
def test_hosts_show_labels_and_memory_and_workloads_what_they_require(as_alice: Client) -> None:
    register_host(name="h", boot_id="b", facts={}, devices=[FoundDevice("cpu", "CPU", 2**33, 1, 1)], labels=["a100"])
    text = words(as_alice.get("/workers/"))
    assert "offers a100" in text
    assert "8.59 GB" in text
    make_workload("demanding")
    Workload.objects.update(memory=8 * 10**9, labels=["a100", "fast-disk"])
    assert "Requires 8 GB of device memory, a100, fast-disk" in words(as_alice.get("/workloads/"))


# --- what hinders a study ---------------------------------------------------------------------------------------------
def test_a_study_that_cannot_start_says_why_and_the_page_notices_when_it_can(
    as_bob: Client, alice: User, slot: Slot, settings: object
) -> None:
    settings.MAX_RUNNING = 1  # type: ignore[attr-defined]
    study = make_study(alice, workload="tiny", started=True)
    make_running(study, slot)
    address = f"/studies/{study.pk}/"
    page = as_bob.get(address)
    assert "1 trial of alice runs, as many as the cap of alice allows" in words(page)
    assert poll(as_bob, address, page["ETag"]).status_code == 304
    settings.MAX_RUNNING = 2  # type: ignore[attr-defined]
    cache.clear()  # as after some seconds
    assert poll(as_bob, address, page["ETag"]).status_code == 200
    assert "the cap of alice" not in words(as_bob.get(address))


def test_a_host_that_goes_away_is_noticed_without_a_new_version(as_alice: Client, alice: User, slot: Slot) -> None:
    study = make_study(alice, workload="tiny", started=True)
    page = as_alice.get(f"/studies/{study.pk}/")
    assert "No worker is alive" not in words(page)
    Host.objects.update(last_seen=timezone.now() - timedelta(minutes=5))
    cache.clear()  # as after some seconds
    answer = poll(as_alice, f"/studies/{study.pk}/", page["ETag"])
    assert (answer.status_code, "No worker is alive" in words(answer)) == (200, True)


# --- time limits ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "seconds"),
    [("45 s", 45), ("90 min", 5400), ("90m", 5400), ("1.5 h", 5400), ("1 h 30 min", 5400), ("2 days", 172_800)],
)
def test_times_are_read_with_their_units(text: str, seconds: int) -> None:
    assert seconds_of(text) == seconds
    assert seconds_of(time_text(seconds)) == seconds


@pytest.mark.parametrize("text", ["", "90", "soon", "0 s", "-5 min", "1 h 30", "5 weeks", "9999 d", "1 h, 30 min"])
def test_what_is_no_time_is_refused(text: str) -> None:
    assert seconds_of(text) is None


def test_a_time_limit_is_set_with_a_new_study_shown_changed_and_cloned(as_alice: Client, alice: User) -> None:
    make_workload("tiny")
    form = {
        "name": "timed", "metric": "validation/loss", "objective": "best", "sampler": "random", "scheduler": "none",
        "n_trials": "3", "parallel": "1", "max_resource": "5", "visibility": "team", "trial_seconds": "1 h 30 min",
        "form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "0", "form-0-name": "lr", "form-0-kind": "float",
        "form-0-low": "0.1", "form-0-high": "1", "create": "1",
    }  # fmt: skip
    wrong = as_alice.post("/studies/new/?workload=tiny", {**form, "trial_seconds": "90"})
    assert (wrong.status_code, "Write a time with its unit" in words(wrong)) == (400, True)
    assert as_alice.post("/studies/new/?workload=tiny", form).status_code == 302
    study = Study.objects.get()
    assert study.trial_seconds == 5400
    setup = as_alice.get(f"/studies/{study.pk}/setup/")
    assert "Time limit of a trial 1 h 30 min" in words(setup)
    assert 'value="1 h 30 min"' in setup.content.decode()
    assert 'value="1 h 30 min"' in as_alice.get(f"/studies/new/?from={study.pk}").content.decode()
    settings = {"name": "timed", "description": "", "n_trials": "3", "parallel": "1", "visibility": "team"}
    as_alice.post(f"/studies/{study.pk}/setup/", {**settings, "trial_seconds": "45 s", "priority": "-2"})
    study.refresh_from_db()
    assert (study.trial_seconds, study.priority) == (45, -2)
    as_alice.post(f"/studies/{study.pk}/setup/", {**settings, "trial_seconds": "", "priority": ""})
    study.refresh_from_db()
    assert (study.trial_seconds, study.priority) == (None, -2)


def test_a_trial_shows_its_limit_and_how_far_it_came(as_alice: Client, alice: User, slot: Slot) -> None:
    trial = make_running(make_study(alice, workload="tiny", started=True, trial_seconds=600), slot)
    assert "of at most 10 min" in words(as_alice.get(f"/trials/{trial.pk}/"))
    Trial.objects.update(deadline="2020-01-01T00:00:00Z")
    fail_overdue(trial_id=trial.pk, fence=1)
    text = words(as_alice.get(f"/trials/{trial.pk}/"))
    assert "Deadline passed. It has run for 10 min" in text
    assert "missed their deadline" in words(as_alice.get(f"/studies/{trial.study_id}/"))
