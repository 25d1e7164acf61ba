"""The budget advisor on the form: what may be spent is written, methods stand side by side, one fills the form."""

import re

import pytest
from django.test import Client

from tests.factories import make_running, make_workload, report
from tests.web.conftest import words
from tests.web.test_new_study import filled
from tuning.models import Preflight, Study
from tuning.services.endings import complete_trial

pytestmark = pytest.mark.django_db
PAGE = "/studies/new/?workload=tiny&draft=a-key-of-ours"


@pytest.fixture(autouse=True)
def _workload(db) -> None:
    make_workload("tiny", max_resource=27)


def asked(client: Client, **written: str):
    return client.post(PAGE, filled(client.get(PAGE), **written) | {"advise": "1"})


def test_methods_stand_side_by_side_with_what_they_cost(as_alice: Client) -> None:
    Preflight.objects.update(facts={"seconds_per_epoch": 2.0})
    shown = words(asked(as_alice, spend_device="2 h"))
    for text in ("Hyperband advised", "Random", "Device time", "Kept back: 2", "fresh seed"):
        assert text in shown, text
    assert "Run the checks above" not in shown


def test_without_a_pace_it_counts_in_trainings_alone(as_alice: Client) -> None:
    shown = words(asked(as_alice, spend_trials="50"))
    assert "Run the checks above: with the seconds of an epoch it also says how long." in shown
    assert "Hyperband advised" in shown
    refused = words(asked(as_alice, spend_device="2 h"))
    assert "advised" not in refused


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ({}, "Say what you can spend"),
        ({"spend_trials": "many"}, "no number of trainings"),
        ({"spend_time": "5"}, "no time: write it with its unit"),
        ({"spend_trials": "1"}, "at least"),
        ({"spend_trials": "50", "form__0__low": "x"}, "mend what is marked"),
    ],
)
def test_what_cannot_be_answered_says_why(as_alice: Client, written: dict[str, str], told: str) -> None:
    answer = asked(as_alice, **written)
    shown = words(answer)
    assert told in shown
    assert "advised" not in shown
    assert filled(answer)["spend_trials"] == written.get("spend_trials", "")


def test_taking_one_fills_the_form_and_creates_that_study(as_alice: Client) -> None:
    Preflight.objects.update(facts={"seconds_per_epoch": 2.0})
    answer = asked(as_alice, spend_device="2 h", name="advised")
    data = filled(answer)
    buttons = re.findall(r'name="advice" value="(\d+)"', answer.content.decode())
    assert len(buttons) >= 4
    taken = as_alice.post(PAGE, {**data, "advice": buttons[0]})
    assert "Taken: " in words(taken)
    sent = filled(taken)
    assert (sent["scheduler"], sent["spend_device"], sent["name"]) == ("hyperband", "2 h", "advised")
    assert sent["device_seconds"], "the search's share of the two hours"
    assert as_alice.post(PAGE, {**sent, "create": "1"}).status_code == 302
    study = Study.objects.get(name="advised")
    assert (study.scheduler, study.max_resource) == ("hyperband", 27)
    assert 3600 < (study.device_seconds or 0) < 7200
    assert study.budget_total == int(sent["n_trials"])


def test_another_choice_takes_the_place_of_the_first(as_alice: Client) -> None:
    first = filled(asked(as_alice, spend_trials="50"))
    cards = words(as_alice.post(PAGE, {**first, "advice": "1"}))
    assert "Taken: " in cards
    answer = as_alice.post(PAGE, {**first, "advice": "99"})
    assert "not among the advised ones" in words(answer)


def test_a_pilot_is_offered_until_early_results_have_been_ranked(as_alice: Client) -> None:
    Preflight.objects.update(facts={"seconds_per_epoch": 2.0})
    answer = asked(as_alice, spend_device="2 h")
    assert "Measure it on 8 whole trials" in words(answer)
    begun = as_alice.post(PAGE, {**filled(answer), "pilot": "1"}, follow=True)
    shown = words(begun)
    assert "is running: Advise again once four of its trials are complete." in shown
    pilot = Study.objects.get(name__startswith="pilot of tiny")
    assert (pilot.budget_total, pilot.max_resource, pilot.metric) == (8, 27, "validation/loss")
    for number in range(4):
        trial = make_running(pilot)
        report(trial, [1.0 + number - 0.01 * step for step in range(27)])
        complete_trial(trial_id=trial.pk, fence=trial.fence)
    shown = words(asked(as_alice, spend_device="2 h"))
    assert "How early results rank, by 4 whole trials of pilot of tiny" in shown
    assert "after 9 epochs 1.00" in shown
    assert "Measure it on" not in shown


def test_a_pilot_of_a_space_with_mistakes_is_not_started(as_alice: Client) -> None:
    data = filled(as_alice.get(PAGE), form__0__low="x")
    shown = words(as_alice.post(PAGE, {**data, "pilot": "1"}, follow=True))
    assert "No pilot was started." in shown
    assert not Study.objects.exists()
