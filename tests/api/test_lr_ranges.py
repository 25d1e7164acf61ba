"""POST and GET workloads/{name}/lr-range/, GET lr-ranges/{id}/, and the client's way to them."""

import pytest

from tests.api.conftest import fields_of
from tests.factories import make_study, make_workload
from tests.services.test_lr_ranges import answered
from tuning.models import Job


@pytest.fixture(autouse=True)
def _tiny(db):
    make_workload("tiny")


def test_a_test_is_asked_for_and_read_once_a_worker_has_answered(as_alice, alice):
    body = {"overlay": {"optimizer": ["sgd", "adamw"]}, "low": 1e-5, "high": 1, "steps": 50, "seed": 2}
    answer = as_alice.post("workloads/tiny/lr-range/", body)
    assert answer.status_code == 201
    document = answer.json()
    assert (document["state"], document["curves"], document["parameter"]) == ("WAITING", [], "lr")
    assert (document["low"], document["high"], document["steps"], document["seed"]) == (1e-5, 1.0, 50, 2)
    assert as_alice.post("workloads/tiny/lr-range/", body).json()["id"] == document["id"], "while it is open"
    assert as_alice.post(f"jobs/{document['id']}/cancel/").status_code == 200
    assert as_alice.get(f"lr-ranges/{document['id']}/").json()["error"] == "Cancelled by alice."
    job = answered(alice)
    (curve,) = as_alice.get(f"lr-ranges/{job.pk}/").json()["curves"]
    assert (curve["bracket"], curve["lrs"], curve["label"]) == ([0.004, 0.02], [1e-5, 1e-3, 0.1], "")
    assert [row["id"] for row in as_alice.get("workloads/tiny/lr-range/").json()["results"]] == [job.pk, document["id"]]


def test_an_empty_body_is_the_usual_test(as_alice):
    answer = as_alice.post("workloads/tiny/lr-range/", {})
    assert answer.status_code == 201 and answer.json()["steps"] == 100
    assert Job.objects.get().args["curves"][0]["params"] == {"lr": 0.001, "optimizer": "sgd", "momentum": 0.495}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"params": {"momentum": 7}}, "params.momentum"),
        ({"low": -1}, "low"),
        ({"low": "1e-6"}, "low"),
        ({"steps": 5}, "steps"),
        ({"overlay": {"nothing": [1, 2]}}, "overlay"),
        ({"overlay": [1, 2]}, "overlay"),
        ({"batch": 3}, "batch"),
    ],
)
def test_a_wrong_field_is_named(as_alice, body, field):
    answer = as_alice.post("workloads/tiny/lr-range/", body)
    assert answer.status_code == 400
    assert field in fields_of(answer)
    assert not Job.objects.exists()


def test_who_may_not_and_what_is_not_there(as_alice, as_bob, as_nobody, alice):
    job = answered(alice)
    assert as_bob.get(f"lr-ranges/{job.pk}/").status_code == 404
    assert as_bob.get("workloads/tiny/lr-range/").json() == {"results": []}
    assert as_nobody.get(f"lr-ranges/{job.pk}/").status_code == 401
    assert as_nobody.post("workloads/tiny/lr-range/", {}).status_code == 401
    assert as_alice.get("lr-ranges/999999/").status_code == 404
    assert as_alice.post("workloads/none_such/lr-range/", {}).status_code == 404
    assert as_alice.get("workloads/none_such/lr-range/").status_code == 404
    assert as_alice.get("workloads/tiny/lr-range/?page=2").status_code == 400
    assert as_alice.delete(f"lr-ranges/{job.pk}/").status_code == 405


def test_a_studys_space_is_taken_by_who_may_see_it(as_alice, as_bob, alice):
    study = make_study(alice, workload="tiny", visibility="private")
    assert as_alice.post("workloads/tiny/lr-range/", {"study": study.pk}).status_code == 201
    assert as_bob.post("workloads/tiny/lr-range/", {"study": study.pk}).status_code == 404


def test_other_kinds_of_workloads_are_refused_in_words(as_alice):
    make_workload("script", kind="objective")
    answer = as_alice.post("workloads/script/lr-range/", {})
    assert "needs a PyTorch workload" in fields_of(answer)["workload"]
