"""The tab of a study's rungs."""

from django.test import Client

from tests.factories import make_study
from tests.services.test_rungs import advance, ask, by_number, make, run_out
from tests.web.conftest import words


def test_the_tab_shows_the_ladder_of_a_bracket(as_alice: Client, alice) -> None:
    study = make(alice)
    run_out(study, by_number)
    page = as_alice.get(f"/studies/{study.pk}/rungs/")
    text = words(page)
    assert "69 steps used, 84 of 153 saved (54 %)" in text
    assert "After 1 step" in text
    assert "was cut" in text
    text = words(as_alice.get(f"/studies/{study.pk}/rungs/?bracket=1&rung=1"))
    assert "After 9 steps" in text


def test_before_the_first_trial_it_says_what_will_be_there(as_alice: Client, alice) -> None:
    study = make(alice)
    assert "No trial has started yet" in words(as_alice.get(f"/studies/{study.pk}/rungs/"))
    advance(ask(study), by_number)
    assert "waits for a decision" in words(as_alice.get(f"/studies/{study.pk}/rungs/"))


def test_wrong_addresses_show_the_first_bracket(as_alice: Client, alice) -> None:
    study = make(alice)
    run_out(study, by_number)
    for query in ("bracket=9&rung=9", "bracket=x&rung=-1&first=y", "first=1000"):
        assert as_alice.get(f"/studies/{study.pk}/rungs/?{query}").status_code == 200


def test_a_study_without_a_scheduler_has_no_such_tab(as_alice: Client, alice) -> None:
    study = make_study(alice, started=True)
    assert "Rungs" not in words(as_alice.get(f"/studies/{study.pk}/"))
    answer = as_alice.get(f"/studies/{study.pk}/rungs/")
    assert answer.status_code == 404
    assert "it has no rungs" in words(answer)
