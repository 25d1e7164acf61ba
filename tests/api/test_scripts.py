"""POST studies/{id}/ask|enqueue/, trials/{id}/suggest|report|heartbeat|tell/."""

import math
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests.api.conftest import Api, fields_of
from tests.factories import make_study
from tuning.models import Attempt, SealedMetric, Study, Trial
from tuning.selectors.curves import trial_curves

STALE = "urn:hpweb:problem:stale-lease"


@pytest.fixture
def asked(as_alice: Api, running: Study) -> dict[str, Any]:
    """A trial that Alice's script has asked for."""
    trial: dict[str, Any] = as_alice.post(f"studies/{running.pk}/ask/").json()["trials"][0]
    return trial


# --- ask ----------------------------------------------------------------------------------------------------
def test_ask_gives_trials_with_parameters_and_leases(as_alice, running):
    answer = as_alice.post(f"studies/{running.pk}/ask/", {"n": 3})
    assert answer.status_code == 200
    trials = answer.json()["trials"]
    assert [trial["number"] for trial in trials] == [0, 1, 2]
    assert len({trial["lease"] for trial in trials}) == 3
    for trial in trials:
        assert 1e-5 <= trial["params"]["lr"] <= 0.1
        assert ("momentum" in trial["params"]) == (trial["params"]["optimizer"] == "sgd")
        assert (trial["resource"], trial["resume_step"], trial["lease_seconds"]) == (5, 0, 30.0)
        row = Trial.objects.get(pk=trial["id"])
        assert row.state == "RUNNING"
        assert trial["lease"] not in row.lease_hash


def test_ask_without_a_body_gives_one_trial(as_alice, running):
    assert len(as_alice.post(f"studies/{running.pk}/ask/").json()["trials"]) == 1


def test_ask_gives_fewer_where_parallel_or_budget_ends(as_alice, alice):
    narrow = make_study(alice, started=True, parallel=2)
    assert len(as_alice.post(f"studies/{narrow.pk}/ask/", {"n": 5}).json()["trials"]) == 2
    assert as_alice.post(f"studies/{narrow.pk}/ask/").json() == {"trials": []}
    short = make_study(alice, started=True, n_trials=1)
    assert len(as_alice.post(f"studies/{short.pk}/ask/", {"n": 4}).json()["trials"]) == 1


@pytest.mark.parametrize("n", [0, 101, "1", 1.5, True, None, [1]])
def test_ask_refuses_a_wrong_number(as_alice, running, n):
    answer = as_alice.post(f"studies/{running.pk}/ask/", {"n": n})
    assert answer.status_code == 400
    assert "n" in fields_of(answer)
    assert not Trial.objects.exists()


def test_ask_is_refused_to_mates_strangers_and_nobody(as_bob, as_charlie, as_nobody, running, private):
    assert as_bob.post(f"studies/{running.pk}/ask/").status_code == 403
    assert as_charlie.post(f"studies/{private.pk}/ask/").status_code == 404
    assert as_nobody.post(f"studies/{running.pk}/ask/").status_code == 401
    assert not Trial.objects.exists()


def test_ask_needs_a_running_study_whose_trials_scripts_run(as_alice, alice, study):
    answer = as_alice.post(f"studies/{study.pk}/ask/")
    assert answer.status_code == 409
    assert "ready" in answer.json()["detail"]
    on_workers = make_study(alice, workload="tiny", started=True)
    answer = as_alice.post(f"studies/{on_workers.pk}/ask/")
    assert answer.status_code == 409
    assert "'tiny'" in answer.json()["detail"]


