"""GET studies/{id}/trials|leaderboard/, trials/{id}/, trials/{id}/curves/."""

import math
from typing import Any

import pytest

from tests.api.conftest import Api, fields_of
from tests.factories import make_running, make_study, report
from tuning.models import Study, Trial
from tuning.services.endings import complete_trial, fail_trial

VALUES = [0.5, 0.3, None, 0.5, 0.1, None, 0.3, 0.2]


@pytest.fixture
def filled(alice: Any) -> Study:
    """Eight trials: values with ties, and two failures without a value."""
    study = make_study(alice, started=True, n_trials=20, parallel=20)
    for value in VALUES:
        trial = make_running(study)
        if value is None:
            fail_trial(trial_id=trial.pk, fence=trial.fence, reason_code="diverged", reason="the loss is NaN")
        else:
            complete_trial(trial_id=trial.pk, fence=trial.fence, value=value)
    study.refresh_from_db()
    return study


def paged(api: Api, study: Study, query: str) -> list[int]:
    """The numbers of all trials, read in pages of three."""
    numbers: list[int] = []
    cursor = ""
    while True:
        page = api.get(f"studies/{study.pk}/trials/?limit=3{query}&cursor={cursor}").json()
        assert len(page["results"]) <= 3
        numbers += [row["number"] for row in page["results"]]
        cursor = page["next_cursor"]
        if not cursor:
            return numbers


# --- lists --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("ordering", "numbers"),
    [
        ("number", [0, 1, 2, 3, 4, 5, 6, 7]),
        ("-number", [7, 6, 5, 4, 3, 2, 1, 0]),
        ("value", [4, 7, 1, 6, 0, 3, 2, 5]),
        ("-value", [0, 3, 1, 6, 7, 4, 2, 5]),
    ],
)
def test_pages_hold_every_trial_once_in_order(as_alice, filled, ordering, numbers):
    assert paged(as_alice, filled, f"&ordering={ordering}") == numbers


def test_pages_stay_right_while_trials_are_added(as_alice, filled):
    first = as_alice.get(f"studies/{filled.pk}/trials/?ordering=value&limit=3").json()
    trial = make_running(filled)
    complete_trial(trial_id=trial.pk, fence=trial.fence, value=0.05)
    second = as_alice.get(
        f"studies/{filled.pk}/trials/?ordering=value&limit=5&cursor={first['next_cursor']}"
    ).json()
    assert [row["number"] for row in first["results"] + second["results"]] == [4, 7, 1, 6, 0, 3, 2, 5]


def test_best_first_follows_the_direction(as_alice, alice):
    study = make_study(alice, started=True, direction="maximize", metric="validation/accuracy")
    for value in (0.5, 0.9, 0.7):
        trial = make_running(study)
        complete_trial(trial_id=trial.pk, fence=trial.fence, value=value)
    assert paged(as_alice, study, "&ordering=value") == [1, 2, 0]


def test_trials_are_filtered_by_one_or_several_states(as_alice, filled):
    make_running(filled)
    assert paged(as_alice, filled, "&state=FAILED") == [2, 5]
    assert paged(as_alice, filled, "&state=FAILED&state=RUNNING") == [2, 5, 8]


def test_a_row_holds_what_came_of_the_trial(as_alice, filled):
    rows = as_alice.get(f"studies/{filled.pk}/trials/").json()["results"]
    assert (rows[2]["state"], rows[2]["reason_code"], rows[2]["value"]) == ("FAILED", "diverged", None)
    assert (rows[4]["value"], rows[4]["origin"]) == (0.1, "sampler")
    assert rows[0]["params"] == Trial.objects.get(study=filled, number=0).params


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("ordering=lr", "ordering"),
        ("state=DONE", "state"),
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=many", "limit"),
        ("page=2", "page"),
        ("param.lr=0.1", "param.lr"),
    ],
)
def test_a_wrong_query_is_named(as_alice, filled, query, field):
    answer = as_alice.get(f"studies/{filled.pk}/trials/?{query}")
    assert answer.status_code == 400
    assert field in fields_of(answer)


@pytest.mark.parametrize("cursor", ["x", "%00", "bnVsbA", "WyJ2YWx1ZSIsMSwyXQ", "é"])
def test_a_cursor_that_no_page_gave_is_refused(as_alice, filled, cursor):
    answer = as_alice.get(f"studies/{filled.pk}/trials/?cursor={cursor}")
    assert answer.status_code == 400
    assert answer.json()["detail"]


