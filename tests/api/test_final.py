"""The final look over REST: who seals, who sees, and that no number shows before the reveal."""

import pytest

from tests.api.conftest import fields_of
from tests.factories import make_slot
from tests.services.final import finished, revealed, with_test_metrics
from tuning.models import SealedChoice

pytestmark = pytest.mark.django_db


@pytest.fixture
def ended(alice):
    return finished(alice)


def test_a_choice_is_sealed_measured_and_read_by_the_team(as_alice, as_bob, ended):
    page = f"studies/{ended.pk}/"
    assert as_bob.get(f"{page}finalise/").json() | {"hindrance": ""} == {
        "state": "none", "choice": None, "looks": 0, "hindrance": "", "error": "",
    }  # fmt: skip
    assert as_bob.post(f"{page}finalise/").status_code == 403
    sealed = as_alice.post(f"{page}finalise/", {"seeds": 2, "retrain": "train+validation"}).json()
    assert (sealed["state"], sealed["choice"]["trial"], sealed["choice"]["epochs"]) == ("waits", 1, 2)
    assert as_bob.get(f"{page}reveals/").json() == {"reveals": []}
    revealed(SealedChoice.objects.get(), make_slot("here"), test=0.54321)
    (reveal,) = as_bob.get(f"{page}reveals/").json()["reveals"]
    assert reveal["scores"][0]["name"] == "loss"
    assert reveal["scores"][0]["mean"] == pytest.approx(0.54821)
    assert [row["rule"] for row in reveal["findings"]] == ["TEST-WORSE"]
    assert reveal["choice"]["sealed_by"] == "alice"
    again = as_alice.post(f"{page}finalise/")
    assert again.status_code == 400
    assert "test reused once" in fields_of(again)["reason"]


def test_a_private_study_is_nobody_elses(as_charlie, alice):
    study = finished(alice, visibility="private")
    assert as_charlie.get(f"studies/{study.pk}/reveals/").status_code == 404
    assert as_charlie.post(f"studies/{study.pk}/finalise/").status_code == 404


def test_sealed_numbers_show_with_the_reveal_and_not_before(as_alice, alice):
    study = with_test_metrics(alice, (0.73219, 0.73219, 0.73219))
    page = f"studies/{study.pk}/"
    open_places = [page, f"{page}finalise/", f"{page}reveals/", f"{page}leaderboard/", f"{page}export/?format=json"]
    assert not any("73219" in as_alice.get(place).content.decode() for place in open_places)
    assert as_alice.post(f"{page}finalise/").json()["state"] == "revealed"
    assert "0.73219" in as_alice.get(f"{page}reveals/").content.decode()


def test_a_study_with_a_reveal_is_archived(as_alice, as_bob, alice):
    study = with_test_metrics(alice)
    as_alice.post(f"studies/{study.pk}/finalise/")
    refused = as_alice.delete(f"studies/{study.pk}/")
    assert refused.status_code == 409
    assert "archive it" in refused.json()["detail"]
    assert as_bob.post(f"studies/{study.pk}/archive/").status_code == 403
    assert as_alice.post(f"studies/{study.pk}/archive/").json()["archived"]
    assert as_alice.get("studies/").json()["results"] == []
    assert [row["id"] for row in as_alice.get("studies/?archived=true").json()["results"]] == [study.pk]
    assert as_alice.post(f"studies/{study.pk}/unarchive/").json()["archived"] is None
