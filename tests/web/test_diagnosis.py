"""The tab Diagnosis: its tables, its figure, and that nobody waits for many trials."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.factories import make_running, make_study, report
from tests.selectors.test_diagnostics import FALLS, TURNS, trained
from tests.web.conftest import poll, words
from tuning.models import Study
from tuning.selectors import diagnostics
from tuning.services.endings import complete_trial
from tuning.services.lifecycle import stop_study

SPACE = {
    "lr": {"type": "float", "low": 1e-4, "high": 0.1, "log": True},
    "dropout": {"type": "float", "low": 0.0, "high": 0.7},
}


@pytest.fixture
def study(alice: User) -> Study:
    return make_study(alice, started=True, max_resource=7, n_trials=40, space=SPACE)


def test_how_many_have_which_verdict_and_what_to_change(as_alice: Client, study: Study) -> None:
    trained(study, TURNS)
    trained(study, TURNS)
    trained(study, FALLS)
    trained(study, FALLS, "pruned")
    page = as_alice.get(f"/studies/{study.pk}/diagnosis/")
    text = words(page)
    assert "Overfit, and turning: 2 of 3 trials" in text
    assert "Overfit, and turning 2 67 % 0 , 1 Stop at step 3" in text
    assert "Left out is 1 trial that was cut before it could be told" in text
    assert "no preflight has measured it" in text
    assert b'id="gaps-data"' in page.content
    assert "fewer than 12 trials tell of it" in text
    assert "Diagnosis" in words(as_alice.get(f"/studies/{study.pk}/"))


def test_the_regulariser_that_closes_the_gap_is_named(as_alice: Client, study: Study) -> None:
    for _ in range(24):
        trial = make_running(study)
        gap = 0.3 - 0.3 * trial.params["dropout"]
        report(trial, [loss + gap for loss in FALLS[0]], train__loss=FALLS[0])
        complete_trial(trial_id=trial.pk, fence=trial.fence)
    text = words(as_alice.get(f"/studies/{study.pk}/diagnosis/"))
    assert "dropout closes the gap without a worse score" in text
    assert "more of it goes with a smaller gap, and with a better score" in text


def test_many_trials_are_looked_at_by_and_by(as_alice: Client, alice: User, study: Study, monkeypatch) -> None:
    for _ in range(5):
        trained(study, FALLS)
    stop_study(study_id=study.pk, actor=alice)
    monkeypatch.setattr(diagnostics, "AT_ONCE", 2)
    address = f"/studies/{study.pk}/diagnosis/"
    page = as_alice.get(address)
    assert "1 of 2 trials" not in words(page)
    assert "3 more are being looked at" in words(page)
    assert b"hx-trigger" in page.content
    answers = [poll(as_alice, address, page["ETag"]) for _ in range(2)]
    assert "5 trials" in words(answers[-1])
    assert answers[-1].status_code == 286


def test_without_two_curves_it_says_why(as_alice: Client, as_charlie: Client, alice: User) -> None:
    study = make_study(alice, started=True, visibility="private")
    assert "no pair of curves" in words(as_alice.get(f"/studies/{study.pk}/diagnosis/"))
    assert as_charlie.get(f"/studies/{study.pk}/diagnosis/").status_code == 404
