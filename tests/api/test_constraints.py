"""Limits on the model over REST."""

import csv
import io

import pytest

from tests.factories import make_running, make_workload
from tuning.models import Study
from tuning.services.endings import prune_trial
from tuning.services.lifecycle import start_study

pytestmark = pytest.mark.django_db


def created(as_alice, **more):
    make_workload("tiny")
    return as_alice.post("studies/", {"name": "small", "workload": "tiny", "n_trials": 5, **more})


def test_they_are_given_at_the_creation_and_read_again(as_alice):
    answer = created(as_alice, constraints={"parameters": 1e5, "memory": "2 GB"})
    assert answer.status_code == 201
    assert answer.json()["constraints"] == {"parameters": 100_000, "memory": 2 * 10**9}
    assert created(as_alice, name="free").json()["constraints"] == {}


def test_a_wrong_one_is_named(as_alice):
    answer = created(as_alice, constraints={"parameters": "many", "layers": 3})
    assert answer.status_code == 400
    fields = answer.json()["errors"]
    assert "no limit of parameters" in str(fields) and "constraints.layers" in str(fields)


def test_they_change_and_are_taken_away(as_alice):
    study = created(as_alice, constraints={"parameters": 1000}).json()["id"]
    changed = as_alice.patch(f"studies/{study}/", {"constraints": {"flops": 1e6}})
    assert changed.json()["constraints"] == {"flops": 10**6}
    assert as_alice.patch(f"studies/{study}/", {"constraints": None}).json()["constraints"] == {}


def test_an_infeasible_trial_is_marked_and_counted_apart(as_alice, alice):
    number = created(as_alice, constraints={"parameters": 1000}).json()["id"]
    start_study(study_id=number, actor=alice)
    trial = make_running(Study.objects.get(pk=number))
    facts = {"footprint": {"parameters": 1500}}
    prune_trial(trial_id=trial.pk, fence=1, constraints=[0.5], facts=facts, reason="infeasible: 1,500 parameters")
    counts = as_alice.get(f"studies/{number}/").json()["counts"]
    assert (counts["pruned"], counts["infeasible"]) == (1, 1)
    (row,) = as_alice.get(f"studies/{number}/trials/").json()["results"]
    assert (row["state"], row["infeasible"], row["value"]) == ("PRUNED", True, None)
    detail = as_alice.get(f"trials/{trial.pk}/").json()
    assert (detail["constraints"], detail["facts"]["footprint"]) == ([0.5], {"parameters": 1500})
    table = as_alice.get(f"studies/{number}/export/?format=csv")
    (line,) = csv.DictReader(io.StringIO(b"".join(table.streaming_content).decode()))
    assert (line["state"], line["infeasible"], line["value"]) == ("PRUNED", "True", "")
