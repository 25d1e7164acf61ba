"""Acquisition functions against values to ten digits (mpmath, 50 digits), and far into the tails."""

import numpy as np
import pytest

from tuning.engine.acquisition import (
    confidence_bound,
    confidence_bound_and_slopes,
    expected_improvement,
    log_expected_improvement,
    log_expected_improvement_and_slopes,
    log_h,
    log_probability_of_improvement_and_slopes,
    probability_of_improvement,
)

# mean, sd, best, EI, log EI, PI
CLOSED_FORMS = [
    (0.0, 1.0, 0.0, 0.398942280401, -0.91893853320467, 0.5),
    (1.0, 1.0, 0.0, 0.0833154705877, -2.4851210257126, 0.158655253931),
    (-1.0, 1.0, 0.0, 1.08331547059, 0.080026218849307, 0.841344746069),
    (0.5, 0.2, 0.3, 0.0166630941175, -4.0945589381467, 0.158655253931),
    (0.12, 0.05, 0.10, 0.0115219418474, -4.4635020747796, 0.34457825839),
    (5.0, 0.5, 0.0, 3.73728012729e-25, -56.246269216682, 7.61985302416e-24),
    (20.0, 0.5, 0.0, 0.0, -808.99171553718, 0.0),  # 4.6e-352 and 3.7e-350 are below the smallest double
    (0.30, 0.0, 0.35, 0.05, np.log(0.05), 1.0),
]
LOG_H = {
    1.0: 0.0800262188493069,
    0.0: -0.918938533204673,
    -1.0: -2.48512102571264,
    -5.0: -16.744301162661,
    -10.0: -55.5531220361224,
    -25.0: -319.861463581496,
    -26.0: -345.439546722318,
    -38.0: -730.196183402114,
    -40.0: -808.29856835662,
    -100.0: -5010.12957880025,
}


@pytest.mark.parametrize(("mean", "sd", "best", "ei", "log_ei", "pi"), CLOSED_FORMS)
def test_closed_forms(mean, sd, best, ei, log_ei, pi):
    assert expected_improvement(mean, sd, best) == pytest.approx(ei, rel=1e-10, abs=1e-320)
    assert log_expected_improvement(mean, sd, best) == pytest.approx(log_ei, rel=1e-12)
    assert probability_of_improvement(mean, sd, best) == pytest.approx(pi, rel=1e-10, abs=1e-320)


@pytest.mark.parametrize(("z", "expected"), LOG_H.items())
def test_log_h_within_its_stated_band(z, expected):
    band = {"abs": 1e-9, "rel": 0} if z >= -20 else {"rel": 1e-8, "abs": 0}
    assert float(log_h(z)) == pytest.approx(expected, **band)


def test_log_h_is_finite_and_rises_down_to_minus_ten_thousand_and_far_beyond():
    z = np.concatenate([-np.logspace(150, 4.1, 500), np.linspace(-1e4, 8, 200_001)])
    value = log_h(z)
    assert np.isfinite(value).all()
    assert (np.diff(value) > 0).all()


def test_log_h_has_no_seam_where_its_branches_meet():
    for seam in (-1.0, -6.7108864e7):
        left, right = log_h(np.array([np.nextafter(seam, -np.inf), np.nextafter(seam, np.inf)]))
        assert abs(right - left) <= 1e-12 * max(1.0, abs(left))


def test_without_uncertainty_and_improvement_there_is_nothing_to_expect():
    assert log_expected_improvement(0.4, 0.0, 0.35) == -np.inf
    assert expected_improvement(0.4, 0.0, 0.35) == 0.0
    assert probability_of_improvement(0.35, 0.0, 0.35) == 0.0


def test_arguments_broadcast():
    value = log_expected_improvement(np.zeros((4, 3)), np.ones((4, 1)), np.arange(3.0))
    assert value.shape == (4, 3)
    assert (np.diff(value, axis=1) > 0).all()


def test_the_confidence_bound_weighs_mean_and_uncertainty():
    assert confidence_bound(0.3, 0.2, 2.0) == pytest.approx(0.1)
    assert confidence_bound(0.3, 0.2, 0.0) == pytest.approx(-0.3)


@pytest.mark.parametrize(
    "criterion",
    [
        log_expected_improvement_and_slopes,
        log_probability_of_improvement_and_slopes,
        lambda mean, sd, best: confidence_bound_and_slopes(mean, sd, 1.7),
    ],
)
@pytest.mark.parametrize("z", [-30.0, -3.0, -0.99, 0.0, 2.0, 6.0])
def test_slopes_against_finite_differences(criterion, z):
    sd, best, step = 0.3, 0.1, 1e-6
    mean = best - z * sd
    value, by_mean, by_sd = criterion(mean, sd, best)
    numeric_mean = (criterion(mean + step, sd, best)[0] - criterion(mean - step, sd, best)[0]) / (2 * step)
    numeric_sd = (criterion(mean, sd + step, best)[0] - criterion(mean, sd - step, best)[0]) / (2 * step)
    assert np.isfinite(value)
    assert by_mean == pytest.approx(numeric_mean, rel=1e-5, abs=1e-7)
    assert by_sd == pytest.approx(numeric_sd, rel=1e-5, abs=1e-7)
