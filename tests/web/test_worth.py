"""Another hour on the pages: the finding, the fact, and the setting on the form and in Setup."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.factories import make_study, make_workload
from tests.web.conftest import words
from tests.web.test_budget import FORM, NEW
from tuning.analysis import Worth
from tuning.models import Study, WorthLook

pytestmark = pytest.mark.django_db
NOT_WORTH = Worth(60, 12, 0.0004, 0.0, 0.0021, "model", 0.003, "model")


def looked_at(study: Study, said: Worth, *, not_worth: bool) -> None:
    WorthLook.objects.create(
        study=study, space=study.space, complete=said.trials, document=said.to_json(), not_worth=not_worth
    )


def test_the_page_says_that_another_hour_is_not_worth_it(as_alice: Client, alice: User) -> None:
    study = make_study(alice, started=True)
    address = f"/studies/{study.pk}/"
    assert "Next hour" not in words(as_alice.get(address))
    looked_at(study, NOT_WORTH, not_worth=True)
    Study.objects.filter(pk=study.pk).update(version=study.version + 1)
    page = words(as_alice.get(address))
    assert "Another hour is not worth it" in page
    assert "12 trials, which better the best value by 0.0004 on average" in page
    assert "Next hour of device time: expected gain 0.0004 (90 %: 0 to 0.0021), seed noise 0.003." in page
    Study.objects.filter(pk=study.pk).update(version=study.version + 2, state="PAUSED")
    assert "Another hour" not in words(as_alice.get(address)), "nothing is spent on it now"


def test_one_look_shows_its_numbers_but_no_finding(as_alice: Client, alice: User) -> None:
    study = make_study(alice, started=True)
    looked_at(study, NOT_WORTH, not_worth=False)
    page = words(as_alice.get(f"/studies/{study.pk}/"))
    assert "Another hour is not worth it" not in page
    assert "expected gain 0.0004" in page


def test_the_form_and_setup_have_the_setting(as_alice: Client) -> None:
    make_workload("tiny")
    assert "End it when another hour is not worth it" in words(as_alice.get(NEW))
    assert as_alice.post(NEW, {**FORM, "total_resource": "90", "stop_when_not_worth": "on"}).status_code == 302
    study = Study.objects.get()
    assert study.stop_when_not_worth
    setup = f"/studies/{study.pk}/setup/"
    assert "Ends early when another hour is not worth it" in words(as_alice.get(setup))
    clone = as_alice.get(f"/studies/new/?from={study.pk}").content.decode()
    assert "checked" in clone.partition('name="stop_when_not_worth"')[2].partition(">")[0]
    settings = {"name": "limited", "n_trials": "", "total_resource": "90", "parallel": "1", "visibility": "team"}
    as_alice.post(setup, settings)
    study.refresh_from_db()
    assert not study.stop_when_not_worth
    assert "Ends early" not in words(as_alice.get(setup))
