"""The Parzen estimator: bandwidths, masses and densities against constants computed by hand or by mpmath."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from tests.engine.spaces import spaces
from tuning.engine import SearchSpace
from tuning.engine.surrogates.bandwidths import neighbour_bandwidths
from tuning.engine.surrogates.parzen import (
    ParzenEstimator,
    log_bin_density,
    truncated_normal,
    truncation_mass,
)

FLOAT = {"type": "float", "low": 0.0, "high": 1.0}
INT = {"type": "int", "low": 1, "high": 4}
CHOICE = {"type": "categorical", "choices": ["a", "b", "c"]}
nan = float("nan")


def parameters(**documents):
    return SearchSpace.from_json(documents).parameters


def estimator(observed, weights=None, **documents):
    observed = np.array(observed, dtype=float)
    weights = np.ones(len(observed)) if weights is None else np.array(weights)
    return ParzenEstimator(parameters(**documents), observed, weights)


def column(*values):
    return np.array(values)[:, None]


# bandwidths


@pytest.mark.parametrize(
    ("points", "endpoints", "expected"),
    [
        ([0.5], False, [0.5]),  # alone: the ends of the range are all there is
        ([0.2], False, [0.8]),
        ([0.1, 0.5], False, [0.4, 0.4]),
        ([0.1, 0.5], True, [0.4, 0.5]),
        ([0.9, 0.1, 0.4], False, [0.5, 0.3, 0.5]),  # in the order of the points
        ([0.9, 0.1, 0.4], True, [0.5, 0.3, 0.5]),
        ([0.3, 0.3, 0.3], False, [0.2, 0.2, 0.2]),  # duplicates: the least, 1 / (3 + 2)
        ([0.3, 0.3, 0.3], True, [0.3, 0.2, 0.7]),
        ([0.0, 1.0], False, [1.0, 1.0]),
    ],
)
def test_a_bandwidth_is_the_larger_gap_to_a_neighbour(points, endpoints, expected):
    widths = neighbour_bandwidths(column(*points), consider_endpoints=endpoints)
    np.testing.assert_allclose(widths[:, 0], expected, atol=1e-15)


def test_the_least_bandwidth_falls_with_the_observations_to_a_hundredth():
    for n, least in [(3, 1 / 5), (10, 1 / 12), (98, 1 / 100), (500, 1 / 100)]:
        points = np.full((n, 1), 0.5)
        assert neighbour_bandwidths(points).min() == pytest.approx(least)
        assert neighbour_bandwidths(points, narrowing=0.5).min() == pytest.approx(least / 2)


def test_absent_parameters_have_no_bandwidth_and_count_as_nobodys_neighbour():
    points = np.array([[0.1, nan], [0.5, 0.2], [0.6, nan]])
    widths = neighbour_bandwidths(points)
    np.testing.assert_allclose(widths, [[0.4, nan], [0.4, 0.8], [0.2, nan]])
    assert np.isnan(neighbour_bandwidths(np.full((3, 1), nan))).all()
    assert neighbour_bandwidths(np.empty((0, 2))).shape == (0, 2)


# truncated normals (constants by mpmath, 30 digits)


def test_masses_of_truncated_normals():
    mean, deviation = np.array([0.5, 0.0, 1.0, 0.3]), np.array([1.0, 1.0, 0.5, 0.2])
    expected = [0.3829249225480262, 0.3413447460685429, 0.4772498680518208, 0.9329601696521064]
    np.testing.assert_allclose(truncation_mass(mean, deviation), expected, rtol=1e-13)


def test_quantiles_of_truncated_normals():
    for mean, deviation in [(0.5, 1.0), (0.0, 0.3), (1.0, 0.005), (0.2, 0.02)]:
        frozen = stats.truncnorm(-mean / deviation, (1 - mean) / deviation, mean, deviation)
        p = np.array([0.0, 0.01, 0.3, 0.5, 0.9, 1.0])
        np.testing.assert_allclose(
            truncated_normal(p, np.float64(mean), np.float64(deviation)), frozen.ppf(p), atol=1e-10
        )


def test_masses_of_bins_hold_into_the_tails():
    spans = np.array([[0.0, 0.25], [0.25, 0.5], [0.75, 1.0]])
    density = log_bin_density(spans, np.array([0.125]), np.array([0.05]))
    mass = np.exp(density[:, 0]) * 0.25
    # Phi(2.5) - Phi(-2.5), Phi(7.5) - Phi(2.5), Phi(17.5) - Phi(12.5), each over Phi(17.5) - Phi(-2.5)
    np.testing.assert_allclose(mass[:2], [0.9937515337902619, 0.0062484662097061], rtol=1e-10)
    assert mass[2] == pytest.approx(stats.norm.sf(12.5) / stats.norm.cdf(2.5), rel=1e-9)
    far = log_bin_density(np.array([[0.9, 1.0]]), np.array([0.0]), np.array([0.005]))
    assert np.isfinite(far).all()


# densities


def test_the_density_of_a_tiny_case_by_hand():
    """One kernel at 0.5 with bandwidth 0.5, truncated: N(0.5 | 0.5, 0.5) / 0.6827 = 1.1687; the prior weighs 1/2."""
    density = estimator([[0.5]], x=FLOAT)
    peak = 0.7978845608028654 / 0.6826894921370859
    expected = [math.log(0.5 * peak + 0.5), math.log(0.5 * peak * math.exp(-0.5) + 0.5)]
    np.testing.assert_allclose(density.log_density(column(0.5, 1.0)), expected, rtol=1e-12)


def test_the_ratio_of_a_good_and_a_bad_density_by_hand():
    """l: a kernel at 0.2 of bandwidth 0.8; g: kernels at 0.6 and 0.9, bandwidths 0.3, weights 1/3 each."""
    x = 0.25
    good = 0.5 * stats.truncnorm(-0.25, 1.0, 0.2, 0.8).pdf(x) + 0.5
    bad = (1 + sum(stats.truncnorm(-m / 0.3, (1 - m) / 0.3, m, 0.3).pdf(x) for m in (0.6, 0.9))) / 3
    ratio = estimator([[0.2]], x=FLOAT).log_density(column(x)) - estimator([[0.6], [0.9]], x=FLOAT).log_density(
        column(x)
    )
    np.testing.assert_allclose(ratio, [math.log(good) - math.log(bad)], rtol=1e-12)


def test_a_choice_by_hand():
    """Two observations of a: smoothing 3 / (2 + 1) = 1 for each choice: (1 + 1) / (1 + 3) for a, 1/4 for b and c."""
    density = estimator([[1 / 6], [1 / 6]], c=CHOICE)
    shares = np.exp(density.log_density(column(1 / 6, 1 / 2, 5 / 6))) / 3
    np.testing.assert_allclose(shares, [(2 * 1 / 2 + 1 / 3) / 3, (2 * 1 / 4 + 1 / 3) / 3, (2 / 4 + 1 / 3) / 3])
    assert shares.sum() == pytest.approx(1.0)


def test_a_whole_number_by_hand():
    density = estimator([[0.375]], k=INT)  # the value 2 owns 0.25..0.5; bandwidth 0.625
    edges = stats.norm.cdf((np.array([0.0, 0.25, 0.5, 0.75, 1.0]) - 0.375) / 0.625)
    expected = 0.5 * np.diff(edges) / (edges[-1] - edges[0]) + 0.5 * 0.25
    shares = np.exp(density.log_density(column(0.125, 0.375, 0.625, 0.875))) * 0.25
    np.testing.assert_allclose(shares, expected, rtol=1e-12)


def test_parameters_multiply_within_a_kernel_and_kernels_add():
    both = estimator([[0.2, 0.375], [0.7, 0.125]], [1.0, 3.0], x=FLOAT, k=INT)
    x = np.array([[0.3, 0.625]])
    np.testing.assert_allclose(both.weights, [0.2, 0.6, 0.2])
    one = estimator([[0.2], [0.7]], [1.0, 3.0], x=FLOAT).log_kernels(x[:, :1]) - np.log(both.weights)
    two = estimator([[0.375], [0.125]], [1.0, 3.0], k=INT).log_kernels(x[:, 1:]) - np.log(both.weights)
    np.testing.assert_allclose(both.log_kernels(x), one + two + np.log(both.weights), rtol=1e-12)


def test_a_kernel_says_nothing_about_a_parameter_that_its_trial_lacked():
    density = estimator([[0.2, nan], [0.7, 0.5]], x=FLOAT, y=FLOAT)
    with_y, without_y = np.array([[0.4, 0.6]]), np.array([[0.4, nan]])
    first, second, prior = density.log_kernels(with_y)[0]
    alone = density.log_kernels(without_y)[0]
    assert first == pytest.approx(alone[0])
    assert second != pytest.approx(alone[1])
    assert prior == pytest.approx(alone[2]) == math.log(1 / 3)


def test_without_observations_it_is_the_prior():
    density = estimator(np.empty((0, 2)), x=FLOAT, c=CHOICE)
    x = density.draw(np.random.default_rng(0), 500)
    np.testing.assert_array_equal(density.log_density(x), 0.0)
    assert stats.kstest(x[:, 0], "uniform").pvalue > 1e-3
    assert set(x[:, 1].round(3)) == {0.167, 0.5, 0.833}


def test_the_prior_of_choices_is_their_weights():
    weighted = {"type": "categorical", "choices": ["a", "b"], "weights": [9, 1]}
    density = estimator([[0.95]], c=weighted)  # b was seen: smoothing 3/2 a choice, so it is kept with 1 / (1 + 3)
    shares = np.exp(density.log_density(column(0.45, 0.95))) * [0.9, 0.1]
    np.testing.assert_allclose(shares, [0.5 * 0.75 * 0.9 + 0.5 * 0.9, 0.5 * (0.25 + 0.75 * 0.1) + 0.5 * 0.1])


def test_draws_follow_the_density():
    density = estimator([[0.2, 0.375, 1 / 6], [0.7, nan, 5 / 6]], x=FLOAT, k=INT, c=CHOICE)
    x = density.draw(np.random.default_rng(3), 4000)
    grid = (np.arange(2000) + 0.5) / 2000
    cdf = np.cumsum(np.exp(density.log_density(np.column_stack([grid, grid * nan, grid * nan])))) / 2000
    assert np.abs(np.interp(np.sort(x[:, 0]), grid, cdf) - np.arange(4000) / 4000).max() < 0.03
    for j, values in ((1, [0.125, 0.375, 0.625, 0.875]), (2, [1 / 6, 1 / 2, 5 / 6])):
        points = np.full((len(values), 3), nan)
        points[:, j] = values
        expected = np.exp(density.log_density(points)) / len(values)
        np.testing.assert_allclose([np.isclose(x[:, j], v).mean() for v in values], expected, atol=0.03)


def test_the_density_integrates_to_one():
    density = estimator([[0.02], [0.03], [0.9]], x=FLOAT)
    area, _ = integrate.quad(lambda x: math.exp(density.log_density(column(x))[0]), 0, 1, points=[0.02, 0.9])
    assert area == pytest.approx(1.0, abs=1e-7)


@given(space=spaces(), n=st.integers(0, 8), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_over_random_spaces_draws_are_legal_and_the_density_is_finite(space, n, seed):
    rng = np.random.default_rng(seed)
    observed = np.array([space.to_unit(space.from_unit(rng.random(len(space)))) for _ in range(n)])
    density = ParzenEstimator(space.parameters, observed.reshape(n, len(space)), np.ones(n))
    x = density.draw(rng, 16)
    assert ((x >= 0) & (x <= 1)).all()
    legal = np.array([space.to_unit(space.from_unit(row)) for row in x])
    assert np.isfinite(density.log_density(x)).all()
    assert np.isfinite(density.log_density(legal)).all()


def test_shapes_and_weights_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match=r"\(2, 1\), not \(3, 1\)"):
        ParzenEstimator(parameters(x=FLOAT), np.zeros((3, 1)), np.ones(2))
    with pytest.raises(ValueError, match="weight"):
        ParzenEstimator(parameters(x=FLOAT), np.zeros((0, 1)), np.ones(0), prior_weight=0.0)
