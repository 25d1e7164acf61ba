"""GET workloads/, samplers/, schedulers/, workers/."""

import pytest

from tests.factories import make_place, make_running, make_slot, make_study, make_workload
from tuning.models import Study
from tuning.services.jobs import claim_job, request_describe, request_job
from tuning.services.offerings import note_found

LISTS = ["workloads", "samplers", "schedulers", "workers"]


def test_workloads_hold_their_description_and_broken_ones_their_error(as_bob):
    make_workload("tiny")
    make_workload("broken", error="SyntaxError: invalid syntax", space=None)
    rows = as_bob.get("workloads/").json()["results"]
    assert [row["name"] for row in rows] == ["tiny", "broken"]
    assert rows[0]["document"]["max_resource"] == 5
    assert rows[0]["document"]["space"]["lr"]["log"] is True
    assert rows[1]["error"] == "SyntaxError: invalid syntax"


def test_samplers_and_schedulers_are_those_that_a_study_may_name(as_bob):
    samplers = as_bob.get("samplers/").json()["results"]
    assert [row["name"] for row in samplers][:3] == ["auto", "random", "grid"]
    assert all(row["title"] and row["summary"] for row in samplers)
    schedulers = as_bob.get("schedulers/").json()["results"]
    assert schedulers[0]["name"] == "none"
    assert schedulers[0]["needs_max_resource"] is False


def test_workers_show_what_runs_on_each_slot_and_what_waits(as_bob, alice):
    slot = make_slot("host-1", slots=3)
    study = make_study(alice, workload="tiny", started=True)
    trial = make_running(study, slot)
    request_job(kind="preflight", actor=alice)
    claim_job(slot=make_slot("host-1", slots=3, index=1))
    request_describe(actor=alice)
    claim_job(slot=make_place("quick", "host-1", slots=3))
    document = as_bob.get("workers/").json()
    host = document["results"][0]
    assert (host["name"], host["alive"], host["draining"], host["facts"]) == (
        "host-1",
        True,
        False,
        {"cores": 2},
    )
    assert host["age_seconds"] < 15
    device = host["devices"][0]
    assert (device["kind"], device["memory"]) == ("CPU, 2 cores", 8 * 2**30)
    assert device["slots"] == [
        {"index": 0, "trial": trial.pk, "study": study.pk, "job": None},
        {"index": 1, "trial": None, "study": None, "job": "preflight"},
        {"index": 2, "trial": None, "study": None, "job": None},
    ]
    assert host["places"] == [{"lane": "quick", "job": "describe"}, {"lane": "bulk", "job": None}]
    assert len(host["devices"]) == 1
    assert document["queue"] == {"waiting_trials": 0, "waiting_jobs": 0}


@pytest.mark.parametrize("name", LISTS)
def test_lists_are_for_everyone_with_an_account(as_charlie, as_nobody, name):
    assert as_charlie.get(f"{name}/").status_code == 200
    assert as_nobody.get(f"{name}/").status_code == 401
    assert as_charlie.post(f"{name}/", {}).status_code == 405
    assert as_charlie.get(f"{name}/?page=2").status_code == 400


def test_workloads_and_workers_cost_the_same_queries_however_many_there_are(as_bob, count_queries):
    make_workload("first")
    make_slot("host-1")
    as_bob.get("samplers/")  # notes the token's use, once a minute
    few = {name: count_queries(lambda name=name: as_bob.get(f"{name}/")) for name in LISTS}
    for number in range(2, 6):
        make_workload(f"workload {number}")
        make_slot(f"host-{number}", slots=4)
    assert {name: count_queries(lambda name=name: as_bob.get(f"{name}/")) for name in LISTS} == few


def test_workers_name_what_a_host_does_not_run_of_the_studies_that_one_may_see(as_bob, as_charlie, alice):
    slot = make_slot("host-1")
    study = make_study(alice, workload="tiny", started=True)
    Study.objects.update(data_digest="d" * 64)
    note_found(host=slot.device.host, workload="tiny", code=study.workload_digest, digest="e" * 64)
    (row,) = as_bob.get("workers/").json()["apart"]
    words = "has other data of tiny (eeeeeeeeeeee) than the study was made with (dddddddddddd)"
    assert row == {"host": "host-1", "study": study.pk, "why": words, "adoptable": True}
    document = as_bob.get(f"studies/{study.pk}/").json()
    assert (document["workload_digest"], document["data_digest"]) == ("0" * 64, "d" * 64)
    assert [finding["rule"] for finding in document["hindrances"]] == ["apart"]
    Study.objects.update(visibility="private")
    assert as_charlie.get("workers/").json()["apart"] == []


def test_space_templates_are_spaces_to_copy(as_bob, as_nobody):
    make_workload("tiny")
    rows = {row["name"]: row for row in as_bob.get("space-templates/").json()["results"]}
    assert list(rows) == ["mlp", "cnn", "resnet", "transformer", "optimizer", "regularization", "data_size"]
    assert rows["mlp"]["space"]["units_2"]["when"] == {"layers": {"low": 2}}
    assert all(row["title"] and row["why"] and row["build"] for row in rows.values())
    answer = as_bob.get("space-templates/?workload=tiny&parameters=100000").json()
    rows = {row["name"]: row for row in answer["results"]}
    assert "100,000 parameters learn from 6 examples" in rows["regularization"]["why"]
    assert as_bob.get("space-templates/?parameters=0").status_code == 400
    assert as_nobody.get("space-templates/").status_code == 401
