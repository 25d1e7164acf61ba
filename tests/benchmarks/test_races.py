"""The races of `bench fidelity`: tables that are whole, an honest count of epochs, and the incumbent's rule."""

import numpy as np
import pytest

from tests.benchmarks import races
from tests.benchmarks.learning_curves import RECIPES, as_trained, configurations
from tests.benchmarks.peers import pruning
from tests.benchmarks.races import Over, Problem, Track, hpweb, problem_named

CURVES = np.array([[[9.0, 1.0, 5.0]], [[8.0, 2.0, 2.0]], [[7.0, 3.0, 3.0]]])  # one seed, three epochs; row 1 is best
NODES = {"x": (0, 1, 2)}
SPACE = {"x": {"type": "int", "low": 0, "high": 2, "step": 1}}


def small() -> Problem:
    return Problem("small", NODES, SPACE, np.repeat(CURVES, 3, axis=0)[[0, 3, 6]])


@pytest.mark.parametrize("name", [*races.REAL, *races.SINGLE, *races.SYNTHETIC])
def test_a_problem_is_its_whole_grid(name):
    problem = problem_named(name)
    count = int(np.prod([len(values) for values in problem.nodes.values()]))
    assert problem.losses.shape == (count, 1 if name in races.REAL else 3, problem.epochs)
    assert len(problem.best()) == -(-count // 50)


@pytest.mark.parametrize("name", races.REAL)
def test_the_truly_best_are_the_same_whatever_a_trial_shows(name):
    mean, single = problem_named(name), problem_named(name + races.ONE_SEED)
    assert mean.best() == single.best()
    np.testing.assert_allclose(mean.losses[:, 0], single.losses.mean(axis=1))


@pytest.mark.parametrize("name", RECIPES)
def test_a_configuration_is_found_at_its_row(name):
    problem = problem_named(name)
    assert [problem.row(params) for params in configurations(name)] == list(range(len(problem.losses)))


def test_the_tables_are_as_large_as_was_asked():
    assert problem_named("digits_mlp").losses.shape[0] >= 300
    assert problem_named("digits_mlp").epochs == 81
    assert problem_named("digits_cnn").losses.shape[0] >= 100
    assert problem_named("digits_cnn").epochs == 27


def test_parameters_are_trained_as_the_workload_names_them():
    own = as_trained({"log10_lr": -2.0, "log2_units": 6, "dropout": 0.25})
    assert own == {"lr": 0.01, "units": 64, "dropout": 0.25, "momentum": 0.9, "weight_decay": 0.0}


def test_the_incumbent_is_the_best_of_those_that_came_furthest():
    track = Track(small(), seed=0)
    assert track.train(0, {"x": 2}, 1) == 7.0  # the least loss after one epoch, and not the best configuration
    assert track.train(1, {"x": 1}, 1) == 8.0
    assert (track.found, track.epochs) == (None, 2)
    track.train(1, {"x": 1}, 2)
    assert track.found is None, "two epochs are no rung"
    with pytest.raises(Over):
        track.train(1, {"x": 1}, 3)
    assert (track.found, track.finished, track.epochs) == (4, 4, 4)


def test_a_race_ends_with_half_of_the_grid():
    track = Track(small(), seed=0)
    for number in range(3):
        track.train(number, {"x": 0}, 1)
    with pytest.raises(Over):
        track.train(3, {"x": 0}, 1)
    assert (track.found, track.finished, track.epochs) == (None, None, 4)


CONTENDERS = {
    "random": hpweb("random", None),
    "tpe on ASHA": hpweb("tpe", "asha"),
    "gp on Hyperband": hpweb("gp", "hyperband"),
    "optuna Hyperband": pruning.hyperband,
    "optuna successive halving": pruning.successive_halving,
    "optuna median": pruning.median,
    "syne-tune ASHA": pruning.syne_tune_asha,
}


@pytest.mark.parametrize("name", CONTENDERS)
def test_a_contender_runs_its_race_and_repeats_it_for_a_seed(name):
    if name.startswith("syne"):
        pytest.importorskip("syne_tune.optimizer.schedulers.asha", reason="requirements-bench.txt has it")
    problem = problem_named("digits_cnn")
    ends = []
    for _ in range(2):
        track = Track(problem, seed=5)
        with pytest.raises(Over):
            CONTENDERS[name](problem, 5, track)
        assert track.finished is not None or track.epochs == problem.most
        ends.append((track.found, track.finished, track.epochs))
    assert ends[0] == ends[1]
