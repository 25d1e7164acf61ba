"""Whether an early order is the last one, told from a handful of trials."""

import math

import numpy as np
import pytest
from scipy.stats import spearmanr

from tuning.engine.agreement import agreements, rank_agreement


def test_rho_is_spearmans_with_ties_at_their_mean_ranks():
    low, high = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0], [2.0, 7.0, 1.0, 8.0, 2.0, 8.0]
    found = rank_agreement(low, high)
    assert found is not None
    assert found.rho == pytest.approx(spearmanr(low, high).statistic)
    assert found.n == 6


def test_the_interval_of_a_handful_is_wide_and_of_many_narrow():
    """Fisher's scale by hand for rho = 0.9, n = 5: artanh 1.4722, sqrt(1.405 / 2) = 0.8382."""
    found = rank_agreement([1, 2, 3, 4, 5], [1, 2, 3, 5, 4])
    assert found is not None
    assert found.rho == pytest.approx(0.9)
    assert found.low == pytest.approx(math.tanh(1.4722 - 1.96 * 0.8382), abs=1e-3)
    assert found.high == pytest.approx(math.tanh(1.4722 + 1.96 * 0.8382), abs=1e-3)
    rng = np.random.default_rng(0)
    x = rng.normal(size=400)
    many = rank_agreement(x.tolist(), (x + rng.normal(size=400)).tolist())
    assert many is not None
    assert many.high - many.low < 0.15


def test_the_interval_covers_what_is_true():
    """Pairs of a normal distribution with Spearman 0.683 (Pearson 0.7): 95 % of intervals of ten pairs hold it."""
    rng, true, hits = np.random.default_rng(1), 6 / math.pi * math.asin(0.35), 0
    for _ in range(500):
        x, e = rng.normal(size=(2, 10))
        found = rank_agreement(x.tolist(), (0.7 * x + math.sqrt(0.51) * e).tolist())
        assert found is not None
        hits += found.low <= true <= found.high
    assert 0.92 <= hits / 500 <= 0.99


def test_a_loss_that_is_not_finite_is_the_worst():
    whole = rank_agreement([1, 2, 3, 9], [1, 2, 3, 9])
    assert rank_agreement([1, 2, 3, math.nan], [1, 2, 3, math.inf]) == whole


@pytest.mark.parametrize(("low", "high"), [([1, 2, 3], [1, 2, 3]), ([1, 1, 1, 1], [1, 2, 3, 4]), ([], [])])
def test_too_little_says_nothing(low, high):
    assert rank_agreement(low, high) is None


def test_pairs_must_be_pairs():
    with pytest.raises(ValueError, match="2 values at the low and 1 at the full fidelity"):
        rank_agreement([1, 2], [1])


def test_each_early_step_against_the_last_one_of_trials_that_have_both():
    curves = [{1: 5.0 - k, 3: float(k), 9: float(k)} for k in range(5)] + [{1: 0.0, 3: 0.0}]
    found = agreements(curves, [1, 2, 3, 9])
    assert [(one.step, round(one.rho), one.n) for one in found] == [(1, -1, 5), (3, 1, 5)]
    assert agreements([], [1]) == []