# --- enqueue ------------------------------------------------------------------------------------------------
def test_enqueue_is_the_next_trial_and_the_rest_is_sampled(as_alice, running):
    answer = as_alice.post(f"studies/{running.pk}/enqueue/", {"params": {"lr": 0.01, "optimizer": "adamw"}})
    assert answer.status_code == 201
    assert (answer.json()["state"], answer.json()["origin"]) == ("WAITING", "enqueued")
    trial = as_alice.post(f"studies/{running.pk}/ask/").json()["trials"][0]
    assert trial["id"] == answer.json()["id"]
    assert trial["params"] == {"lr": 0.01, "optimizer": "adamw"}


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"lr": 5.0}, "params.lr"),
        ({"optimizer": "rmsprop"}, "params.optimizer"),
        ({"unknown": 1}, "params.unknown"),
        ([1], "params"),
        (None, "params"),
    ],
)
def test_enqueue_names_the_parameter_that_is_wrong(as_alice, running, params, field):
    answer = as_alice.post(f"studies/{running.pk}/enqueue/", {"params": params})
    assert answer.status_code == 400
    assert field in fields_of(answer)
    assert not Trial.objects.exists()


def test_enqueue_is_refused_to_others_and_to_ended_studies(
    as_alice, as_bob, as_charlie, as_nobody, running, private
):
    body = {"params": {"lr": 0.01}}
    assert as_bob.post(f"studies/{running.pk}/enqueue/", body).status_code == 403
    assert as_charlie.post(f"studies/{private.pk}/enqueue/", body).status_code == 404
    assert as_nobody.post(f"studies/{running.pk}/enqueue/", body).status_code == 401
    as_alice.post(f"studies/{running.pk}/stop/")
    answer = as_alice.post(f"studies/{running.pk}/enqueue/", body)
    assert answer.status_code == 409
    assert "stopped" in answer.json()["detail"]
    assert not Trial.objects.exists()


# --- suggest ------------------------------------------------------------------------------------------------
def test_suggest_draws_a_new_name_once(as_alice, asked):
    body = {
        "lease": asked["lease"],
        "name": "warmup",
        "distribution": {"type": "int", "low": 1, "high": 1000},
    }
    first = as_alice.post(f"trials/{asked['id']}/suggest/", body)
    assert first.status_code == 200
    assert 1 <= first.json()["value"] <= 1000
    assert as_alice.post(f"trials/{asked['id']}/suggest/", body).json() == first.json()
    assert Trial.objects.get(pk=asked["id"]).params["warmup"] == first.json()["value"]


def test_suggest_keeps_the_value_of_a_name_that_the_space_has(as_alice, asked):
    distribution = {"type": "float", "low": 1e-5, "high": 0.1, "log": True}
    body = {"lease": asked["lease"], "name": "lr", "distribution": distribution}
    assert as_alice.post(f"trials/{asked['id']}/suggest/", body).json()["value"] == asked["params"]["lr"]


@pytest.mark.parametrize(
    "changes",
    [
        {"distribution": {"type": "float", "low": 2.0, "high": 1.0}},
        {"distribution": {"type": "colour"}},
        {"distribution": {}},
        {"distribution": "float"},
        {"name": ""},
        {"name": 4},
        {"name": "x" * 121},
        {"low": 1},
        {"lease": None},
    ],
)
def test_suggest_refuses_bad_input(as_alice, asked, changes):
    body = {
        "lease": asked["lease"],
        "name": "warmup",
        "distribution": {"type": "int", "low": 1, "high": 9},
        **changes,
    }
    answer = as_alice.post(f"trials/{asked['id']}/suggest/", body)
    assert answer.status_code == 400
    assert fields_of(answer)
    assert "warmup" not in Trial.objects.get(pk=asked["id"]).params


# --- report -------------------------------------------------------------------------------------------------
def test_report_stores_metrics_and_says_continue(as_alice, asked):
    body = {"lease": asked["lease"], "step": 1, "metrics": {"train/loss": 0.5, "validation/loss": 1}}
    answer = as_alice.post(f"trials/{asked['id']}/report/", body)
    assert answer.status_code == 200
    assert answer.json() == {"decision": "continue"}
    curves = trial_curves(Trial.objects.get(pk=asked["id"]))
    assert curves["validation/loss"].values == [1.0]
    assert curves["train/loss"].steps == [1]


