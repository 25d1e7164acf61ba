"""The rungs of a study for people: counts, limits, by how much a trial was cut, and what was saved."""

import pytest

from tests.factories import make_study
from tests.services.test_rungs import advance, ask, by_number, make, run_out
from tuning.selectors.ladder import DRAWN, PER_PAGE, drawn_standings, ladder, standings
from tuning.selectors.schedulers import has_rungs
from tuning.services.endings import fail_trial

pytestmark = pytest.mark.django_db


def test_a_study_without_a_scheduler_has_none(alice):
    assert not has_rungs(make_study(alice))
    assert has_rungs(make_study(alice, scheduler="median"))


def test_who_came_who_went_on_and_who_was_cut(alice):
    study = make(alice)
    run_out(study, by_number, workers=4)
    study.refresh_from_db()
    found = ladder(study)
    assert [(one.number, one.cohorts, one.trials) for one in found.brackets] == [(2, 1, 9), (1, 1, 5), (0, 1, 3)]
    low, middle, top = found.brackets[0].steps
    assert (low.step, low.came, low.went_on, low.cut, low.waits, low.going) == (1, 9, 3, 6, 0, 0)
    assert (low.best, low.last_in, low.first_out) == (-8.0, -6.0, -5.0)
    assert (middle.step, middle.came, middle.went_on, middle.first_out) == (3, 3, 1, -7.0)
    assert (top.step, top.came, top.complete, top.first_out) == (9, 1, 1, None)
    assert (found.used, found.full, found.saved) == (69, 17 * 9, 84)


def test_by_how_much_a_trial_was_cut(alice):
    study = make(alice, "successive_halving", n_trials=9, direction="maximize")
    run_out(study, lambda trial, step: float(trial.number))
    rows = standings(study, 2, 0)
    assert [(row.number, row.value, row.state, row.short) for row in rows[:5]] == [
        (8, 8.0, "complete", None), (7, 7.0, "promoted", None), (6, 6.0, "promoted", None),
        (5, 5.0, "cut", 1.0), (4, 4.0, "cut", 2.0),
    ]  # fmt: skip
    assert rows[0].words == "went on, to its end"


def test_those_without_a_value_stand_at_the_end_and_pages_leave_nobody_out(alice):
    study = make(alice, "successive_halving", n_trials=130, max_resource=81, scheduler_options={"cohort_size": 130})
    study.parallel = 200
    study.save()
    trials = [ask(study) for _ in range(130)]
    for trial in trials[:70]:
        advance(trial, by_number)
    for trial in trials[70:]:
        fail_trial(trial_id=trial.pk, fence=1, reason_code="diverged", reason="no")
    pages = [standings(study, 4, 0, first=first) for first in range(0, 150, PER_PAGE)]
    assert [len(page) for page in pages] == [50, 50, 30]
    numbers = [row.number for page in pages for row in page]
    assert sorted(numbers) == list(range(130))
    assert numbers[:70] == list(range(69, -1, -1))


def test_of_very_many_those_that_came_far_are_drawn(alice, monkeypatch):
    monkeypatch.setattr("tuning.selectors.ladder.DRAWN", 20)
    study = make(alice, "successive_halving", n_trials=81, max_resource=81)
    run_out(study, by_number, workers=20)
    drawn = drawn_standings(study, 4)
    assert any(row.rung == 4 for row in drawn)
    assert len({row.number for row in drawn}) <= 10 < 81 < DRAWN
    assert {row.number for row in drawn} >= {80}


def test_reading_takes_the_same_queries_whatever_the_size(alice, django_assert_num_queries):
    study = make(alice)
    run_out(study, by_number)
    study.refresh_from_db()
    with django_assert_num_queries(4):
        ladder(study)
