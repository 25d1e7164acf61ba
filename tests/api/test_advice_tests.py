"""trials/{id}/advice/: read, tried, refused; and the records in diagnostics."""

import pytest

from tests.api.conftest import fields_of
from tests.factories import make_study, make_workload
from tests.services.test_trying import OWN, overfitted, play
from tuning.models import AdviceTest, Split

pytestmark = pytest.mark.django_db


@pytest.fixture
def trial(alice):
    make_workload("tiny", max_resource=6, space=OWN)
    Split.objects.update(sizes={"train": 100, "validation": 100, "test": 100})
    return overfitted(alice)


def row(answer, action="more_dropout"):
    return next(one for one in answer.json()["advice"] if one["action"] == action)


def test_advice_is_read_tried_and_read_again(as_alice, trial):
    address = f"trials/{trial.pk}/advice/"
    before = as_alice.get(address)
    assert (before.json()["rule"], row(before)["test"]) == ("overfit", None)
    assert (row(before)["change"], row(before)["runs"], row(before)["seconds"]) == ({"dropout": 0.25}, 10, 120.0)
    assert row(before, "more_data")["untested"].startswith("It takes other data")
    assert row(before, "more_data")["runs"] is None
    assert "weight_decay" in row(before, "more_weight_decay")["follow_up"]["space"]
    assert row(before)["follow_up"] == {}
    tried = as_alice.post(address, {"action": "more_dropout", "pairs": 2})
    assert tried.status_code == 201
    test = row(tried)["test"]
    assert (test["pairs"], test["done"], test["differences"], test["ended"]) == (2, 0, [None, None], None)
    assert as_alice.get(f"studies/{test['study']}/").json()["state"] == "RUNNING"
    play(AdviceTest.objects.get(), lambda pair, side: None if pair and not side else 0.5)
    after = row(as_alice.get(address))
    assert (after["test"]["differences"], after["test"]["mean"]) == ([0.0, "inf"], None)
    assert after["record"] == {"tried": 1, "helped": 0, "worse": 0, "undecided": 1}
    records = as_alice.get(f"studies/{trial.study_id}/diagnostics/").json()["records"]
    assert records == {"overfit": {"tried": 1, "helped": 0, "worse": 0, "undecided": 1}}
    assert [one["id"] for one in as_alice.get("studies/").json()["results"]] == [trial.study_id]


def test_what_cannot_be_tried(as_alice, as_bob, as_nobody, alice, trial):
    address = f"trials/{trial.pk}/advice/"
    assert "can be tried" in fields_of(as_alice.post(address, {"action": "more_data"}))["action"]
    assert "pairs" in fields_of(as_alice.post(address, {"action": "more_dropout", "pairs": 99}))
    assert "action" in fields_of(as_alice.post(address, {}))
    assert as_bob.get(address).status_code == 200
    assert as_bob.post(address, {"action": "more_dropout"}).status_code == 403
    assert as_nobody.get(address).status_code == 401
    assert as_alice.get("trials/999999/advice/").status_code == 404
    assert as_alice.get(f"{address}?top=1").status_code == 400
    waiting = make_study(alice, workload="tiny").trials.create(number=0)
    answer = as_alice.get(f"trials/{waiting.pk}/advice/").json()
    assert (answer["rule"], answer["advice"]) == (None, [])
    assert as_alice.post(f"trials/{waiting.pk}/advice/", {"action": "more_dropout"}).status_code == 409
