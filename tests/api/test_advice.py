"""The budget advisor over REST: its method creates a study, and what cannot be answered says why."""

import pytest

from tests.api.conftest import fields_of
from tests.factories import SPACE, make_running, make_study, make_workload, report
from tuning.models import Preflight
from tuning.services.endings import complete_trial

pytestmark = pytest.mark.django_db


def test_the_advised_method_creates_a_study(as_alice):
    make_workload("tiny", max_resource=27)
    Preflight.objects.update(facts={"seconds_per_epoch": 2.0})
    found = as_alice.post("advice/", {"workload": "tiny", "device_seconds": 7200, "slots": 2}).json()
    assert found["method"]["scheduler"] == "hyperband"
    assert 0.2 <= found["reserve"]["share"] < 1
    assert found["forecast"]["device_seconds"]["expected"] <= 7200
    assert {one["method"]["scheduler"] for one in found["alternatives"]} >= {"asha", "none", "median"}
    assert found["early"] is None
    method = {name: value for name, value in found["method"].items() if value is not None}
    created = as_alice.post("studies/", {"name": "advised", "workload": "tiny", **method})
    assert created.status_code == 201
    assert created.json()["device_seconds"] == method["device_seconds"]


def test_a_space_alone_and_a_number_of_trainings_are_enough(as_alice):
    found = as_alice.post("advice/", {"space": SPACE, "trials": 30, "slots": 1}).json()
    assert (found["method"]["scheduler"], found["speed"]) == ("none", None)
    assert found["forecast"]["trials"] <= 24, "a fifth is kept back"


def test_what_cannot_be_answered_names_the_field(as_alice):
    refused = as_alice.post("advice/", {"space": SPACE, "trials": 1})
    assert refused.status_code == 400
    assert "at least" in fields_of(refused)["budget"]
    assert "budget" in fields_of(as_alice.post("advice/", {"space": SPACE, "seconds": 60}))
    assert "space" in fields_of(as_alice.post("advice/", {"trials": 30}))
    assert "no workload named" in fields_of(as_alice.post("advice/", {"workload": "nobody", "trials": 30}))["workload"]


def test_how_early_results_rank_is_told_with_the_study_that_says_so(as_alice, alice):
    make_workload("tiny", max_resource=27)
    study = make_study(alice, workload="tiny", n_trials=5, started=True)
    for number in range(5):
        trial = make_running(study)
        report(trial, [1.0 + number] * 27)
        complete_trial(trial_id=trial.pk, fence=trial.fence)
    early = as_alice.post("advice/", {"workload": "tiny", "trials": 50, "slots": 1}).json()["early"]
    assert (early["study"], early["n_trials"]) == (study.pk, 5)
    assert [(one["step"], one["n"]) for one in early["agreements"]] == [(1, 5), (3, 5), (9, 5)]