def test_report_takes_a_list(as_alice, asked):
    points = [
        {"lease": asked["lease"], "step": step, "metrics": {"validation/loss": 1.0 / step}}
        for step in (1, 2, 3)
    ]
    assert as_alice.post(f"trials/{asked['id']}/report/", points).status_code == 200
    trial = Trial.objects.get(pk=asked["id"])
    assert trial_curves(trial)["validation/loss"].steps == [1, 2, 3]
    assert trial.resource_done == 3


def test_the_same_report_again_changes_nothing(as_alice, asked):
    body = {"lease": asked["lease"], "step": 1, "metrics": {"validation/loss": 0.5}}
    for _ in range(2):
        assert as_alice.post(f"trials/{asked['id']}/report/", body).status_code == 200
    assert trial_curves(Trial.objects.get(pk=asked["id"]))["validation/loss"].values == [0.5]


def test_report_takes_values_that_are_not_finite_as_words(as_alice, asked):
    metrics = {"a": "nan", "b": "inf", "c": "-inf", "d": {"$f": "nan"}}
    body = {"lease": asked["lease"], "step": 1, "metrics": metrics}
    assert as_alice.post(f"trials/{asked['id']}/report/", body).status_code == 200
    curves = trial_curves(Trial.objects.get(pk=asked["id"]))
    assert math.isnan(curves["a"].values[0])
    assert math.isnan(curves["d"].values[0])
    assert (curves["b"].values[0], curves["c"].values[0]) == (math.inf, -math.inf)
    shown = as_alice.get(f"trials/{asked['id']}/curves/").json()["curves"]
    assert [shown[name]["values"] for name in "abcd"] == [["nan"], ["inf"], ["-inf"], ["nan"]]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"step": -1}, "step"),
        ({"step": 1.5}, "step"),
        ({"step": 2**31}, "step"),
        ({"metrics": {}}, "metrics"),
        ({"metrics": {"loss": "NaN"}}, "metrics.loss"),
        ({"metrics": {"loss": None}}, "metrics.loss"),
        ({"metrics": {"loss": True}}, "metrics.loss"),
        ({"metrics": {"loss": 10**400}}, "metrics.loss"),
        ({"metrics": {"loss": {"$f": "zero"}}}, "metrics.loss"),
        ({"metrics": {"": 1.0}}, "metrics"),
        ({"metrics": {"x" * 121: 1.0}}, "metrics"),
        ({"metrics": [1.0]}, "metrics"),
        ({"value": 1.0}, "value"),
        ({"lease": 3}, "lease"),
    ],
)
def test_report_names_what_is_wrong(as_alice, asked, changes, field):
    body = {"lease": asked["lease"], "step": 1, "metrics": {"validation/loss": 0.5}, **changes}
    answer = as_alice.post(f"trials/{asked['id']}/report/", body)
    assert answer.status_code == 400
    assert field in fields_of(answer)
    assert trial_curves(Trial.objects.get(pk=asked["id"])) == {}


def test_a_list_of_reports_names_the_one_that_is_wrong_and_stores_none(as_alice, asked):
    good = {"lease": asked["lease"], "step": 1, "metrics": {"validation/loss": 0.5}}
    answer = as_alice.post(f"trials/{asked['id']}/report/", [good, {**good, "step": "2"}])
    assert fields_of(answer) == {"1.step": "Send an integer; this is a string."}
    answer = as_alice.post(f"trials/{asked['id']}/report/", [good, {**good, "lease": "other"}])
    assert "same lease" in fields_of(answer)["lease"]
    assert as_alice.post(f"trials/{asked['id']}/report/", []).status_code == 400
    assert trial_curves(Trial.objects.get(pk=asked["id"])) == {}


# --- heartbeat ----------------------------------------------------------------------------------------------
def test_heartbeat_renews_the_lease(as_alice, asked):
    Trial.objects.filter(pk=asked["id"]).update(lease_until=timezone.now() + timedelta(seconds=1))
    answer = as_alice.post(f"trials/{asked['id']}/heartbeat/", {"lease": asked["lease"]})
    assert answer.status_code == 204
    assert answer.content == b""
    assert Trial.objects.get(pk=asked["id"]).lease_until > timezone.now() + timedelta(seconds=20)


