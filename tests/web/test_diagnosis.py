"""The tab Diagnosis: its tables, its figure, and that nobody waits for many trials."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.factories import make_running, make_slot, make_study, report
from tests.selectors.test_diagnostics import FALLS, TURNS, trained
from tests.web.conftest import poll, words
from tuning.models import Study
from tuning.services.diagnostics import look_at_next
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
    assert look_at_next()
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
    assert look_at_next()
    text = words(as_alice.get(f"/studies/{study.pk}/diagnosis/"))
    assert "dropout closes the gap without a worse score" in text
    assert "more of it goes with a smaller gap, and with a better score" in text


def test_it_waits_for_the_workers_and_then_shows_what_they_found(as_alice: Client, alice: User, study: Study) -> None:
    for _ in range(3):
        trained(study, FALLS)
    make_slot()
    stop_study(study_id=study.pk, actor=alice)
    address = f"/studies/{study.pk}/diagnosis/"
    page = as_alice.get(address)
    assert "Being looked at by a worker" in words(page)
    assert b"hx-trigger" in page.content
    assert poll(as_alice, address, page["ETag"]).status_code == 304
    assert look_at_next()
    answer = poll(as_alice, address, page["ETag"])
    assert "3 of 3 trials" in words(answer)
    assert answer.status_code == 286


def test_trials_that_ended_since_are_counted(as_alice: Client, study: Study) -> None:
    for _ in range(21):
        trained(study, FALLS)
    assert look_at_next()
    trained(study, FALLS)
    text = words(as_alice.get(f"/studies/{study.pk}/diagnosis/"))
    assert "21 of 21 trials" in text and "1 more has ended since" in text


def test_without_two_curves_it_says_why(as_alice: Client, as_charlie: Client, alice: User) -> None:
    study = make_study(alice, started=True, visibility="private")
    assert "no pair of curves" in words(as_alice.get(f"/studies/{study.pk}/diagnosis/"))
    assert as_charlie.get(f"/studies/{study.pk}/diagnosis/").status_code == 404
