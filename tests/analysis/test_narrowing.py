"""A range around a bracket: where it lies, what of the old entry stays, and that the engine takes it."""

import itertools

import pytest

from tuning.analysis import lint_space, narrowed
from tuning.engine import SearchSpace

OLD = {"type": "float", "low": 1e-5, "high": 0.1, "log": True}
SGD, ADAM = (0.105, 0.534), (0.00404, 0.0175)


@pytest.mark.parametrize(
    ("bracket", "low", "high"),
    [(SGD, 0.03, 2.0), (ADAM, 0.001, 0.06), ((1e-6, 1e-6), 3e-7, 4e-6), ((9.9e-4, 1.0), 3e-4, 4.0)],
)
def test_it_reaches_half_a_decade_beyond_both_ends_rounded_outwards(bracket, low, high):
    assert narrowed(OLD, bracket) == {"type": "float", "low": low, "high": high, "log": True}
    assert high / low >= 10, "never under the decade that the lint calls narrow"


def test_the_old_range_may_have_been_elsewhere():
    new = narrowed({"type": "float", "low": 1e-6, "high": 1e-5, "log": True}, SGD)
    assert (new["low"], new["high"]) == (0.03, 2.0)


@pytest.mark.parametrize(
    "entry",
    [
        OLD,
        {"type": "float", "low": 0.0, "high": 0.1},
        {"type": "float", "prior": {"name": "log_normal", "mu": -7.0, "sigma": 1.0}, "low": 1e-5, "high": 0.1},
        {"type": "float", "prior": {"name": "normal", "mu": 0.01, "sigma": 0.01}},
        {"type": "int", "low": 1, "high": 4},
        {"type": "categorical", "choices": [1e-4, 1e-3], "weights": [1, 3]},
        {"type": "constant", "value": 0.01},
    ],
)
def test_condition_and_annotation_stay_and_the_engine_takes_it(entry):
    entry = {**entry, "when": {"optimizer": ["sgd"]}, "annotation": "learning_rate"}
    new = narrowed(entry, ADAM)
    assert new == {
        "type": "float", "low": 0.001, "high": 0.06, "log": True,
        "when": {"optimizer": ["sgd"]}, "annotation": "learning_rate",
    }  # fmt: skip
    space = {"optimizer": {"type": "categorical", "choices": ["sgd", "adamw"]}, "step_size": new}
    assert SearchSpace.from_json(space).to_json()["step_size"] == new
    assert not [finding for finding in lint_space(space) if finding.parameter == "step_size"]


def test_a_step_stays_with_its_own_values():
    new = narrowed({"type": "float", "low": 0.0, "high": 0.5, "step": 0.05}, SGD)
    assert new == {"type": "float", "low": 0.05, "high": 2.0, "step": 0.05}
    SearchSpace.from_json({"lr": new})
    old = {"type": "float", "low": 0.001, "high": 0.301, "step": 0.01}
    new = narrowed(old, ADAM)
    assert new == {"type": "float", "low": 0.001, "high": 0.051, "step": 0.01}


def test_a_step_too_coarse_for_the_bracket_goes():
    new = narrowed({"type": "float", "low": 0.0, "high": 0.5, "step": 0.05}, ADAM)
    assert new == {"type": "float", "low": 0.001, "high": 0.06, "log": True}


def test_steps_never_reach_zero_or_below():
    for low, step in itertools.product((-0.3, 0.0, 0.001), (0.001, 0.007, 0.1)):
        new = narrowed({"type": "float", "low": low, "high": 1.0, "step": step}, (1e-4, 0.9))
        assert 0 < new["low"] < new["high"] <= 3.0
        SearchSpace.from_json({"lr": new})


def test_the_entry_given_is_not_changed():
    entry = {**OLD, "when": {"optimizer": ["sgd"]}}
    narrowed(entry, SGD)
    assert entry == {**OLD, "when": {"optimizer": ["sgd"]}}