def test_a_metric_of_the_test_set_is_taken_and_shown_to_nobody(as_alice, asked, running):
    assert as_alice.get(f"studies/{running.pk}/").json()["seal"]["state"] == "none"
    body = {"lease": asked["lease"], "step": 1, "metrics": {"validation/loss": 0.5, "test/accuracy": 0.918273}}
    for _ in range(2):
        assert as_alice.post(f"trials/{asked['id']}/report/", body).json()["decision"] == "continue"
    assert SealedMetric.objects.get().value == 0.918273
    assert list(as_alice.get(f"trials/{asked['id']}/curves/").json()["curves"]) == ["validation/loss"]
    seal = as_alice.get(f"studies/{running.pk}/").json()["seal"]
    assert (seal["state"], seal["metrics"]) == ("declared", ["test/accuracy"])


# --- tell ---------------------------------------------------------------------------------------------------
def tell(api: Api, asked: dict[str, Any], **body: Any) -> Any:
    return api.post(f"trials/{asked['id']}/tell/", {"lease": asked["lease"], **body})


def test_tell_a_value_completes_the_trial_and_makes_it_the_best(as_alice, asked, running):
    answer = tell(as_alice, asked, value=0.25)
    assert answer.status_code == 200
    assert (answer.json()["state"], answer.json()["value"]) == ("COMPLETE", 0.25)
    running.refresh_from_db()
    assert running.best_trial_id == asked["id"]
    assert Attempt.objects.get(trial=asked["id"]).ended is not None


def test_tell_without_a_value_takes_the_reported_metric(as_alice, asked):
    for step, loss in enumerate([0.5, 0.2, 0.3], start=1):
        body = {"lease": asked["lease"], "step": step, "metrics": {"validation/loss": loss}}
        as_alice.post(f"trials/{asked['id']}/report/", body)
    document = tell(as_alice, asked).json()
    assert (document["state"], document["value"], document["value_step"]) == ("COMPLETE", 0.2, 2)


def test_tell_failed_keeps_the_reason(as_alice, asked):
    document = tell(as_alice, asked, state="failed", reason="out_of_memory").json()
    assert (document["state"], document["reason_code"]) == ("FAILED", "out_of_memory")


def test_tell_failed_in_own_words_is_an_error_of_the_code(as_alice, asked):
    document = tell(as_alice, asked, state="failed", reason="KeyError: 'x'").json()
    assert (document["reason_code"], document["reason"]) == ("code_error", "KeyError: 'x'")


def test_tell_pruned_and_infeasible(as_alice, asked, running):
    document = tell(as_alice, asked, state="pruned", constraints=[-1.0, 0.5]).json()
    assert (document["state"], document["value"]) == ("PRUNED", None)
    other = as_alice.post(f"studies/{running.pk}/ask/").json()["trials"][0]
    assert tell(as_alice, other, value=0.1, constraints=[2]).json()["state"] == "PRUNED"
    assert as_alice.get(f"trials/{other['id']}/").json()["infeasible"] is True


def test_tell_a_value_that_is_not_finite_fails_the_trial(as_alice, asked):
    document = tell(as_alice, asked, value="nan").json()
    assert (document["state"], document["reason_code"], document["value"]) == ("FAILED", "diverged", "nan")


@pytest.mark.parametrize(
    "body", [{"value": 0.25}, {"state": "failed", "reason": "diverged"}, {"state": "pruned"}]
)
def test_the_same_tell_again_changes_nothing(as_alice, asked, running, body):
    first = tell(as_alice, asked, **body).json()
    version = Study.objects.get(pk=running.pk).history_version
    again = tell(as_alice, asked, **body)
    assert again.status_code == 200
    assert again.json() == first
    assert Study.objects.get(pk=running.pk).history_version == version


