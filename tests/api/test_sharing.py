"""people/, devices/…/reserve|release/, and what studies, trials and workers tell of sharing and time limits."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.api.conftest import fields_of
from tests.factories import make_running, make_slot, make_study
from tuning.models import Account, AuditEvent, Device, Host, Study, Trial


@pytest.fixture
def device_id(db):
    return make_slot().device_id


def soon():
    return (datetime.now(UTC) + timedelta(hours=3)).replace(microsecond=0).isoformat()


# --- people ----------------------------------------------------------------------------------------------------------
def test_people_and_what_they_use(as_bob, alice, bob, settings):
    make_running(make_study(alice, started=True, workload="tiny"), make_slot())
    settings.MAX_RUNNING = 3
    Account.objects.create(user=bob, max_running=0)
    rows = {row["username"]: row for row in as_bob.get("people/").json()["results"]}
    assert (rows["alice"]["running"], rows["alice"]["cap"], rows["alice"]["max_running"]) == (1, 3, None)
    assert rows["alice"]["device_seconds"] >= 0
    assert (rows["bob"]["running"], rows["bob"]["cap"], rows["bob"]["max_running"]) == (0, 0, 0)
    assert set(rows["bob"]) == {"id", "username", "running", "cap", "max_running", "device_seconds"}


def test_only_administrators_set_a_cap_and_the_same_again_is_one_event(as_alice, as_admin, as_nobody, alice):
    address = f"people/{alice.pk}/"
    assert as_nobody.patch(address, {"max_running": 4}).status_code == 401
    assert as_alice.patch(address, {"max_running": 4}).status_code == 403
    for _ in range(2):
        answer = as_admin.patch(address, {"max_running": 4})
        assert (answer.status_code, answer.json()["cap"], answer.json()["max_running"]) == (200, 4, 4)
    assert AuditEvent.objects.filter(verb="set the cap of").count() == 1
    assert as_admin.patch(address, {"max_running": None}).json()["cap"] is None
    assert as_admin.patch("people/1000000/", {"max_running": 4}).status_code == 404
    for wrong in ({}, {"max_running": "4"}, {"max_running": -1}, {"max_running": 4, "cap": 1}):
        answer = as_admin.patch(address, wrong)
        assert answer.status_code == 400
        assert fields_of(answer)


# --- devices ---------------------------------------------------------------------------------------------------------
def test_a_device_is_reserved_and_given_back_each_twice(as_alice, as_bob, as_nobody, device_id):
    body = {"until": soon(), "reason": "a demonstration"}
    assert as_nobody.post(f"devices/{device_id}/reserve/", body).status_code == 401
    for _ in range(2):
        answer = as_alice.post(f"devices/{device_id}/reserve/", body)
        assert answer.status_code == 200
        reservation = answer.json()["devices"][0]["reservation"]
        assert (reservation["person"], reservation["reason"], reservation["made_by"]) == (
            "alice", "a demonstration", "alice",
        )  # fmt: skip
    assert AuditEvent.objects.filter(verb="reserved").count() == 1
    refused = as_bob.post(f"devices/{device_id}/reserve/", {"hours": 1, "reason": "mine"})
    assert (refused.status_code, "reserved for alice until" in refused.json()["detail"]) == (409, True)
    assert as_bob.post(f"devices/{device_id}/release/").status_code == 403
    for _ in range(2):
        answer = as_alice.post(f"devices/{device_id}/release/")
        assert (answer.status_code, answer.json()["devices"][0]["reservation"]) == (200, None)
    assert AuditEvent.objects.filter(verb="gave back").count() == 1


def test_an_administrator_reserves_for_somebody(as_admin, as_alice, device_id, bob):
    body = {"hours": 2.5, "reason": "his turn", "person": "bob"}
    assert as_alice.post(f"devices/{device_id}/reserve/", body).status_code == 403
    answer = as_admin.post(f"devices/{device_id}/reserve/", body)
    assert answer.json()["devices"][0]["reservation"]["person"] == "bob"
    assert as_admin.post(f"devices/{device_id}/release/").status_code == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"hours": 1}, "reason"),
        ({"reason": "x"}, "hours"),
        ({"hours": 1, "until": "2099-01-01T00:00:00Z", "reason": "x"}, "hours"),
        ({"hours": "1", "reason": "x"}, "hours"),
        ({"hours": True, "reason": "x"}, "hours"),
        ({"hours": 0, "reason": "x"}, "hours"),
        ({"until": "tomorrow", "reason": "x"}, "until"),
        ({"until": "2001-01-01T00:00:00Z", "reason": "x"}, "until"),
        ({"hours": 1, "reason": "x", "person": "dora"}, "person"),
        ({"hours": 1, "reason": "x", "days": 1}, "days"),
    ],
)
def test_what_is_wrong_with_a_reservation_is_named(as_admin, device_id, body, field):
    answer = as_admin.post(f"devices/{device_id}/reserve/", body)
    assert answer.status_code == 400
    assert list(fields_of(answer)) == [field]


def test_no_such_device(as_admin):
    assert as_admin.post("devices/999/reserve/", {"hours": 1, "reason": "x"}).status_code == 404
    assert as_admin.post("devices/999/release/").status_code == 404


def test_workers_tell_labels_memory_and_no_reservation_that_is_over(as_bob, as_alice, device_id):
    Host.objects.update(labels=["a100"])
    as_alice.post(f"devices/{device_id}/reserve/", {"hours": 1, "reason": "x"})
    (host,) = as_bob.get("workers/").json()["results"]
    assert (host["labels"], host["devices"][0]["memory"], host["devices"][0]["id"]) == (["a100"], 2**33, device_id)
    assert host["devices"][0]["reservation"]["person"] == "alice"
    Device.objects.update(reserved_until="2020-01-01T00:00:00Z")
    assert as_bob.get("workers/").json()["results"][0]["devices"][0]["reservation"] is None


# --- studies and trials ----------------------------------------------------------------------------------------------
def test_a_time_limit_is_set_changed_and_cloned(as_alice, alice):
    space = {"lr": {"type": "float", "low": 0, "high": 1}}
    body = {"name": "timed", "space": space, "n_trials": 3, "trial_seconds": 90, "priority": 2}
    study = as_alice.post("studies/", body).json()
    assert (study["trial_seconds"], study["priority"], study["hindrances"]) == (90, 2, [])
    address = f"studies/{study['id']}/"
    assert as_alice.post(f"{address}clone/", {}).json()["trial_seconds"] == 90
    assert as_alice.patch(address, {"trial_seconds": 60}).json()["trial_seconds"] == 60
    assert as_alice.patch(address, {"trial_seconds": None}).json()["trial_seconds"] is None
    for wrong in (0, "60", 1.5, 10**9):
        answer = as_alice.patch(address, {"trial_seconds": wrong})
        assert (answer.status_code, list(fields_of(answer))) == (400, ["trial_seconds"])


def test_a_script_learns_its_deadline_and_that_it_missed_it(as_alice, alice):
    study = make_study(alice, started=True, trial_seconds=60)
    (asked,) = as_alice.post(f"studies/{study.pk}/ask/").json()["trials"]
    left = datetime.fromisoformat(asked["deadline"]) - datetime.now(UTC)
    assert left.total_seconds() == pytest.approx(60, abs=20)
    Trial.objects.update(deadline="2020-01-01T00:00:00Z")
    point = {"lease": asked["lease"], "step": 1, "metrics": {"validation/loss": 0.5}}
    for _ in range(2):
        answer = as_alice.post(f"trials/{asked['id']}/report/", point)
        assert (answer.status_code, answer.json()["type"]) == (409, "urn:hpweb:problem:stale-lease")
        assert "missed its deadline" in answer.json()["detail"]
    trial = as_alice.get(f"trials/{asked['id']}/").json()
    assert (trial["state"], trial["reason_code"], trial["deadline"]) == ("FAILED", "deadline", None)
    assert trial["run_seconds"] >= 0


def test_a_study_says_what_hinders_it(as_bob, alice, settings):
    study = make_study(alice, started=True, workload="tiny")
    assert [row["rule"] for row in as_bob.get(f"studies/{study.pk}/").json()["hindrances"]] == ["no-worker"]
    make_running(study, make_slot())
    settings.MAX_RUNNING = 1
    (row,) = as_bob.get(f"studies/{study.pk}/").json()["hindrances"]
    assert (row["rule"], row["severity"]) == ("cap", "info")
    assert "1 trial of alice runs, as many as the cap of alice allows" in row["message"]
    Study.objects.update(parallel=1)
    assert as_bob.get(f"studies/{study.pk}/").json()["hindrances"] == []
