"""What each trial was after, and what it brought."""

import pytest
from django.contrib.auth.models import User

from tests.factories import make_study
from tuning.models import Study, Trial
from tuning.selectors.intents import MOST, study_intents

STARTUP, EXPLORING, IMPROVING = "Start-up design 1 of 8.", "GP: exploring lr.", "GP: expected to improve near trial 1."


def make_trials(study: Study, *rows: tuple[str, float | None]) -> None:
    """Trials that have ended in the order of their numbers, each with its sentence and value (None: failed)."""
    Trial.objects.bulk_create(
        Trial(
            study=study,
            number=n,
            why=why,
            value=value,
            state="FAILED" if value is None else "COMPLETE",
            finish_seq=n + 1,
        )
        for n, (why, value) in enumerate(rows)
    )


def test_intents_are_counted_with_what_they_improved(alice: User) -> None:
    study = make_study(alice)
    make_trials(
        study, (STARTUP, 0.5), (STARTUP, 0.4), (EXPLORING, 0.6), (EXPLORING, 0.3), (IMPROVING, None), (IMPROVING, 0.2)
    )
    found = study_intents(study)
    assert found.counts == {"startup": 2, "explore": 2, "exploit": 2}
    assert found.improved == {"startup": 1, "explore": 1, "exploit": 1}
    assert [mark.improved for mark in found.marks] == [False, True, False, True, False, True]
    assert found.marks[4].state == "FAILED"


def test_maximising_turns_improvements_round_and_the_order_of_ending_counts(alice: User) -> None:
    study = make_study(alice, direction="maximize")
    make_trials(study, (STARTUP, 0.5), (STARTUP, 0.4), (EXPLORING, 0.6))
    assert [mark.number for mark in study_intents(study).marks if mark.improved] == [2]
    Trial.objects.filter(study=study, number=2).update(finish_seq=0)
    assert [mark.number for mark in study_intents(study).marks if mark.improved] == []


def test_enqueued_and_open_trials_are_there(alice: User) -> None:
    study = make_study(alice)
    Trial.objects.create(study=study, number=0, origin="enqueued", why="queued by alice", state="WAITING")
    (mark,) = study_intents(study).marks
    assert (mark.intent, mark.state, mark.improved) == ("given", "WAITING", False)


def test_many_trials_are_thinned_but_no_improvement_is_lost_and_one_query_is_made(
    alice: User, django_assert_num_queries: pytest.FixtureRequest
) -> None:
    study = make_study(alice)
    make_trials(study, *((EXPLORING, 1.0 - n / 10_000 if n % 100 == 99 else 2.0) for n in range(MOST + 500)))
    with django_assert_num_queries(1):
        found = study_intents(study)
    assert len(found.marks) <= MOST
    assert found.counts == {"explore": MOST + 500}
    assert sum(mark.improved for mark in found.marks) == found.improved["explore"] == 25


def test_a_study_without_trials_has_none(alice: User) -> None:
    found = study_intents(make_study(alice))
    assert (list(found.marks), dict(found.counts)) == ([], {})
