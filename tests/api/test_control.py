"""cancel, retry, exclude, include; extend, clone, spaces; drain, undrain: each twice, and who may."""

import pytest

from tests.api.conftest import fields_of
from tests.factories import SPACE, make_running, make_slot, make_study, report
from tuning.models import AuditEvent, Host, Study, Trial
from tuning.services.endings import complete_trial, fail_trial

WHY = "trained on the wrong data"
NARROW = {**SPACE, "lr": {"type": "float", "low": 1e-3, "high": 0.1, "log": True}}
TRIAL_CALLS = {"cancel": None, "retry": None, "exclude": {"reason": WHY}, "include": None}


def ended(study, value):
    trial = make_running(study)
    report(trial, [value])
    complete_trial(trial_id=trial.pk, fence=trial.fence)
    return trial


def failed(study):
    trial = make_running(study)
    fail_trial(trial_id=trial.pk, fence=trial.fence, reason_code="code_error", reason="it broke")
    return trial


def twice(api, path, body=None, status=200):
    """The answer to a call, which is the same to its repetition; the repetition leaves no event."""
    first = api.post(path, body)
    assert first.status_code == status, first.content
    events = AuditEvent.objects.count()
    again = api.post(path, body)
    assert again.status_code == status
    assert _timeless(again.json()) == _timeless(first.json())
    assert AuditEvent.objects.count() == events
    return first.json()


def _timeless(document):
    """Without the age of a host's heartbeat."""
    return {name: value for name, value in document.items() if name != "age_seconds"}


def test_cancel(as_alice, running):
    answer = twice(as_alice, f"trials/{make_running(running).pk}/cancel/")
    assert (answer["state"], answer["reason_code"], answer["reason"]) == ("FAILED", "cancelled", "cancelled by alice")


def test_retry_answers_with_the_new_trial(as_alice, running):
    old = failed(running)
    answer = twice(as_alice, f"trials/{old.pk}/retry/")
    assert (answer["number"], answer["state"], answer["clone_of"]) == (1, "WAITING", old.pk)
    assert (answer["origin"], answer["params"]) == ("retry", old.params)


def test_what_cannot_be_retried_is_a_conflict_with_the_remedy(as_alice, alice):
    study = make_study(alice, started=True, n_trials=2)
    answer = as_alice.post(f"trials/{ended(study, 0.5).pk}/retry/")
    assert (answer.status_code, "queue its configuration" in answer.json()["detail"]) == (409, True)
    answer = as_alice.post(f"trials/{failed(study).pk}/retry/")
    assert (answer.status_code, "extend the study to 3 trials" in answer.json()["detail"]) == (409, True)


def test_exclude_and_include(as_alice, running):
    best, other = ended(running, 0.1), ended(running, 0.2)
    answer = twice(as_alice, f"trials/{best.pk}/exclude/", {"reason": WHY})
    assert (answer["excluded"]["by"], answer["excluded"]["reason"], answer["value"]) == ("alice", WHY, 0.1)
    study, board = f"studies/{running.pk}/", f"studies/{running.pk}/leaderboard/"
    assert [row["id"] for row in as_alice.get(board).json()["results"]] == [other.pk]
    assert as_alice.get(study).json()["best_trial"]["id"] == other.pk
    listed = as_alice.get(f"studies/{running.pk}/trials/").json()["results"]
    assert [bool(row["excluded"]) for row in listed] == [True, False]
    assert twice(as_alice, f"trials/{best.pk}/include/")["excluded"] is None
    assert as_alice.get(study).json()["best_trial"]["id"] == best.pk


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "  "}, {"reason": 3}, {"reason": "x" * 501}])
def test_an_exclusion_needs_a_reason(as_alice, running, body):
    answer = as_alice.post(f"trials/{ended(running, 0.1).pk}/exclude/", body)
    assert answer.status_code == 400
    assert set(fields_of(answer)) == {"reason"}


@pytest.mark.parametrize("turn", TRIAL_CALLS)
def test_only_the_owner_and_administrators_change_trials(
    as_alice, as_bob, as_charlie, as_nobody, as_admin, running, private, turn
):
    trial = failed(running)
    Study.objects.filter(pk=private.pk).update(state="RUNNING")
    hidden = failed(private)
    path, body = f"trials/{trial.pk}/{turn}/", TRIAL_CALLS[turn]
    answer = as_bob.post(path, body)
    assert (answer.status_code, "alice" in answer.json()["detail"]) == (403, True)
    assert as_charlie.post(f"trials/{hidden.pk}/{turn}/", body).status_code == 404
    assert as_nobody.post(path, body).status_code == 401
    assert as_alice.post(f"trials/{10**9}/{turn}/", body).status_code == 404
    assert Trial.objects.count() == 2
    assert as_admin.post(path, body).status_code == 200


