"""Leave-one-out: the closed form against the process without the trial, ranks, verdicts."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from tuning.engine import History, SearchSpace
from tuning.engine.surrogates.gaussian_process import GaussianProcess
from tuning.engine.surrogates.surrogate import surrogate_of
from tuning.engine.surrogates.validation import BAND, Validation, leave_one_out, rank_correlation

SPACE = SearchSpace.from_json(
    {
        "x": {"type": "float", "low": 0.0, "high": 1.0},
        "y": {"type": "float", "low": 0.0, "high": 1.0},
        "kind": {"type": "categorical", "choices": ["a", "b"]},
    }
)


def studied(n: int, loss, direction: str = "minimize", seed: int = 0) -> History:
    history, rng = History(SPACE, direction), np.random.default_rng(seed)
    for number in range(n):
        params = SPACE.from_unit(rng.random(3))
        history.append(number, params, "COMPLETE", loss(params, rng))
    return history


def smooth(params, rng) -> float:
    return (params["x"] - 0.4) ** 2 + 0.3 * params["y"] + 0.02 * float(rng.standard_normal())


def test_the_closed_form_is_the_process_without_the_trial() -> None:
    history = studied(20, smooth)
    surrogate = surrogate_of(SPACE, history)
    found = leave_one_out(surrogate, history)
    process = surrogate.process
    for i in range(20):
        rest = np.arange(20) != i
        without = GaussianProcess(process.X[rest], process.y[rest], surrogate.axes.owner, process.hyper)
        mean, variance = without.posterior(process.X[[i]])
        sd = np.sqrt(variance[0] + process.hyper.noise)
        assert found.predicted[i] == pytest.approx(surrogate.outputs.backward(mean)[0], rel=1e-6)
        assert found.low[i] == pytest.approx(surrogate.outputs.backward(mean - BAND * sd)[0], rel=1e-6)
        assert found.high[i] == pytest.approx(surrogate.outputs.backward(mean + BAND * sd)[0], rel=1e-6)
        assert bool(found.inside[i]) is bool(found.low[i] <= found.observed[i] <= found.high[i])


def test_a_smooth_objective_is_well_predicted_in_both_directions() -> None:
    for direction, sign in (("minimize", 1.0), ("maximize", -1.0)):
        history = studied(40, lambda params, rng, sign=sign: sign * smooth(params, rng), direction)
        found = leave_one_out(surrogate_of(SPACE, history), history)
        assert found.n == 40
        assert found.rank_correlation > 0.9
        assert 0.85 <= found.coverage <= 1.0
        assert found.verdict == "good"
        assert not found.overconfident
        assert (found.low <= found.predicted).all()
        assert (found.predicted <= found.high).all()
        np.testing.assert_array_equal(found.observed, history.values)


def test_noise_is_told_from_an_objective() -> None:
    history = studied(40, lambda params, rng: float(rng.standard_normal()), seed=3)
    found = leave_one_out(surrogate_of(SPACE, history), history)
    assert found.verdict == "poor"


def test_only_complete_trials_with_a_value_count() -> None:
    history = studied(8, smooth)
    history.append(8, {"x": 0.1, "y": 0.1, "kind": "a"}, "FAILED", reason_code="diverged")
    history.append(9, {"x": 0.2, "y": 0.1, "kind": "a"}, "PRUNED", 0.4)
    history.append(10, {"x": 0.3, "y": 0.1, "kind": "a"}, "COMPLETE", float("nan"))
    surrogate = surrogate_of(SPACE, history)
    assert len(surrogate.observations.rows) == 11
    assert leave_one_out(surrogate, history).numbers.tolist() == list(range(8))


def test_rank_correlation_is_spearmans() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 5, 30).astype(float), rng.standard_normal(30)
    assert rank_correlation(a, b) == pytest.approx(spearmanr(a, b).statistic)
    assert rank_correlation(a, np.exp(a)) == pytest.approx(1.0)
    assert rank_correlation(a, np.ones(30)) == 0.0
    assert rank_correlation(a[:2], b[:2]) is None


@pytest.mark.parametrize(
    ("n", "rho", "verdict"),
    [
        (5, 1.0, "unclear"),
        (40, 0.8, "good"),
        (40, 0.5, "fair"),
        (40, 0.35, "poor"),
        (8, 0.5, "poor"),
        (30, -0.9, "poor"),
    ],
)
def test_the_verdict_asks_for_size_and_for_more_than_chance(n: int, rho: float, verdict: str) -> None:
    zeros = np.zeros(n)
    found = Validation(np.arange(n), zeros, zeros, zeros, zeros, np.ones(n, dtype=bool), rho)
    assert found.verdict == verdict


def test_a_band_that_misses_a_third_is_overconfident() -> None:
    zeros = np.zeros(30)
    found = Validation(np.arange(30), zeros, zeros, zeros, zeros, np.arange(30) % 3 > 0, 0.9)
    assert found.overconfident
    assert found.coverage == pytest.approx(2 / 3)