def test_lists_cost_the_same_queries_however_many_trials_there_are(as_alice, filled, count_queries):
    as_alice.get("samplers/")  # notes the token's use, once a minute
    address = f"studies/{filled.pk}/trials/?ordering=value&limit="
    few = count_queries(lambda: as_alice.get(f"{address}1"))
    assert count_queries(lambda: as_alice.get(f"{address}50")) <= few + 1  # the trials without a value
    board = f"studies/{filled.pk}/leaderboard/?limit="
    assert count_queries(lambda: as_alice.get(f"{board}1")) == 3  # token, study, trials
    assert count_queries(lambda: as_alice.get(f"{board}4")) == 3


def test_lists_are_for_those_who_see_the_study(as_alice, as_bob, as_charlie, as_nobody, filled):
    for what in ("trials", "leaderboard"):
        assert as_bob.get(f"studies/{filled.pk}/{what}/").status_code == 200
        assert as_nobody.get(f"studies/{filled.pk}/{what}/").status_code == 401
        assert as_alice.post(f"studies/{filled.pk}/{what}/").status_code == 405
    Study.objects.filter(pk=filled.pk).update(visibility="private")
    for what in ("trials", "leaderboard"):
        assert as_charlie.get(f"studies/{filled.pk}/{what}/").status_code == 404
        assert as_alice.get(f"studies/{filled.pk}/{what}/").status_code == 200


# --- the leaderboard ----------------------------------------------------------------------------------------
def test_the_leaderboard_ranks_complete_trials(as_alice, filled):
    make_running(filled)
    rows = as_alice.get(f"studies/{filled.pk}/leaderboard/").json()["results"]
    assert [(row["rank"], row["number"]) for row in rows] == [(1, 4), (2, 7), (3, 1), (4, 6), (5, 0), (6, 3)]
    assert [
        row["number"] for row in as_alice.get(f"studies/{filled.pk}/leaderboard/?limit=1").json()["results"]
    ] == [4]
    assert as_alice.get(f"studies/{filled.pk}/leaderboard/?limit=0").status_code == 400


def test_the_leaderboard_of_a_new_study_is_empty(as_alice, study):
    assert as_alice.get(f"studies/{study.pk}/leaderboard/").json() == {"results": []}


# --- one trial ----------------------------------------------------------------------------------------------
def test_a_trial_tells_why_it_was_proposed_and_how_it_ended(as_bob, filled):
    trial = Trial.objects.get(study=filled, number=2)
    document = as_bob.get(f"trials/{trial.pk}/").json()
    assert (document["study"], document["metric"], document["direction"]) == (
        filled.pk,
        "validation/loss",
        "minimize",
    )
    assert (document["reason_code"], document["reason"]) == ("diverged", "the loss is NaN")
    assert document["why"] == trial.why != ""
    assert document["seed"] == trial.seed


@pytest.mark.parametrize("what", ["", "curves/"])
def test_a_trial_is_shown_to_those_who_see_its_study(
    as_alice, as_charlie, as_nobody, as_admin, private, what
):
    as_alice.post(f"studies/{private.pk}/start/")
    trial = make_running(private)
    assert as_alice.get(f"trials/{trial.pk}/{what}").status_code == 200
    assert as_admin.get(f"trials/{trial.pk}/{what}").status_code == 200
    assert as_charlie.get(f"trials/{trial.pk}/{what}").status_code == 404
    assert as_nobody.get(f"trials/{trial.pk}/{what}").status_code == 401
    assert as_alice.get(f"trials/{trial.pk + 1}/{what}").status_code == 404
    assert as_alice.get(f"trials/{trial.pk}/{what}?verbose=1").status_code == 400
    assert as_alice.delete(f"trials/{trial.pk}/{what}").status_code == 405


# --- curves -------------------------------------------------------------------------------------------------
def test_curves_hold_every_metric_by_step(as_alice, running):
    trial = make_running(running)
    report(trial, [0.5, math.nan, 0.25])
    document = as_alice.get(f"trials/{trial.pk}/curves/").json()
    assert document["trial"] == trial.pk
    assert set(document["curves"]) == {"train/loss", "validation/loss"}
    curve = document["curves"]["validation/loss"]
    assert curve["steps"] == [1, 2, 3]
    assert curve["values"] == [0.5, "nan", 0.25]
    assert len(curve["wall_times"]) == 3


def test_curves_of_a_trial_without_reports_are_empty(as_alice, running):
    trial = make_running(running)
    assert as_alice.get(f"trials/{trial.pk}/curves/").json() == {"trial": trial.pk, "curves": {}}
