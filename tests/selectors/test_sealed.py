"""What of the test set counts for a trial: names and counts for everybody, values for a reveal."""

import math

import pytest
from django.db import IntegrityError, transaction

from tests.factories import make_running, make_study
from tuning.models import Attempt, SealedMetric
from tuning.selectors.sealed import sealed_counts, sealed_names, sealed_of


@pytest.fixture
def trial(alice):
    return make_running(make_study(alice, started=True))


def seal(trial, step, value, *, name="test/accuracy", fence=1, kind=""):
    SealedMetric.objects.create(trial=trial, name=name, fence=fence, step=step, value=value, value_kind=kind)


def values(trial):
    return [(row.name, row.step, row.value) for row in sealed_of(trial)]


def test_values_come_by_name_and_step(trial):
    seal(trial, 2, 0.5)
    seal(trial, 1, 0.25)
    seal(trial, 1, 0.125, name="test/a")
    assert values(trial) == [("test/a", 1, 0.125), ("test/accuracy", 1, 0.25), ("test/accuracy", 2, 0.5)]


def test_what_is_not_finite_comes_back_as_it_was(trial):
    for step, kind in enumerate(("nan", "inf", "-inf"), 1):
        seal(trial, step, None, kind=kind)
    nan, high, low = (row.value for row in sealed_of(trial))
    assert math.isnan(nan)
    assert (high, low) == (math.inf, -math.inf)


def test_steps_beyond_the_checkpoint_of_the_next_attempt_do_not_count(trial):
    for step in (1, 2, 3):
        seal(trial, step, step / 10)
    Attempt.objects.create(trial=trial, fence=2, start_step=1)
    seal(trial, 2, 0.75, fence=2)
    assert values(trial) == [("test/accuracy", 1, 0.1), ("test/accuracy", 2, 0.75)]


def test_of_a_step_that_two_attempts_reported_the_later_ones_counts(trial):
    seal(trial, 1, 0.5)
    Attempt.objects.create(trial=trial, fence=2, start_step=1)
    seal(trial, 1, 0.75, fence=2)
    assert values(trial) == [("test/accuracy", 1, 0.75)]


def test_names_and_counts_are_told_without_values(trial, alice):
    seal(trial, 1, 0.25)
    seal(trial, 2, 0.5)
    seal(trial, 2, 0.5, fence=2)
    seal(trial, 1, 1.5, name="test/loss")
    other = make_running(make_study(alice, started=True))
    seal(other, 1, 0.5, name="test/other")
    assert sealed_counts(trial) == {"test/accuracy": 2, "test/loss": 1}
    assert sealed_names(trial.study) == ["test/accuracy", "test/loss"]
    assert sealed_of(make_running(trial.study)) == []


def test_an_attempt_has_one_number_of_a_step(trial):
    seal(trial, 1, 0.25)
    with pytest.raises(IntegrityError), transaction.atomic():
        seal(trial, 1, 0.5)
