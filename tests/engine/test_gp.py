"""The sampler "gp": the contract, and what is particular to it."""

import math

import numpy as np
import pytest

from tests.engine.sampler_contract import CONTINUOUS, FINITE, SamplerContract
from tuning.engine import History, OptionError, SearchSpace, Trial, TrialState, registry, rng_for
from tuning.engine.acquisition_search import search
from tuning.engine.surrogates.surrogate import surrogate_of
from tuning.engine.values import identity

SQUARE = SearchSpace.from_json({name: {"type": "float", "low": 0.0, "high": 1.0} for name in "xy"})
BRANCHES = SearchSpace.from_json(
    {
        "model": {"type": "categorical", "choices": ["svm", "net"]},
        "c": {"type": "float", "low": 1e-3, "high": 1e3, "log": True, "when": {"model": ["svm"]}},
        "lr": {"type": "float", "low": 1e-4, "high": 1.0, "log": True, "when": {"model": ["net"]}},
        "shared": {"type": "float", "low": 0.0, "high": 1.0},
    }
)


class TestGP(SamplerContract):
    name = "gp"


class TestGPByProbability(SamplerContract):
    name = "gp"

    def sampler(self, **options):
        return super().sampler(**{"acquisition": "pi", **options})


class TestGPByConfidenceBound(SamplerContract):
    name = "gp"

    def sampler(self, **options):
        return super().sampler(**{"acquisition": "ucb", "n_startup_trials": 1, **options})


def run(space, objective, n, seed=0, direction="minimize", **options):
    """The history of n trials, one after the other."""
    sampler, history = registry.make_sampler("gp", options), History(space, direction)
    for number in range(n):
        suggestion = sampler.suggest(space, history, rng_for(seed, number))
        history.append(number, suggestion.params, TrialState.COMPLETE, value=objective(suggestion.params))
    return history


def bowl(params):
    return (params["x"] - 0.3) ** 2 + (params["y"] - 0.7) ** 2


# what it finds


def branin(params):
    x, y = 15 * params["x"] - 5, 15 * params["y"]
    hill = (y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6) ** 2
    return hill + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10


def hartmann6(params):
    a = np.array(
        [
            [10, 3, 17, 3.5, 1.7, 8],
            [0.05, 10, 17, 0.1, 8, 14],
            [3, 3.5, 1.7, 10, 17, 8],
            [17, 8, 0.05, 10, 0.1, 14],
        ]
    )
    p = 1e-4 * np.array(
        [
            [1312, 1696, 5569, 124, 8283, 5886],
            [2329, 4135, 8307, 3736, 1004, 9991],
            [2348, 1451, 3522, 2883, 3047, 6650],
            [4047, 8828, 8732, 5743, 1091, 381],
        ]
    )
    inner = (a * (np.array(list(params.values())) - p) ** 2).sum(axis=1)
    return -float(np.array([1.0, 1.2, 3.0, 3.2]) @ np.exp(-inner))


def test_branin_within_two_hundredths_in_fifty_trials():
    regrets = [min(run(SQUARE, branin, 50, seed).losses) - 0.397887 for seed in range(5)]
    assert np.median(regrets) < 0.02


def test_hartmann_6_within_four_tenths_in_fifty_trials():
    cube = SearchSpace.from_json({f"x{k}": {"type": "float", "low": 0.0, "high": 1.0} for k in range(6)})
    regrets = [min(run(cube, hartmann6, 50, seed).losses) + 3.32237 for seed in range(5)]
    assert np.median(regrets) < 0.4


def test_the_better_branch_of_a_conditional_space_is_found_and_refined():
    def objective(params):
        own = (math.log10(params["c"]) - 1) ** 2 if "c" in params else (math.log10(params["lr"]) + 2) ** 2 - 1
        return own + (params["shared"] - 0.4) ** 2

    for seed in range(3):
        assert min(run(BRANCHES, objective, 30, seed).losses) < -0.98


def test_the_direction_is_the_studys():
    history = run(SQUARE, lambda params: -bowl(params), 25, direction="maximize")
    assert max(history.values) > -0.001


# what it makes of bad data


def test_one_diverged_loss_does_not_blind_it():
    history = run(SQUARE, lambda params: 1e9 if params["x"] > 0.8 else bowl(params), 30)
    assert min(history.losses) < 0.001
    assert (history.losses[-15:] < 1e9).sum() >= 12


