"""Scores and the paired bootstrap, on cases whose answer is known."""

import numpy as np
import pytest

from tests.benchmarks.scores import compared, mean_of, paired_bound, score, scores_of

NAN = np.nan


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def test_score_is_one_at_the_best_zero_at_random_and_never_below_minus_one() -> None:
    assert score(2.0, best=2.0, random_median=6.0) == 1.0
    assert score(6.0, best=2.0, random_median=6.0) == 0.0
    assert score(5.0, best=2.0, random_median=6.0) == 0.25
    assert score(1e9, best=2.0, random_median=6.0) == -1.0


def test_scores_leave_nan_where_no_search_was_played() -> None:
    values = {
        "branin": {
            "random": {seed: [10.397887, 4.397887, 2.397887] for seed in range(1000, 1101)},
            "HEBO": {1000: [5.397887, 0.397887]},
            "auto": {1000: [10.397887, 0.397887, 0.397887], 1001: [0.397887, 0.397887]},
        }
    }
    assert scores_of(values, "HEBO", 25) == pytest.approx(np.array([[0.5, NAN]]), nan_ok=True)
    assert scores_of(values, "HEBO", 50) == pytest.approx(np.array([[1.0, NAN]]), nan_ok=True)
    assert scores_of(values, "HEBO", 100) == pytest.approx(np.array([[NAN, NAN]]), nan_ok=True)
    assert scores_of(values, "auto", 25) == pytest.approx(np.array([[0.0, 1.0]]))
    assert scores_of(values, "auto", 100) == pytest.approx(np.array([[1.0, NAN]]), nan_ok=True)
    assert scores_of(values, "random", 25) == pytest.approx(np.array([[0.0, 0.0]]))
    assert scores_of(values, "SMAC, GP", 25) == pytest.approx(np.array([[NAN, NAN]]), nan_ok=True)


def test_each_problem_weighs_the_same_however_many_seeds_it_has() -> None:
    scores = np.array([[1.0, 1.0, 1.0, 1.0], [0.0, NAN, NAN, NAN], [NAN, NAN, NAN, NAN]])
    assert mean_of(scores) == 0.5
    assert np.isnan(mean_of(scores[2:]))


def test_a_constant_difference_has_no_width() -> None:
    theirs = rng().random((6, 20))
    assert paired_bound(theirs + 0.1, theirs) == pytest.approx((0.1, 0.1, 0.1))


def test_pairing_removes_what_a_seed_does_to_both() -> None:
    luck = rng().normal(0, 5, (6, 20))
    mean, low, high = paired_bound(luck + 0.1 + rng().normal(0, 0.01, (6, 20)), luck)
    assert low > 0.09
    assert high - low < 0.01
    assert low < mean < high


def test_one_problem_gives_the_interval_of_the_mean() -> None:
    """Against the normal approximation 1.96 s / sqrt(n), with s of n - 1 degrees of freedom."""
    difference = rng().normal(0.2, 1.0, (1, 400))
    mean, low, high = paired_bound(difference, np.zeros((1, 400)))
    width = 1.96 * np.std(difference, ddof=1) / 20
    assert mean == pytest.approx(difference.mean())
    assert low == pytest.approx(mean - width, abs=0.1 * width)
    assert high == pytest.approx(mean + width, abs=0.1 * width)


def test_seeds_are_drawn_for_all_problems_at_once() -> None:
    """Problems that copy each other add no knowledge: the interval is that of one of them."""
    one = rng().normal(0, 1, (1, 20))
    alone = paired_bound(one, np.zeros_like(one))
    copies = np.repeat(one, 12, axis=0)
    assert paired_bound(copies, np.zeros_like(copies)) == pytest.approx(alone)


def test_problems_are_not_drawn() -> None:
    """Differences between problems are no uncertainty here: each problem is always in."""
    difference = np.repeat(np.array([[0.9], [-0.5], [0.1]]), 20, axis=1)
    mean, low, high = paired_bound(difference, np.zeros_like(difference))
    assert (low, high) == pytest.approx((mean, mean))
    assert mean == pytest.approx(1 / 6)


def test_only_what_both_played_counts() -> None:
    ours = np.full((3, 20), 0.5)
    theirs = np.full((3, 20), NAN)
    theirs[1, :5] = [0.4, 0.3, 0.4, 0.3, 0.35]
    mean, low, high = paired_bound(ours, theirs)
    assert mean == pytest.approx(0.15)
    assert (mean, low, high) == paired_bound(ours[1:2, :5], theirs[1:2, :5])


def test_five_seeds_are_given_the_width_that_five_seeds_have() -> None:
    """The draws' spread is that of s / sqrt(n) with s of n - 1 degrees of freedom, not of n."""
    difference = np.array([[-2.0, -1.0, 0.0, 1.0, 2.0]])
    mean, low, high = paired_bound(difference, np.zeros((1, 5)), draws=40_000)
    width = 1.96 * np.std(difference, ddof=1) / np.sqrt(5)
    assert mean == pytest.approx(0.0)
    assert high == pytest.approx(width, rel=0.08)
    assert low == pytest.approx(-width, rel=0.08)


@pytest.mark.parametrize("theirs", [np.full((2, 5), NAN), np.array([[0.1, NAN, NAN, NAN, NAN]] * 2)])
def test_less_than_two_seeds_is_no_comparison(theirs: np.ndarray) -> None:
    with pytest.raises(ValueError, match="at least two seeds"):
        paired_bound(np.zeros((2, 5)), theirs)
    assert compared(["one", "two"], np.zeros((2, 5)), theirs) is None


@pytest.mark.parametrize(("shift", "verdict"), [(0.3, "won"), (0.0, "tied"), (-0.3, "lost")])
def test_a_comparison_says_won_tied_or_lost_and_where_it_is_behind(shift: float, verdict: str) -> None:
    noise = rng().normal(0, 0.1, (2, 20))
    noise -= noise.mean(axis=1, keepdims=True)
    found = compared(["one", "two"], noise + np.array([[shift - 0.05], [shift + 0.05]]), np.zeros((2, 20)))
    assert found is not None
    assert found.verdict == verdict
    assert found.mean == pytest.approx(shift)
    assert str(found).startswith(f"{verdict}, {found.mean:+.3f} [{found.low:+.3f}, {found.high:+.3f}]")
    assert "2 problems x 20 seeds" in str(found)
    assert found.worst() == {"won": "", "tied": "one -0.05", "lost": "one -0.35, two -0.25"}[verdict]
