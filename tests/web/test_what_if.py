"""The tab What if: its sentence, its tables, and the one click to a follow-up study."""

import html
import re

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.factories import make_study
from tests.selectors.test_what_if import curve, ended, full
from tests.services.test_rungs import make, run_out
from tests.web.conftest import words
from tests.web.test_new_study import filled
from tuning.models import Study
from tuning.web.what_if import percent, what_if_tab


def follow_ups(page: object) -> list[str]:
    return [html.unescape(link) for link in re.findall(r'href="([^"]*scheduler=[^"]*)"', page.content.decode())]


def test_the_sentence_and_the_tables(as_alice: Client, alice: User) -> None:
    study = full(alice, [[float(number)] * 9 for number in range(9)])
    page = as_alice.get(f"/studies/{study.pk}/what-if/")
    text = words(page)
    assert "ASHA, stopping type would have kept this winner, trial 0, for 21 % of the steps." in text
    assert "None as recorded 81 100 % the winner" in text
    assert "Successive halving 1 of 3 goes on, first rung at 1 21 26 % kept" in text
    assert "1 at once; nothing is predicted" in text
    assert "What if" in words(as_alice.get(f"/studies/{study.pk}/"))
    assert b'id="what-if-figure-data"' in page.content
    assert "scheduler=asha" in follow_ups(page)[0], "the first row is the one that the sentence names"
    assert "asha-type=stopping" in follow_ups(page)[0]
    every = [outcome.steps for outcome in what_if_tab(study, "steps")["best_of_each"]]
    assert every == sorted(every)


def test_a_winner_that_starts_slowly_and_one_that_nobody_keeps(as_alice: Client, alice: User) -> None:
    text = words(as_alice.get(f"/studies/{full(alice).pk}/what-if/"))
    assert "cut after 1 step" in text
    assert "would have kept this winner, trial 4" in text
    last = [[float(number)] * 9 if number != 12 else [50.0] * 8 + [-1.0] for number in range(18)]
    text = words(as_alice.get(f"/studies/{full(alice, last).pk}/what-if/"))
    assert "None of these would have kept the winner, trial 12:" in text
    assert "ends with trial 0 instead" in text


def test_what_the_record_does_not_tell_is_not_claimed(as_alice: Client, alice: User) -> None:
    study = make(alice, "successive_halving", n_trials=9, parallel=1)
    run_out(study, lambda trial, step: float(trial.number))
    text = words(as_alice.get(f"/studies/{ended(study).pk}/what-if/"))
    assert "cannot be told: trial" in text
    assert re.search(r"All \d+ settings, \d+ of which cannot be told", text)


def test_one_click_makes_it_the_setting_of_the_follow_up(as_alice: Client, alice: User) -> None:
    study = full(alice, scheduler="none", min_resource=2)
    page = as_alice.get(f"/studies/{study.pk}/what-if/")
    links = list(dict.fromkeys(follow_ups(page)))
    assert len(links) > 10
    asha = next(link for link in links if "asha-type=stopping" in link and "reduction_factor=2" in link)
    form = as_alice.get(asha)
    sent = filled(form, name="follow-up")
    assert (sent["scheduler"], sent["asha-type"], sent["asha-reduction_factor"]) == ("asha", "stopping", "2")
    as_alice.post(asha, {**sent, "create": "1"})
    made = Study.objects.get(name="follow-up")
    assert (made.clone_of, made.scheduler, made.scheduler_options) == (study, "asha", {"type": "stopping"})
    assert (made.min_resource, made.reduction_factor, made.max_resource) == (1, 2, 9)
    assert made.space.document == study.space.document


def test_a_follow_up_gets_the_number_of_steps_that_the_source_never_had(as_alice: Client, alice: User) -> None:
    study = full(alice, max_resource=None)
    link = follow_ups(as_alice.get(f"/studies/{study.pk}/what-if/"))[0]
    assert filled(as_alice.get(link))["max_resource"] == "9"


def test_an_address_that_names_no_scheduler_is_a_plain_clone(as_alice: Client, alice: User) -> None:
    study = make_study(alice, scheduler="asha", reduction_factor=4)
    sent = filled(as_alice.get(f"/studies/new/?from={study.pk}&scheduler=nonsense&asha-reduction_factor=2"))
    assert (sent["scheduler"], sent["asha-reduction_factor"]) == ("asha", "4")


def test_where_there_is_nothing_to_replay_it_says_why(as_alice: Client, as_charlie: Client, alice: User) -> None:
    study = make_study(alice, started=True, visibility="private")
    address = f"/studies/{study.pk}/what-if/"
    assert "can be told once the study has ended" in words(as_alice.get(address))
    for _ in range(3):
        curve(study, [0.5, 0.4])
    ended(study)
    assert "At least 5 trials are needed" in words(as_alice.get(address))
    assert as_charlie.get(address).status_code == 404


@pytest.mark.parametrize(
    ("share", "text"), [(None, ""), (0.001, "less than 1 %"), (0.376, "38 %"), (0.999, "99 %"), (1.0, "100 %")]
)
def test_a_share_in_words(share: float | None, text: str) -> None:
    assert percent(share) == text
