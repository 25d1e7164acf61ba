"""Quasi-random search: the contract, evenness, and one scramble a study."""

import numpy as np
import pytest
from scipy.stats import qmc

from tests.engine.sampler_contract import CONTINUOUS, FINITE, SamplerContract
from tuning.engine import History, SearchSpace, Trial, TrialState, registry, rng_for
from tuning.engine.samplers.qmc import informative, sobol_point, startup_design

SQUARE = SearchSpace.from_json({name: {"type": "float", "low": 0.0, "high": 1.0} for name in "xy"})


class TestQuasiRandom(SamplerContract):
    name = "qmc"


def points(space, n, seed=0):
    return np.array([sobol_point(space, seed, number) for number in range(n)])


def test_trial_i_gets_point_i_of_one_sequence():
    scramble = np.random.default_rng(np.random.SeedSequence([4], spawn_key=(0,)))
    np.testing.assert_array_equal(points(SQUARE, 32, seed=4), qmc.Sobol(2, bits=30, rng=scramble).random(32))


@pytest.mark.parametrize("seed", range(5))
def test_each_elementary_interval_of_area_a_64th_holds_one_of_64_points(seed):
    """The defining property of a (0, 6, 2)-net, which the scramble keeps."""
    drawn = points(SQUARE, 64, seed)
    for k in range(7):
        cells = np.floor(drawn * [2**k, 2 ** (6 - k)]).astype(int)
        assert len(np.unique(cells, axis=0)) == 64


def test_the_first_trials_of_a_study_fill_the_cube_more_evenly_than_random_ones():
    sobol = [qmc.discrepancy(points(SQUARE, 20, seed)) for seed in range(20)]
    random = [qmc.discrepancy(np.random.default_rng(seed).random((20, 2))) for seed in range(20)]
    assert np.median(sobol) < 0.4 * np.median(random)


def test_another_seed_is_another_scramble():
    assert len({tuple(sobol_point(SQUARE, seed, 0)) for seed in range(20)}) == 20


def test_single_values_take_no_coordinate():
    padded = SearchSpace.from_json(
        {"a": {"type": "constant", "value": 1}, **SQUARE.to_json(), "b": {"type": "categorical", "choices": [1]}}
    )
    np.testing.assert_array_equal(points(padded, 8)[:, 1:3], points(SQUARE, 8))
    assert (points(padded, 8)[:, [0, 3]] == 0.5).all()


def test_whole_numbers_and_choices_come_in_their_shares_and_conditions_hold():
    space = SearchSpace.from_json(FINITE | CONTINUOUS)
    sampler, history = registry.make_sampler("qmc"), History(space)
    drawn = [sampler.suggest(space, history, rng_for(0, number)).params for number in range(256)]
    assert [sum(params["layers"] == k for params in drawn) for k in (1, 2, 3, 4)] == [64] * 4
    assert sum(params["optimizer"] == "sgd" for params in drawn) == pytest.approx(0.6 * 256, abs=2)
    assert all(space.contains(params) for params in drawn)
    assert all(("dropout" in params) == (params["layers"] >= 2) for params in drawn)


def test_the_sequence_begins_again_rather_than_end():
    np.testing.assert_array_equal(sobol_point(SQUARE, 0, 2**30 + 5), sobol_point(SQUARE, 0, 5))


def test_more_dimensions_than_the_sequence_has_are_filled_with_random_numbers():
    wide = SearchSpace.from_json({f"x{k}": {"type": "float", "low": 0.0, "high": 1.0} for k in range(21_203)})
    point = sobol_point(wide, 5, 3)
    numbers = np.random.default_rng(np.random.SeedSequence([5, 3], spawn_key=(0,))).random(2)
    np.testing.assert_array_equal(point[-2:], numbers)
    assert ((point >= 0) & (point < 1)).all()


def test_a_generator_from_elsewhere_counts_by_the_history():
    sampler, history = registry.make_sampler("qmc"), History(SQUARE)
    first = sampler.suggest(SQUARE, history, np.random.default_rng(5))
    assert first == sampler.suggest(SQUARE, history, np.random.default_rng(5))
    assert first.why == "Quasi-random: point 1 of a scrambled Sobol sequence."
    history.append(0, first.params, "COMPLETE", value=1.0)
    second = sampler.suggest(SQUARE, history, np.random.default_rng(5))
    assert second.params != first.params
    assert second.why.startswith("Quasi-random: point 2 of")


def test_the_start_up_design_is_the_same_sequence_and_says_where_it_stands():
    history = History(SQUARE)
    history.append(0, {"x": 0.1, "y": 0.1}, "COMPLETE", value=1.0)
    history.append(1, {"x": 0.2, "y": 0.1}, "FAILED", reason_code="diverged")
    history.append(2, {"x": 0.3, "y": 0.1}, "FAILED", reason_code="cancelled")
    history.append(3, {"x": 0.3, "y": 0.1}, "PRUNED", infeasible=True)
    assert informative(history).tolist() == [True, True, False, True]
    view = history.with_pending([Trial(4, {"x": 0.4, "y": 0.1}, TrialState.RUNNING)])
    suggestion = startup_design(SQUARE, view, rng_for(9, 5), 10)
    assert suggestion.why == "Start-up design 5 of 10."
    assert suggestion.params == dict(zip("xy", sobol_point(SQUARE, 9, 5), strict=True))
    assert "have not all answered yet" in startup_design(SQUARE, view, rng_for(9, 5), 4).why