def test_failed_trials_steer_away_and_lost_ones_do_not():
    sampler, failed, lost = registry.make_sampler("gp"), History(SQUARE), History(SQUARE)
    for number in range(24):
        params = SQUARE.from_unit(rng_for(5, number).random(2))
        corner = params["x"] < 0.5
        value = None if corner else 1.0 + params["x"]
        state = TrialState.FAILED if corner else TrialState.COMPLETE
        failed.append(number, params, state, value, reason_code="diverged" if corner else None)
        lost.append(number, params, state, value, reason_code="lost_host" if corner else None)
    away = [sampler.suggest(SQUARE, failed, rng_for(seed, 24)).params["x"] for seed in range(5)]
    towards = [sampler.suggest(SQUARE, lost, rng_for(seed, 24)).params["x"] for seed in range(5)]
    assert min(away) > 0.35
    assert max(towards) < 0.4


def test_equal_values_are_answered_by_the_design():
    history = run(SQUARE, lambda params: 0.5, 12)
    suggestion = registry.make_sampler("gp").suggest(SQUARE, history, rng_for(0, 12))
    assert suggestion.why == "GP: all values so far are the same, so the start-up design goes on."
    assert len(np.unique(history.unit, axis=0)) == 12


def test_the_same_configuration_with_different_values_is_noise():
    history = History(SQUARE)
    for number in range(20):
        history.append(number, {"x": 0.5, "y": 0.5}, TrialState.COMPLETE, value=float(rng_for(0, number).random()))
    suggestion = registry.make_sampler("gp").suggest(SQUARE, history, rng_for(0, 20))
    assert suggestion.params != {"x": 0.5, "y": 0.5}


# discrete spaces


def test_no_configuration_of_a_finite_space_comes_twice_until_all_were_tried():
    space = SearchSpace.from_json(
        {
            "k": {"type": "int", "low": 1, "high": 6},
            "c": {"type": "categorical", "choices": ["a", "b", "c", "d"]},
        }
    )

    def objective(params):
        return (params["k"] - 4) ** 2 + "badc".index(params["c"])

    history = run(space, objective, 24, n_startup_trials=4)
    model_based = [identity(history.params(i)) for i in range(4, 24)]
    assert len(set(model_based)) == 20
    assert min(history.losses[:14]) == 0
    suggestion = registry.make_sampler("gp").suggest(space, history, rng_for(0, 24))
    assert space.contains(suggestion.params)


def test_the_search_ends_where_no_single_exchange_is_better():
    """Exact along each discrete parameter: every neighbour of what is found is worse."""
    space = SearchSpace.from_json(FINITE | {"big": {"type": "int", "low": 1, "high": 5000, "log": True}})
    rng, history = np.random.default_rng(3), History(space)
    for number in range(25):
        history.append(number, space.from_unit(rng.random(len(space))), "COMPLETE", float(rng.random()))
    model = surrogate_of(space, history)
    found = search(model, np.random.default_rng(0))
    best = found.points[0]
    assert (np.diff(found.values) <= 0).all()
    for j, axis in enumerate(model.axes.axes):
        for coordinate in axis.neighbours(float(best[j])):
            other = best.copy()
            other[j] = coordinate
            assert model.value(other[None])[0] <= found.values[0] + 1e-9


def test_the_search_finds_what_a_fine_grid_finds():
    rng, history = np.random.default_rng(0), History(SQUARE)
    for number in range(15):
        params = SQUARE.from_unit(rng.random(2))
        history.append(number, params, "COMPLETE", branin(params))
    ticks = np.linspace(0, 1, 201)
    grid = np.array([[x, y] for x in ticks for y in ticks])
    for acquisition in ("ei", "pi", "ucb"):
        model = surrogate_of(SQUARE, history, acquisition=acquisition)
        assert search(model, np.random.default_rng(1)).values[0] >= model.value(grid).max() - 1e-3


# parallel trials


