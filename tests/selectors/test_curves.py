"""Curves and bands, and history points thinned to what a page can draw."""

import math

import numpy as np
import pytest

from tests.factories import make_running, make_study, report
from tuning.models import Trial
from tuning.selectors.curves import curve_band, study_curves, trial_curves
from tuning.selectors.history import history_points
from tuning.services.endings import complete_trial, prune_trial

METRIC = "validation/loss"


def test_curves_of_many_trials_take_three_queries(alice, django_assert_num_queries):
    study = make_study(alice, started=True, parallel=9)
    trials = [make_running(study) for _ in range(6)]
    for index, trial in enumerate(trials):
        report(trial, [float(index), 0.5], validation__accuracy=[0.1, 0.2])
    ids = [trial.pk for trial in trials]
    with django_assert_num_queries(3):
        curves = study_curves(study, ids)
    assert set(curves) == set(ids)
    assert list(curves[ids[0]]) == ["train/loss", "validation/accuracy", METRIC]
    assert curves[ids[3]][METRIC].values == [3.0, 0.5]
    only = study_curves(study, ids[:2], [METRIC])
    assert {name for by_name in only.values() for name in by_name} == {METRIC}
    assert study_curves(study, []) == {}
    assert trial_curves(trials[0]) == curves[ids[0]]


def test_another_studys_trials_are_not_read(alice):
    mine, other = (make_study(alice, started=True) for _ in range(2))
    trial = make_running(other)
    report(trial, [0.5])
    assert study_curves(mine, [trial.pk]) == {}


def test_the_band_is_the_quantiles_of_finite_values_at_each_step(alice):
    study = make_study(alice, started=True, parallel=20, n_trials=20)
    rng = np.random.default_rng(0)
    table = rng.random((10, 4))
    for index, row in enumerate(table):
        trial = make_running(study)
        report(trial, [math.nan if index == 0 else row[0], *row[1:]])
        complete_trial(trial_id=trial.pk, fence=1)
    report(make_running(study), [99.0])  # still running: not in the band
    silent = make_running(study)
    prune_trial(trial_id=silent.pk, fence=1)
    band = curve_band(study, METRIC)
    assert (band.steps, band.n_trials) == ([1, 2, 3, 4], 10)
    np.testing.assert_allclose(band.median[1:], np.median(table[:, 1:], axis=0))
    np.testing.assert_allclose(band.low[1:], np.quantile(table[:, 1:], 0.1, axis=0))
    np.testing.assert_allclose(band.high[1:], np.quantile(table[:, 1:], 0.9, axis=0))
    assert band.median[0] == pytest.approx(np.median(table[1:, 0]))
    assert curve_band(study, "nothing").steps == []


# --- history -----------------------------------------------------------------------------------------------------
def fill(study, values, state="COMPLETE"):
    Trial.objects.bulk_create(
        [Trial(study=study, number=n, value=value, state=state) for n, value in enumerate(values)]
    )


def test_short_histories_are_whole_and_leave_out_waiting(alice):
    study = make_study(alice)
    fill(study, [0.5, 0.4, None])
    Trial.objects.create(study=study, number=3)
    assert [(point.number, point.value) for point in history_points(study)] == [(0, 0.5), (1, 0.4), (2, None)]


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_a_long_history_keeps_every_improvement_and_the_newest(alice, direction):
    study = make_study(alice, direction=direction)
    values = np.random.default_rng(1).random(3000).tolist()
    fill(study, values)
    points = history_points(study, limit=200)
    numbers = [point.number for point in points]
    assert 100 <= len(points) <= 200
    assert numbers == sorted(set(numbers))
    sign = 1 if direction == "minimize" else -1
    improved = [n for n in range(3000) if all(sign * values[n] < sign * v for v in values[:n])]
    assert len(improved) < 100
    assert set(improved) <= set(numbers)
    assert numbers[-1] == 2999


def test_a_study_that_improves_all_the_time_is_thinned_all_the_same(alice):
    study = make_study(alice)
    fill(study, np.linspace(1, 0, 3000).tolist())
    points = history_points(study, limit=200)
    assert 100 <= len(points) <= 200
    assert points[-1].number == 2999


def test_a_failed_trial_improves_nothing(alice):
    study = make_study(alice)
    fill(study, [None, *np.linspace(1, 2, 500)], state="FAILED")
    assert len(history_points(study, limit=50)) <= 50