def test_another_tell_is_a_conflict(as_alice, asked):
    tell(as_alice, asked, value=0.25)
    answer = tell(as_alice, asked, value=0.5)
    assert answer.status_code == 409
    assert "0.25" in answer.json()["detail"]
    assert Trial.objects.get(pk=asked["id"]).value == 0.25


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"value": "0.5"}, "value"),
        ({"value": [0.5]}, "value"),
        ({"state": "done"}, "state"),
        ({"state": "FAILED"}, "state"),
        ({"value": 0.5, "state": "failed"}, "value"),
        ({"constraints": 1.0}, "constraints"),
        ({"constraints": ["high"]}, "constraints.0"),
        ({"reason": 5}, "reason"),
        ({"values": [0.5]}, "values"),
    ],
)
def test_tell_names_what_is_wrong(as_alice, asked, body, field):
    answer = tell(as_alice, asked, **body)
    assert answer.status_code == 400
    assert field in fields_of(answer)
    assert Trial.objects.get(pk=asked["id"]).state == "RUNNING"


# --- all of them: who, and with which lease -----------------------------------------------------------------
BODIES: dict[str, dict[str, Any]] = {
    "suggest": {"name": "warmup", "distribution": {"type": "int", "low": 1, "high": 9}},
    "report": {"step": 1, "metrics": {"validation/loss": 0.5}},
    "heartbeat": {},
    "tell": {"value": 0.5},
}


@pytest.mark.parametrize("verb", BODIES)
def test_only_the_owner_uses_a_lease(as_alice, as_bob, as_charlie, as_nobody, asked, running, private, verb):
    body = {"lease": asked["lease"], **BODIES[verb]}
    address = f"trials/{asked['id']}/{verb}/"
    answer = as_bob.post(address, body)
    assert answer.status_code == 403
    assert "alice" in answer.json()["detail"]
    assert as_nobody.post(address, body).status_code == 401
    Study.objects.filter(pk=running.pk).update(visibility="private")
    assert as_charlie.post(address, body).status_code == 404
    assert as_bob.post(address, body).status_code == 404
    trial = Trial.objects.get(pk=asked["id"])
    assert (trial.state, trial.resource_done) == ("RUNNING", 0)


@pytest.mark.parametrize("verb", BODIES)
def test_a_wrong_lease_is_told_apart_from_other_conflicts(as_alice, asked, verb):
    answer = as_alice.post(f"trials/{asked['id']}/{verb}/", {"lease": "wrong", **BODIES[verb]})
    assert answer.status_code == 409
    assert answer.json()["type"] == STALE
    assert Trial.objects.get(pk=asked["id"]).state == "RUNNING"


@pytest.mark.parametrize("verb", BODIES)
def test_a_lease_ends_with_a_pause_of_the_study(as_alice, asked, running, verb):
    as_alice.post(f"studies/{running.pk}/pause/")
    answer = as_alice.post(f"trials/{asked['id']}/{verb}/", {"lease": asked["lease"], **BODIES[verb]})
    assert (answer.status_code, answer.json()["type"]) == (409, STALE)
    assert Trial.objects.get(pk=asked["id"]).state == "WAITING"


@pytest.mark.parametrize("verb", BODIES)
def test_a_lease_is_required_and_the_trial_must_exist(as_alice, asked, verb):
    answer = as_alice.post(f"trials/{asked['id']}/{verb}/", BODIES[verb])
    assert answer.status_code == 400
    assert "lease" in fields_of(answer)
    assert (
        as_alice.post(f"trials/{asked['id'] + 1}/{verb}/", {"lease": "x", **BODIES[verb]}).status_code == 404
    )
    assert as_alice.get(f"trials/{asked['id']}/{verb}/").status_code == 405


def test_a_trial_taken_up_again_has_another_lease(as_alice, asked, running):
    as_alice.post(f"studies/{running.pk}/pause/")
    as_alice.post(f"studies/{running.pk}/resume/")
    again = as_alice.post(f"studies/{running.pk}/ask/").json()["trials"][0]
    assert again["id"] == asked["id"]
    assert again["lease"] != asked["lease"]
    assert tell(as_alice, asked, value=0.5).status_code == 409
    assert tell(as_alice, again, value=0.5).status_code == 200