def test_ten_parallel_suggestions_spread():
    history = run(SQUARE, bowl, 12)
    waiting = []
    for number in range(12, 22):
        view = history.with_pending(waiting)
        params = registry.make_sampler("gp").suggest(SQUARE, view, rng_for(0, number)).params
        waiting.append(Trial(number, params, TrialState.RUNNING))
    points = np.array([[trial.params["x"], trial.params["y"]] for trial in waiting])
    distances = np.sqrt(((points[:, None] - points) ** 2).sum(axis=2))[np.triu_indices(10, 1)]
    assert distances.min() > 0.02
    assert np.median(distances) > 0.1
    alone = [registry.make_sampler("gp").suggest(SQUARE, history, rng_for(0, n)).params for n in range(12, 22)]
    clustered = np.array([[params["x"], params["y"]] for params in alone])
    assert points.std(axis=0).sum() > 3 * clustered.std(axis=0).sum()


# options and words


def test_suggestions_keep_their_distance_from_trials():
    history = run(SQUARE, bowl, 40)
    distances = np.sqrt(((history.unit[:, None] - history.unit) ** 2).sum(axis=2))
    assert distances[np.triu_indices(40, 1)].min() > 1e-3


def test_the_acquisition_is_a_choice():
    history = run(SQUARE, branin, 15)
    chosen = {
        acquisition: registry.make_sampler("gp", {"acquisition": acquisition, "kappa": 50.0})
        .suggest(SQUARE, history, rng_for(0, 15))
        .params
        for acquisition in ("ei", "pi", "ucb")
    }
    assert len({identity(params) for params in chosen.values()}) == 3
    with pytest.raises(OptionError, match="acquisition"):
        registry.make_sampler("gp", {"acquisition": "eI"})


def test_the_start_up_design_comes_first_and_says_so():
    history = run(SQUARE, bowl, 5, n_startup_trials=7)
    suggestion = registry.make_sampler("gp", {"n_startup_trials": 7}).suggest(SQUARE, history, rng_for(0, 5))
    assert suggestion.why == "Start-up design 6 of 7."


def test_with_several_trials_at_once_the_model_does_not_wait_for_the_last_of_the_design():
    history = run(SQUARE, bowl, 5)
    out = [Trial(5 + k, SQUARE.from_unit(rng_for(9, k).random(2)), TrialState.RUNNING) for k in range(3)]
    sampler = registry.make_sampler("gp")
    still = sampler.suggest(SQUARE, history.with_pending(out[:2]), rng_for(0, 7)).why
    assert still == "Start-up design 8 of 8."
    assert sampler.suggest(SQUARE, history.with_pending(out), rng_for(0, 8)).why.startswith("GP: ")


def test_the_reason_names_what_is_improved_or_explored():
    history = run(SQUARE, bowl, 10)
    reasons = [
        registry.make_sampler("gp", {"acquisition": "ucb", "kappa": kappa}).suggest(SQUARE, history, rng_for(0, 10)).why
        for kappa in (0.0, 50.0)
    ]
    best = f"{min(history.values):.4g}"
    assert reasons[0].startswith(f"GP: expected to improve on {best} near trial ")
    assert reasons[1] in ("GP: exploring x.", "GP: exploring y.")


def test_a_history_that_has_grown_changes_no_earlier_suggestion():
    """No state: neither in the sampler nor in what is kept about spaces and histories."""
    space = SearchSpace.from_json(FINITE | CONTINUOUS)
    rng = np.random.default_rng(0)
    history, shorter = History(space), History(space)
    for number in range(30):
        params, value = space.from_unit(rng.random(len(space))), float(rng.random())
        history.append(number, params, "COMPLETE", value)
        if number < 20:
            shorter.append(number, params, "COMPLETE", value)
    sampler = registry.make_sampler("gp")
    expected = registry.make_sampler("gp").suggest(space, shorter, rng_for(1, 20))
    sampler.suggest(space, history, rng_for(1, 30))
    assert sampler.suggest(space, shorter, rng_for(1, 20)) == expected


def test_a_noisy_study_does_not_look_at_one_spot_again_and_again():
    """Noise as large as what is left to gain: the trials after the start still lie apart."""
    rng = np.random.default_rng(5)
    history = History(SQUARE)
    sampler = registry.make_sampler("gp")
    for number in range(40):
        params = sampler.suggest(SQUARE, history, rng_for(3, number)).params
        history.append(number, params, "COMPLETE", bowl(params) + 0.1 * rng.standard_normal())
    late = history.unit[20:]
    nearest = [np.abs(late[i] - np.delete(late, i, axis=0)).max(axis=1).min() for i in range(len(late))]
    assert np.median(nearest) > 0.03