def test_extend(as_alice, alice):
    study = make_study(alice, started=True, n_trials=1)
    ended(study, 0.5)
    assert as_alice.get(f"studies/{study.pk}/").json()["state"] == "FINISHED"
    answer = twice(as_alice, f"studies/{study.pk}/extend/", {"n_trials": 3, "parallel": 2})
    assert (answer["state"], answer["n_trials"], answer["parallel"], answer["finished"]) == ("RUNNING", 3, 2, None)
    ended(study, 0.4)
    refused = as_alice.post(f"studies/{study.pk}/extend/", {"n_trials": 1})
    assert refused.status_code == 400
    assert "or stop the study" in fields_of(refused)["n_trials"]
    assert set(fields_of(as_alice.post(f"studies/{study.pk}/extend/", {}))) == {"n_trials"}


def test_clone(as_alice, as_bob, running):
    body = {"name": "narrower", "space": NARROW, "n_trials": 4}
    answer = twice(as_alice, f"studies/{running.pk}/clone/", body, status=201)
    assert (answer["clone_of"], answer["state"], answer["n_trials"]) == (running.pk, "READY", 4)
    assert (answer["space"], answer["seed"], answer["owner"]) == (NARROW, running.seed, "alice")
    theirs = twice(as_bob, f"studies/{running.pk}/clone/", {}, status=201)
    assert (theirs["name"], theirs["owner"], theirs["space"]) == (f"{running.name}, clone", "bob", SPACE)
    taken = as_alice.post(f"studies/{running.pk}/clone/", {**body, "n_trials": 5})
    assert (taken.status_code, set(fields_of(taken))) == (400, {"name"})


def test_spaces(as_alice, running):
    ended(running, 0.5)
    Trial.objects.update(params={"lr": 1e-4, "optimizer": "adamw"})
    path = f"studies/{running.pk}/spaces/"
    first = as_alice.get(path).json()
    assert [(row["number"], row["n_trials"], row["is_current"]) for row in first["results"]] == [(1, 1, True)]
    assert first["fit"] == {"n_finished": 1, "n_fitting": 1, "left_out": {}}
    answer = twice(as_alice, path, {"space": NARROW, "reason": "too low"})
    row = answer["results"][0]
    assert (row["number"], row["first_trial"], row["reason"], row["author"]) == (2, 1, "too low", "alice")
    assert (row["space"], row["is_current"], answer["fit"]["n_fitting"]) == (NARROW, True, 0)
    assert list(answer["fit"]["left_out"].values()) == [1]
    assert as_alice.get(f"studies/{running.pk}/").json()["space_version"] == 2
    wider = {**SPACE, "dropout": {"type": "float", "low": 0.0, "high": 0.5}}
    answer = twice(as_alice, path, {"space": wider, "assumed": {"dropout": 0.1}})
    assert (answer["results"][0]["assumed"], answer["fit"]["n_fitting"]) == ({"dropout": 0.1}, 1)


def test_ranges_that_are_wrong_name_the_field(as_alice, running):
    path = f"studies/{running.pk}/spaces/"
    wrong = as_alice.post(path, {"space": {"lr": {"type": "float", "low": 2, "high": 1}}})
    assert (wrong.status_code, list(fields_of(wrong))) == (400, ["space.lr.high"])
    wrong = as_alice.post(path, {"space": NARROW, "assumed": {"lr": 9.0}})
    assert (wrong.status_code, list(fields_of(wrong))) == (400, ["assumed.lr"])
    assert list(fields_of(as_alice.post(path, {}))) == ["space"]


@pytest.mark.parametrize(
    ("turn", "body", "mates"),
    [("extend", {"n_trials": 20}, 403), ("spaces", {"space": NARROW}, 403), ("clone", {}, 201)],
)
def test_who_may_change_studies(as_bob, as_charlie, as_nobody, as_admin, running, private, turn, body, mates):
    """Whoever may look at a study may clone it: the clone is their own."""
    assert as_bob.post(f"studies/{running.pk}/{turn}/", body).status_code == mates
    assert as_charlie.post(f"studies/{private.pk}/{turn}/", body).status_code == 404
    assert as_nobody.post(f"studies/{running.pk}/{turn}/", body).status_code == 401
    assert as_admin.post(f"studies/{running.pk}/{turn}/", body).status_code in (200, 201)


def test_drain_and_undrain(as_admin, as_alice, as_nobody):
    host = make_slot().device.host
    path = f"workers/{host.pk}/"
    answer = twice(as_admin, f"{path}drain/")
    assert (answer["id"], answer["draining"], answer["evacuating"], answer["drained_by"]) == (
        host.pk,
        True,
        False,
        "admin",
    )
    assert twice(as_admin, f"{path}drain/", {"now": True})["evacuating"] is True
    assert as_alice.get("workers/").json()["results"][0]["drained_by"] == "admin"
    for turn in ("drain", "undrain"):
        assert as_alice.post(f"{path}{turn}/").status_code == 403
        assert as_nobody.post(f"{path}{turn}/").status_code == 401
        assert as_admin.post(f"workers/{10**9}/{turn}/").status_code == 404
    answer = twice(as_admin, f"{path}undrain/")
    assert (answer["draining"], answer["evacuating"], answer["drained_by"]) == (False, False, "")
    assert Host.objects.get().draining is False
