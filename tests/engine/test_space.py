"""Configurations of a space: validation, conditions, and the unit cube."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.spaces import spaces
from tuning.engine import ParamsError, SearchSpace
from tuning.engine.values import identity

# The example of the architecture's contract.
EXAMPLE = {
    "lr": {"type": "float", "low": 1e-5, "high": 0.1, "log": True},
    "optimizer": {"type": "categorical", "choices": ["sgd", "adamw"]},
    "momentum": {"type": "float", "low": 0.0, "high": 0.99, "when": {"optimizer": ["sgd"]}},
    "layers": {"type": "int", "low": 1, "high": 4},
    "units_2": {"type": "int", "low": 16, "high": 512, "log": True, "when": {"layers": {"low": 2}}},
    "dropout": {
        "type": "float",
        "prior": {"name": "normal", "mu": 0.3, "sigma": 0.1},
        "low": 0.0,
        "high": 0.7,
    },
    "augment": {"type": "categorical", "choices": ["none", "shift"], "weights": [1, 3]},
    "batch": {"type": "constant", "value": 64},
}
SGD = {
    "lr": 0.01,
    "optimizer": "sgd",
    "momentum": 0.9,
    "layers": 1,
    "dropout": 0.1,
    "augment": "none",
    "batch": 64,
}


@pytest.fixture(scope="module")
def space():
    return SearchSpace.from_json(EXAMPLE)


def wrong(space, params):
    with pytest.raises(ParamsError) as caught:
        space.validate(params)
    assert not space.contains(params)
    return {issue.parameter: issue.message for issue in caught.value.errors}


def test_a_configuration_without_what_does_not_take_part_is_valid(space):
    assert space.validate(dict(reversed(SGD.items()))) == SGD
    assert list(space.validate(dict(reversed(SGD.items())))) == [n for n in EXAMPLE if n != "units_2"]
    assert space.contains({**SGD, "layers": 2, "units_2": 16})


def test_values_come_back_in_their_parameters_own_type(space):
    params = space.validate(
        {**SGD, "momentum": 0, "layers": np.int64(2), "units_2": 32.0, "lr": np.float32(0.5) / 8}
    )
    assert [type(params[name]) for name in ("momentum", "layers", "units_2", "lr")] == [
        float,
        int,
        int,
        float,
    ]


def test_what_does_not_fit_is_named_with_its_remedy(space):
    assert wrong(space, {**SGD, "lr": 1.0}) == {"lr": "1.0 is not a number from 1e-05 to 0.1"}
    assert wrong(space, {**SGD, "layers": 2.5}) == {"layers": "2.5 is not a whole number from 1 to 4"}
    assert wrong(space, {**SGD, "layers": True}) == {"layers": "true is not a whole number from 1 to 4"}
    assert wrong(space, {**SGD, "optimizer": "adam"})["optimizer"] == '"adam" is not one of "sgd", "adamw"'
    assert wrong(space, {**SGD, "batch": 64.0}) == {"batch": "64.0 is not 64, the constant"}
    assert wrong(space, {**SGD, "lr": math.nan}) == {"lr": "nan is not a number from 1e-05 to 0.1"}
    assert wrong(space, {**SGD, "lr": "0.01"}) == {"lr": '"0.01" is not a number from 1e-05 to 0.1'}
    assert wrong(space, {**SGD, "lr": None}) == {"lr": "null is not a number from 1e-05 to 0.1"}


def test_a_name_that_is_empty_is_named_all_the_same(space):
    with pytest.raises(ParamsError, match=r'^"": is not in the search space: the space has lr'):
        space.validate({**SGD, "": 1})


def test_unknown_missing_and_switched_off_parameters_are_named(space):
    assert wrong(space, {**SGD, "dropuot": 0.2}) == {
        "dropuot": "is not in the search space: did you mean dropout?"
    }
    assert "the space has lr, optimizer" in wrong(space, {**SGD, "zzz": 1})["zzz"]
    assert wrong(space, {k: v for k, v in SGD.items() if k != "lr"}) == {
        "lr": "is missing: give a number from 1e-05 to 0.1"
    }
    assert wrong(space, {**SGD, "units_2": 16}) == {
        "units_2": "is given, but takes part only when layers is at least 2: leave it out"
    }
    assert wrong(space, {**SGD, "units_2": None})["units_2"].endswith("leave it out")


def test_a_faulty_parent_is_the_only_issue_of_its_children(space):
    assert list(wrong(space, {**SGD, "optimizer": "adam"})) == ["optimizer"]
    without = {k: v for k, v in SGD.items() if k not in ("optimizer", "momentum")}
    assert list(wrong(space, without)) == ["optimizer"]


def test_all_issues_are_found(space):
    assert list(wrong(space, {"lr": 9, "layers": 9, "x": 1, "optimizer": "adamw"})) == [
        "x", "lr", "layers", "dropout", "augment", "batch",
    ]  # fmt: skip


@pytest.mark.parametrize("params", [None, [], "lr", 3])
def test_what_is_no_configuration_is_refused(space, params):
    assert list(wrong(space, params)) == [None]


def test_several_parents_must_all_hold_and_an_absent_parent_never_does():
    space = SearchSpace.from_json(
        {
            "a": {"type": "categorical", "choices": [True, 1, None]},
            "b": {"type": "int", "low": 0, "high": 9, "when": {"a": [1, None]}},
            "c": {"type": "float", "low": 0, "high": 1, "when": {"a": [1], "b": {"low": 3, "high": 5}}},
            "d": {"type": "constant", "value": 0, "when": {"c": {"high": 0.5}}},
        }
    )
    assert space.contains({"a": True})
    assert not space.contains({"a": True, "b": 3})
    assert space.contains({"a": None, "b": 3})
    assert not space.contains({"a": None, "b": 3, "c": 0.7})
    assert space.contains({"a": 1, "b": 2})
    assert space.contains({"a": 1, "b": 5, "c": 0.7})
    assert space.contains({"a": 1, "b": 3, "c": 0.5, "d": 0})
    assert not space.contains({"a": 1, "b": 3, "c": 0.5})
    assert space.active({"a": 1, "b": 3}, "c")
    assert not space.active({"a": None, "b": 3}, "c")
    assert not space.active({}, "b")


def test_the_unit_cube_by_hand():
    space = SearchSpace.from_json(
        {
            "lr": {"type": "float", "low": 1e-4, "high": 1.0, "log": True},
            "momentum": {"type": "float", "low": 0.0, "high": 0.8},
            "layers": {"type": "int", "low": 1, "high": 4},
            "step": {"type": "float", "low": 0.1, "high": 0.5, "step": 0.1},
            "augment": {"type": "categorical", "choices": ["none", "shift"], "weights": [1, 3]},
            "batch": {"type": "constant", "value": 64},
            "off": {"type": "int", "low": 1, "high": 2, "when": {"layers": {"low": 4}}},
        }
    )
    params = {"lr": 0.01, "momentum": 0.2, "layers": 2, "step": 0.3, "augment": "shift", "batch": 64}
    expected = [0.5, 0.25, 0.375, 0.5, 0.625, 0.5, np.nan]
    np.testing.assert_allclose(space.to_unit(params), expected, rtol=1e-14)
    assert space.from_unit(space.to_unit(params)) == pytest.approx(params)
    assert space.from_unit([0.0] * 7) == {
        "lr": 1e-4, "momentum": 0.0, "layers": 1, "step": 0.1, "augment": "none", "batch": 64,
    }  # fmt: skip
    assert space.from_unit([1.0] * 7) == {
        "lr": 1.0, "momentum": 0.8, "layers": 4, "step": 0.5, "augment": "shift", "batch": 64, "off": 2,
    }  # fmt: skip


def test_stepped_values_are_the_decimals_that_were_meant():
    space = SearchSpace.from_json({"x": {"type": "float", "low": 0.1, "high": 1.0, "step": 0.1}})
    values = [params["x"] for params in space.grid()]
    assert values == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    assert space.validate({"x": 0.1 + 0.2}) == {"x": 0.3}
    assert not space.contains({"x": 0.30001})


@pytest.mark.parametrize(
    ("entry", "effective"),
    [
        ({"type": "float", "low": 0, "high": 1, "step": 0.3}, 0.9),
        ({"type": "float", "low": 0, "high": 0.9, "step": 0.3}, 0.9),
        ({"type": "int", "low": 1, "high": 10, "step": 4}, 9),
        ({"type": "float", "low": 0, "high": 1}, 1.0),
    ],
)
def test_a_step_that_does_not_divide_the_range_lowers_high(entry, effective):
    space = SearchSpace.from_json({"x": entry})
    assert space["x"].effective_high == effective
    assert space.from_unit([1.0]) == {"x": effective}
    assert space["x"].high == entry["high"]


def test_a_stepped_prior_gives_each_value_the_mass_within_half_a_step():
    entry = {"type": "int", "low": -1, "high": 1, "prior": {"name": "normal", "mu": 0, "sigma": 1}}
    space = SearchSpace.from_json({"x": entry})
    start, end = space["x"].span(0)
    # (Phi(0.5) - Phi(-0.5)) / (Phi(1.5) - Phi(-1.5)), from tables of Phi
    assert end - start == pytest.approx(0.382924922548026 / 0.866385597462284, abs=1e-12)


def test_the_tails_of_a_prior_stay_within_the_doubles():
    space = SearchSpace.from_json(
        {
            "n": {"type": "float", "prior": {"name": "normal", "mu": 0, "sigma": 1}},
            "l": {"type": "float", "low": 1e-3, "prior": {"name": "log_normal", "mu": 0, "sigma": 1}},
        }
    )
    assert space.from_unit([0, 0])["n"] == pytest.approx(-8.2, abs=0.1)
    assert space.from_unit([1, 1])["n"] == pytest.approx(8.2, abs=0.1)
    assert space.from_unit([0, 0])["l"] == 1e-3
    assert space.contains({"n": -1e300, "l": 1e300})
    assert not space.contains({"n": 0.0, "l": 1e-4})


@pytest.mark.parametrize(
    "u", [[0.5], [0.5, 0.5, 0.5], 0.5, [[0.5, 0.5]], [1.1, 0.5], [-0.1, 0.5], [math.nan, 0.5]]
)
def test_coordinates_that_are_none_are_refused(u):
    space = SearchSpace.from_json(
        {"a": {"type": "int", "low": 0, "high": 1}, "b": {"type": "float", "low": 0, "high": 1}}
    )
    with pytest.raises(ValueError, match=r"unit cube|0\.\.1"):
        space.from_unit(u)


def test_rounding_just_outside_the_cube_is_taken_as_its_face():
    space = SearchSpace.from_json({"b": {"type": "float", "low": 0, "high": 1}})
    assert space.from_unit([1.0 + 1e-12]) == {"b": 1.0}
    assert space.from_unit([-1e-12]) == {"b": 0.0}


def test_to_unit_names_the_value_that_does_not_fit(space):
    with pytest.raises(ParamsError, match=r"^layers: 9 is not a whole number from 1 to 4$"):
        space.to_unit({**SGD, "layers": 9})


def test_spaces_are_equal_by_their_form():
    assert SearchSpace.from_json(EXAMPLE) == SearchSpace.from_json(json.loads(json.dumps(EXAMPLE)))
    assert SearchSpace.from_json(EXAMPLE) != SearchSpace.from_json(
        {**EXAMPLE, "batch": {"type": "constant", "value": 65}}
    )
    assert len({SearchSpace.from_json(EXAMPLE), SearchSpace.from_json(EXAMPLE)}) == 1


@given(spaces(extreme=True), st.data())
@settings(max_examples=100, deadline=None)
def test_every_point_of_the_cube_is_a_legal_configuration_and_finds_its_way_back(space, data):
    u = data.draw(
        st.lists(st.floats(0, 1) | st.sampled_from([0.0, 0.5, 1.0]), min_size=len(space), max_size=len(space))
    )
    params = space.from_unit(u)
    assert identity(space.validate(params)) == identity(params)
    for parameter in space.parameters:
        assert (parameter.name in params) == space.active(params, parameter.name)
    unit = space.to_unit(params)
    np.testing.assert_array_equal(np.isnan(unit), [name not in params for name in space.names])
    assert np.all((unit[~np.isnan(unit)] >= 0) & (unit[~np.isnan(unit)] <= 1))
    again = space.from_unit(np.nan_to_num(unit, nan=0.5))
    rounded = {name for name in params if space[name].size is None and again.get(name) != params[name]}
    for name, value in params.items():
        condition = space[name].condition
        if condition is not None and not rounded.isdisjoint(condition.parents):
            rounded.add(name)  # rounding may carry a continuous parent over the condition's threshold
        elif space[name].size is not None:
            assert identity(again[name]) == identity(value)
        else:
            # Within rounding of the unit coordinate: the value is no further off than a step of 1e-9 in u.
            near = [
                space[name].from_unit(min(max(unit[space.names.index(name)] + d, 0.0), 1.0))
                for d in (-1e-9, 1e-9)
            ]
            rounding = 4 * np.spacing(abs(value))
            assert near[0] - rounding <= value <= near[1] + rounding
    assert identity(space.validate(json.loads(json.dumps(params)))) == identity(params)


@given(spaces(finite=True), st.data())
@settings(max_examples=60, deadline=None)
def test_every_value_of_a_finite_parameter_survives_the_unit_interval_exactly(space, data):
    for parameter in space.parameters:
        spans = [parameter.span(parameter.value_at(k)) for k in range(parameter.size)]
        assert spans[0][0] == 0.0
        assert spans[-1][1] == pytest.approx(1.0, abs=1e-12)
        for k, (start, end) in enumerate(spans):
            value = parameter.value_at(k)
            assert parameter.index_of(value) == k
            assert identity(parameter.from_unit(parameter.to_unit(value))) == identity(value)
            assert start < end
            inside = start + (end - start) * data.draw(st.floats(0.01, 0.99))
            assert identity(parameter.from_unit(inside)) == identity(value)
