"""Whether another hour is worth it, over REST: the whole answer, who may read it, and the setting."""

import pytest

from tests.api.conftest import fields_of
from tests.factories import make_study
from tests.web.test_worth import NOT_WORTH, looked_at

pytestmark = pytest.mark.django_db


def test_before_the_first_look_the_answer_says_so(as_alice, alice):
    study = make_study(alice, started=True)
    answer = as_alice.get(f"studies/{study.pk}/worth/").json()
    assert (answer["looked"], answer["gain"], answer["not_worth"], answer["findings"]) == (None, None, False, [])
    assert "20 complete trials" in answer["problem"]


def test_the_numbers_and_the_finding(as_alice, alice):
    study = make_study(alice, started=True)
    looked_at(study, NOT_WORTH, not_worth=True)
    answer = as_alice.get(f"studies/{study.pk}/worth/").json()
    assert answer["looked"] is not None
    assert {name: answer[name] for name in NOT_WORTH.to_json()} == NOT_WORTH.to_json()
    (finding,) = answer["findings"]
    assert (answer["not_worth"], finding["rule"], finding["evidence"]["hour"]) == (True, "WORTH", 12)


def test_a_private_study_keeps_it_and_nothing_else_is_asked(as_bob, as_alice, alice):
    study = make_study(alice, visibility="private")
    assert as_bob.get(f"studies/{study.pk}/worth/").status_code == 404
    assert as_alice.get("studies/999999/worth/").status_code == 404
    assert as_alice.get(f"studies/{study.pk}/worth/?hours=2").status_code == 400
    assert as_alice.post(f"studies/{study.pk}/worth/", {}).status_code == 405


def test_the_setting_is_created_shown_changed_and_cloned(as_alice):
    body = {"name": "calm", "space": {"x": {"type": "float", "low": 0.0, "high": 1.0}}, "metric": "loss", "n_trials": 9}
    study = as_alice.post("studies/", {**body, "stop_when_not_worth": True}).json()
    address = f"studies/{study['id']}/"
    assert study["stop_when_not_worth"] is True
    assert as_alice.post(f"{address}clone/", {}).json()["stop_when_not_worth"] is True
    assert as_alice.patch(address, {"stop_when_not_worth": False}).json()["stop_when_not_worth"] is False
    wrong = as_alice.patch(address, {"stop_when_not_worth": "yes"})
    assert (wrong.status_code, list(fields_of(wrong))) == (400, ["stop_when_not_worth"])
