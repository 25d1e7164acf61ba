"""Pages of trials by keyset: each trial exactly once, whatever ties and missing values there are."""

import base64
import json

import pytest

from tests.factories import make_running, make_study
from tuning.models import Trial
from tuning.selectors.errors import NotFound, ServiceError
from tuning.selectors.trials import BadCursor, leaderboard, trial_for, trial_neighbours, trial_numbered
from tuning.services.endings import complete_trial, fail_trial

VALUES = [0.3, 0.1, None, 0.3, 0.2, None, 0.1, 0.3, None, 1e-300, -0.0, 0.0, 0.1 + 0.2]


@pytest.fixture(params=["minimize", "maximize"])
def study(request, alice):
    study = make_study(alice, direction=request.param)
    Trial.objects.bulk_create(
        [
            Trial(study=study, number=n, value=value, state="FAILED" if value is None else "COMPLETE")
            for n, value in enumerate(VALUES)
        ]
    )
    return study


def pages(study, ordering, limit, **more):
    cursor, found = "", []
    while True:
        page = leaderboard(study, ordering=ordering, limit=limit, cursor=cursor, **more)
        found.append([trial.number for trial in page.rows])
        cursor = page.next_cursor
        if not cursor:
            return found


def expected(study, ordering):
    numbers = list(range(len(VALUES)))
    if ordering.endswith("number"):
        return numbers if ordering == "number" else numbers[::-1]
    ascending = (ordering == "value") == (study.direction == "minimize")
    valued = [n for n in numbers if VALUES[n] is not None]
    valued.sort(key=lambda n: (VALUES[n] if ascending else -VALUES[n], n))
    return valued + [n for n in numbers if VALUES[n] is None]


@pytest.mark.parametrize("limit", [1, 3, 4, len(VALUES), 50])
@pytest.mark.parametrize("ordering", ["value", "-value", "number", "-number"])
def test_pages_cover_each_trial_once_in_order(study, ordering, limit):
    found = pages(study, ordering, limit)
    assert [number for page in found for number in page] == expected(study, ordering)
    assert all(len(page) == limit for page in found[:-1])


def test_the_best_is_first_whatever_the_direction(study):
    best = leaderboard(study, limit=1).rows[0].value
    values = [value for value in VALUES if value is not None]
    assert best == (min(values) if study.direction == "minimize" else max(values))


def test_a_page_stays_right_while_trials_are_added(study):
    first = leaderboard(study, ordering="number", limit=5)
    Trial.objects.create(study=study, number=99, value=0.15, state="COMPLETE")
    rest = leaderboard(study, ordering="number", limit=50, cursor=first.next_cursor)
    assert [trial.number for trial in rest.rows] == [*range(5, len(VALUES)), 99]


def test_states_filter(study):
    assert [n for page in pages(study, "number", 2, states=["FAILED"]) for n in page] == [2, 5, 8]


def test_every_page_takes_two_queries_at_most(study, django_assert_max_num_queries):
    for limit in (1, 3, 50):
        with django_assert_max_num_queries(2):
            leaderboard(study, limit=limit)


def test_an_unknown_ordering_names_the_known_ones(study):
    with pytest.raises(ServiceError, match="-number"):
        leaderboard(study, ordering="lr")


def made(document):
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "é",
        "!!!!",
        made({}),
        made([]),
        made(["number", 0.1, 3]),
        made(["value", "0.1", 3]),
        made(["value", 0.1, "3"]),
        made(["value", 0.1, 3.0]),
        made(["value", 0.1, True]),
        made(["value", True, 3]),
        made(["value", float("nan"), 3]),
        made(["value", float("inf"), 3]),
        made(["value", 10**400, 3]),
        made(["value", 0.1, 10**30]),
        made(["value", 0.1, -1]),
        made([[]]),
        base64.urlsafe_b64encode(b"[" * 5000).decode(),
    ],
)
def test_a_cursor_of_nobodys_making_is_refused(study, cursor):
    with pytest.raises(BadCursor):
        leaderboard(study, cursor=cursor)


def test_a_running_trial_shows_what_it_has_reached_and_a_failed_one_nothing(alice):
    study = make_study(alice, started=True)
    good, failed = make_running(study), make_running(study)
    complete_trial(trial_id=good.pk, fence=1, value=0.5)
    fail_trial(trial_id=failed.pk, fence=1, reason_code="diverged", reason="")
    assert [trial.value for trial in leaderboard(study).rows] == [0.5, None]


def test_one_trial_and_its_neighbours(alice, bob, charlie, admin):
    study = make_study(alice, started=True, visibility="private")
    trials = [make_running(study) for _ in range(3)]
    assert trial_neighbours(trials[1]) == (trials[0].pk, trials[2].pk)
    assert trial_neighbours(trials[0]) == (None, trials[1].pk)
    assert trial_numbered(study, 2) == trials[2]
    for person in (alice, admin):
        assert trial_for(person, trials[0].pk).study == study
    for person in (bob, charlie):
        with pytest.raises(NotFound):
            trial_for(person, trials[0].pk)
    with pytest.raises(NotFound):
        trial_for(alice, 2**63)
    with pytest.raises(NotFound):
        trial_numbered(study, 9)
