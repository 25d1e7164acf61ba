"""Scales and bins against hand-computed constants, and priors against scipy.stats."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tuning.engine.priors import Beta, LogNormal, Normal
from tuning.engine.scales import (
    MAX_VALUES,
    MIN_BIN,
    EqualBins,
    LinearScale,
    LogBins,
    LogScale,
    WeightedBins,
    centre,
)

UNITS = st.floats(0.0, 1.0)


def test_the_linear_scale():
    scale = LinearScale(-2.0, 6.0)
    assert [scale.quantile(u) for u in (0.0, 0.25, 1.0)] == [-2.0, 0.0, 6.0]
    assert [scale.cdf(x) for x in (-2.0, 0.0, 6.0)] == [0.0, 0.25, 1.0]


def test_the_linear_scale_does_not_overflow():
    scale = LinearScale(-1.7e308, 1.7e308)
    assert scale.quantile(0.5) == 0.0
    assert scale.cdf(0.0) == 0.5
    assert scale.quantile(1.0) == 1.7e308


def test_the_log_scale_has_equal_decades():
    scale = LogScale(1e-5, 1e-1)
    assert scale.quantile(0.0) == 1e-5
    assert scale.quantile(1.0) == 1e-1
    assert scale.quantile(0.5) == pytest.approx(1e-3, rel=1e-14)
    assert scale.cdf(1e-4) == pytest.approx(0.25, abs=1e-15)


def test_the_log_scale_spans_all_doubles():
    scale = LogScale(1e-308, 1e308)
    assert scale.cdf(scale.quantile(0.3)) == pytest.approx(0.3, abs=1e-15)


@pytest.mark.parametrize("scale", [LinearScale, LogScale])
@pytest.mark.parametrize("low", [5e-324, 1e-300, 1.0, 1e6, 1.7e308])
def test_neighbouring_doubles_have_coordinates_of_their_own(scale, low):
    values = [low]
    for _ in range(4):
        values.append(math.nextafter(values[-1], math.inf))
    narrow = scale(low, values[-1])
    coordinates = [narrow.cdf(value) for value in values]
    assert coordinates == sorted(set(coordinates))
    assert (coordinates[0], coordinates[-1]) == (0.0, 1.0)
    assert all(abs(values.index(narrow.quantile(u)) - k) <= 1 for k, u in enumerate(coordinates))


@given(st.integers(1, MAX_VALUES), UNITS)
def test_equal_bins_find_back_the_index_of_every_centre(n, u):
    bins = EqualBins(n)
    k = bins.index(u)
    assert 0 <= k < n
    assert bins.index(centre(bins, k)) == k


@pytest.mark.parametrize("n", [1, 2, 3, 7, 10, 1000])
def test_equal_bins_meet_at_multiples_of_one_over_n(n):
    bins = EqualBins(n)
    assert [bins.span(k) for k in range(n)] == [(k / n, (k + 1) / n) for k in range(n)]
    assert bins.index(1.0) == n - 1


def test_log_bins_reach_from_half_below_to_half_above():
    bins = LogBins(1, 4)  # log(1/2), log(3/2), log(5/2), log(7/2), log(9/2)
    length = math.log(9)
    expected = [0.0, math.log(3) / length, math.log(5) / length, math.log(7) / length, 1.0]
    for k in range(4):
        assert bins.span(k) == pytest.approx((expected[k], expected[k + 1]), abs=1e-15)
    assert bins.index(0.0) == 0
    assert bins.index(0.499999) == 0  # log(3) / log(9) is one half
    assert bins.index(0.500001) == 1
    assert bins.index(1.0) == 3


@given(st.integers(1, 2**40 - 1), st.data())
def test_log_bins_find_back_the_index_of_every_centre(low, data):
    n = data.draw(st.integers(2, 2**40 - low + 1))
    bins = LogBins(low, n)
    for k in {0, n - 1, data.draw(st.integers(0, n - 1)), bins.index(data.draw(UNITS))}:
        assert bins.index(centre(bins, k)) == k


def test_weighted_bins_have_the_width_of_their_share():
    bins = WeightedBins(np.array([1.0, 3.0, 4.0]))
    assert [bins.span(k) for k in range(3)] == [(0.0, 0.125), (0.125, 0.5), (0.5, 1.0)]
    assert [bins.index(u) for u in (0.0, 0.124, 0.125, 0.5, 1.0)] == [0, 0, 1, 2, 2]


@pytest.mark.parametrize(
    "weights", [[1e-300, 1.0], [1.0, 1e-300, 1.0], [1.7e308] * 5, [0.0, 0.0, 1.0, 0.0], [5e-324, 1]]
)
def test_every_weighted_bin_keeps_a_coordinate(weights):
    bins = WeightedBins(np.array(weights))
    for k in range(len(weights)):
        start, end = bins.span(k)
        assert end - start > MIN_BIN / 2
        assert bins.index(centre(bins, k)) == k


# prior, low, high, the same in scipy.stats before truncation
PRIORS = [
    (Normal(0.3, 0.1), 0.0, 0.7, stats.norm(0.3, 0.1)),
    (Normal(0.0, 1.0), -math.inf, math.inf, stats.norm()),
    (Normal(0.0, 1.0), 2.0, math.inf, stats.norm()),
    (Normal(0.0, 1.0), 5.0, 5.9, stats.norm()),
    (Normal(0.0, 1.0), -5.9, -5.0, stats.norm()),
    (Normal(0.0, 1.0), 5.0, 20.0, stats.norm()),
    (Normal(-7.0, 2.5), -math.inf, -6.0, stats.norm(-7.0, 2.5)),
    (LogNormal(-3.0, 1.5), 0.0, math.inf, stats.lognorm(1.5, scale=math.exp(-3.0))),
    (LogNormal(1.0, 0.5), 1.0, 9.0, stats.lognorm(0.5, scale=math.e)),
    (Beta(2.0, 5.0), 0.0, 1.0, stats.beta(2.0, 5.0)),
    (Beta(0.5, 0.5), 0.1, 0.9, stats.beta(0.5, 0.5)),
    (Beta(2.0, 30.0), 0.5, 0.9, stats.beta(2.0, 30.0)),
]


@pytest.mark.parametrize(("prior", "low", "high", "reference"), PRIORS)
@pytest.mark.parametrize("u", [1e-9, 0.01, 0.3, 0.5, 0.9, 0.999])
def test_a_truncated_prior_is_the_reference_between_its_bounds(prior, low, high, reference, u):
    mass = (
        reference.sf(low) - reference.sf(high) if reference.cdf(low) > 0.5 else reference.cdf(high) - reference.cdf(low)
    )
    x = prior.truncated(low, high).quantile(u)
    assert low <= x <= high
    tail = reference.sf(low) - reference.sf(x) if reference.cdf(low) > 0.5 else reference.cdf(x) - reference.cdf(low)
    assert tail / mass == pytest.approx(u, rel=1e-7)
    assert prior.truncated(low, high).cdf(x) == pytest.approx(u, rel=1e-9)
    assert prior.mass(low, high) == pytest.approx(mass, rel=1e-9)


def test_quartiles_of_the_standard_normal():
    truncated = Normal(0.0, 1.0).truncated(-math.inf, math.inf)
    assert truncated.quantile(0.25) == pytest.approx(-0.674489750196082, abs=1e-14)
    assert truncated.quantile(0.975) == pytest.approx(1.959963984540054, abs=1e-13)
    assert truncated.cdf(1.0) == pytest.approx(0.841344746068543, abs=1e-14)


def test_the_median_of_a_log_normal_is_exp_mu():
    assert LogNormal(-2.0, 3.0).truncated(0.0, math.inf).quantile(0.5) == pytest.approx(math.exp(-2.0), rel=1e-14)


def test_beta_1_1_is_uniform_and_beta_2_1_has_the_square_as_its_distribution():
    assert Beta(1.0, 1.0).truncated(0.2, 0.7).quantile(0.4) == pytest.approx(0.4, abs=1e-14)
    assert Beta(2.0, 1.0).truncated(0.0, 1.0).quantile(0.25) == pytest.approx(0.5, abs=1e-14)


@pytest.mark.parametrize(("prior", "low", "high", "reference"), PRIORS)
def test_the_ends_of_the_unit_interval_give_finite_values_within_the_bounds(prior, low, high, reference):
    truncated = prior.truncated(low, high)
    for u, bound in ((0.0, low), (1.0, high)):
        x = truncated.quantile(u)
        assert math.isfinite(x)
        assert low <= x <= high
        if math.isfinite(bound) and bound > prior.support[0]:
            assert x == pytest.approx(bound, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("u", [5e-324, 2.2250738585e-313, 1e-300, 1e-17])
@pytest.mark.parametrize(("a", "b"), [(3.0, 1000.0), (0.5, 0.5), (1000.0, 3.0)])
def test_the_smallest_probabilities_give_a_value_of_a_beta_prior(u, a, b):
    for low, high in ((0.0, 1.0), (1e-300, 0.9)):
        assert low <= Beta(a, b).truncated(low, high).quantile(u) <= high
