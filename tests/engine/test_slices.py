"""Cuts through a model: they say what the model says, on every kind of parameter."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.spaces import spaces
from tuning.engine import History, SearchSpace, Trial, TrialState
from tuning.engine.surrogates.axes import axes_of
from tuning.engine.surrogates.slices import LINE, PLANE, anchor, best_with, cut, effects, nearness
from tuning.engine.surrogates.surrogate import surrogate_of

SPACE = SearchSpace.from_json(
    {
        "lr": {"type": "float", "low": 1e-5, "high": 0.1, "log": True},
        "optimizer": {"type": "categorical", "choices": ["sgd", "adamw", True]},
        "momentum": {"type": "float", "low": 0.0, "high": 0.9, "when": {"optimizer": ["sgd"]}},
        "units": {"type": "int", "low": 16, "high": 512, "log": True},
        "layers": {"type": "int", "low": 1, "high": 5},
        "shift": {"type": "float", "prior": {"name": "normal", "mu": 0.0, "sigma": 2.0}},
        "width": {"type": "float", "prior": {"name": "log_normal", "mu": 0.0, "sigma": 1.0}, "low": 0.0},
    }
)


def loss(params) -> float:
    return (np.log10(params["lr"]) + 3) ** 2 + 0.1 * (params["optimizer"] == "sgd") + 0.02 * params["layers"]


def history_of(space=SPACE, n=40, direction="minimize", sign=1.0) -> History:
    history, rng = History(space, direction), np.random.default_rng(1)
    for number in range(n):
        params = space.from_unit(rng.random(len(space)))
        history.append(number, params, "COMPLETE", sign * loss(params))
    return history


@pytest.mark.parametrize("acquisition", ["ei", "pi", "ucb"])
@pytest.mark.parametrize("name", [name for name in SPACE.names if name != "momentum"])
def test_a_slice_is_what_the_model_predicts(name: str, acquisition: str) -> None:
    history = history_of(direction="maximize", sign=-1.0).with_pending(
        [Trial(40, SPACE.from_unit(np.full(7, 0.4)), TrialState.RUNNING)]
    )
    surrogate = surrogate_of(SPACE, history, acquisition=acquisition)
    row = next(row for row in range(40) if history.params(row)["optimizer"] == "sgd")
    held = anchor(surrogate, history.unit[row])
    made = cut(surrogate, -1.0, held, [name])
    configurations = [history.params(row) | {name: value} for value in made.x.values]
    if name == "optimizer":  # the others have no momentum
        configurations = [
            {key: value for key, value in params.items() if key != "momentum" or params["optimizer"] == "sgd"}
            for params in configurations
        ]
    median, sd = surrogate.predict(configurations)
    np.testing.assert_allclose(made.expected.median, median, rtol=1e-6)
    np.testing.assert_allclose(made.expected.sd, sd, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(made.expected.acquisition, surrogate.acquisition(configurations), rtol=1e-5, atol=1e-8)
    assert made.present.all()
    expected = made.expected
    for lower, higher in (
        (expected.trial_low, expected.low),
        (expected.low, expected.median),
        (expected.median, expected.high),
        (expected.high, expected.trial_high),
    ):
        assert (lower <= higher + 1e-12).all()


def test_the_values_of_a_side_suit_its_kind() -> None:
    history = history_of()
    surrogate = surrogate_of(SPACE, history)
    held, other = (anchor(surrogate, history.unit[row]) for row in (0, 1))

    def side(name: str):
        return cut(surrogate, 1.0, held, [name], [other]).x

    assert side("layers").values == (1, 2, 3, 4, 5)
    assert side("layers").stepped
    assert side("optimizer").values == ("sgd", "adamw", True)
    lr = side("lr")
    assert (lr.log, lr.stepped, lr.values[0], lr.values[-1]) == (True, False, pytest.approx(1e-5), pytest.approx(0.1))
    assert len(lr.values) == LINE + 2  # the marks' values beside the even ones
    for row in (0, 1):
        assert min(abs(value - history.params(row)["lr"]) for value in lr.values) < 1e-12
    units = side("units").values
    assert list(units) == sorted(set(units))
    assert all(isinstance(value, int) for value in units)
    assert np.isfinite(side("shift").values).all()
    assert side("width").log
    assert min(side("width").values) > 0


def test_a_plane_has_every_combination_and_blanks_where_a_parameter_takes_no_part() -> None:
    history = history_of()
    surrogate = surrogate_of(SPACE, history)
    made = cut(surrogate, 1.0, anchor(surrogate, history.unit[0]), ["momentum", "optimizer"])
    momenta, optimizers = made.columns()
    wide = len(made.x.values)
    assert len(momenta) == len(optimizers) == len(made.present) == 3 * wide
    assert wide > PLANE  # the other side has few values
    assert optimizers[0] == "sgd"
    assert optimizers[wide] == "adamw"
    assert momenta[:wide] == list(made.x.values)
    np.testing.assert_array_equal(made.present, [value == "sgd" for value in optimizers])
    both = cut(surrogate, 1.0, anchor(surrogate, history.unit[0]), ["lr", "width"])
    assert len(both.present) == PLANE * PLANE


def test_an_absent_parameter_is_held_where_the_best_trial_has_it() -> None:
    history = history_of()
    surrogate = surrogate_of(SPACE, history)
    with_momentum = [row for row in range(40) if "momentum" in history.params(row)]
    best = min(with_momentum, key=lambda row: history.losses[row])
    without = next(row for row in range(40) if row not in with_momentum)
    axis = surrogate.axes.names.index("momentum")
    assert anchor(surrogate, history.unit[without])[axis] == pytest.approx(history.unit[best, 2])
    assert anchor(surrogate, history.unit[best])[axis] == pytest.approx(history.unit[best, 2])
    assert best_with(surrogate, ["momentum", "lr"]) == best
    made = cut(surrogate, 1.0, anchor(surrogate, history.unit[without]), ["momentum"])
    assert not made.present.any()


def test_effects_find_what_moves_the_value() -> None:
    surrogate = surrogate_of(SPACE, history_of())
    found = dict(zip(surrogate.axes.names, effects(surrogate), strict=True))
    assert max(found, key=found.__getitem__) == "lr"
    assert found["lr"] > 5 * found["shift"]
    assert all(effect >= 0 for effect in found.values())


def test_trials_on_the_slice_are_near_and_others_are_not() -> None:
    history = history_of()
    surrogate = surrogate_of(SPACE, history)
    held = anchor(surrogate, history.unit[5])
    near = nearness(surrogate, held, [surrogate.axes.names.index("lr")], surrogate.points)
    assert near[5] == pytest.approx(1.0)
    assert (near <= 1.0).all()
    every = nearness(surrogate, held, range(surrogate.axes.m), surrogate.points)
    np.testing.assert_allclose(every, 1.0)


@given(space=spaces(), seed=st.integers(0, 2**16))
@settings(max_examples=40, deadline=None)
def test_every_parameter_of_any_space_can_be_cut(space: SearchSpace, seed: int) -> None:
    if axes_of(space).m == 0:
        return
    history, rng = History(space), np.random.default_rng(seed)
    for number in range(6):
        history.append(number, space.from_unit(rng.random(len(space))), "COMPLETE", float(rng.random()))
    surrogate = surrogate_of(space, history)
    held = anchor(surrogate, history.unit[0])
    for name in surrogate.axes.names:
        made = cut(surrogate, 1.0, held, [name])
        for value in made.x.values:
            assert space[name].canonical(value) == value
        assert len(made.x.values) == len(made.present) >= 2 or space[name].size is None
        for numbers in (made.expected.median, made.expected.sd, made.expected.acquisition):
            assert np.isfinite(numbers).all()
    assert np.isfinite(effects(surrogate)).all()
