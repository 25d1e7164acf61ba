"""Carrying trials over to another space: what fits, what is assumed, what is left out and in which words."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.spaces import JSON_VALUES, spaces
from tuning.engine import History, HistoryError, Optimizer, ParamsError, SearchSpace, Trial, TrialState, transferred
from tuning.engine.transfer import NO_VALUE, SURROUNDINGS, UNFINISHED

WIDE = SearchSpace.from_json(
    {
        "lr": {"type": "float", "low": 1e-5, "high": 1.0, "log": True},
        "optimizer": {"type": "categorical", "choices": ["sgd", "adam", "lion"]},
        "momentum": {"type": "float", "low": 0.0, "high": 0.99, "when": {"optimizer": ["sgd"]}},
        "layers": {"type": "int", "low": 1, "high": 8},
        "clip": {"type": "float", "low": 0.0, "high": 9.0},
    }
)
NARROW = SearchSpace.from_json(
    {
        "lr": {"type": "float", "low": 1e-4, "high": 1e-2, "log": True},
        "optimizer": {"type": "categorical", "choices": ["adam", "sgd"]},
        "momentum": {"type": "float", "low": 0.5, "high": 0.99, "when": {"optimizer": ["sgd"]}},
        "nesterov": {"type": "categorical", "choices": [True, False], "when": {"optimizer": ["sgd"]}},
        "layers": {"type": "int", "low": 2, "high": 8, "step": 2},
        "batch": {"type": "constant", "value": 64},
    }
)
ADAM = {"lr": 1e-3, "optimizer": "adam", "layers": 4, "clip": 1.0}
SGD = {"lr": 1e-3, "optimizer": "sgd", "momentum": 0.9, "layers": 4, "clip": 1.0}


def complete(number, params, value=0.5):
    return Trial(number, params, TrialState.COMPLETE, value=value)


def uniform(space, seed):
    return space.from_unit(np.random.default_rng(seed).random(len(space)))


def test_a_shared_parameter_keeps_its_value_and_a_foreign_one_is_dropped():
    trial = Trial(7, ADAM, TrialState.COMPLETE, value=0.25, resource=9, bracket=1, rung=2, intermediate={9: 0.25})
    (carried,) = transferred(NARROW, [trial]).trials
    assert carried.params == {"lr": 1e-3, "optimizer": "adam", "layers": 4, "batch": 64}
    assert (carried.number, carried.value, carried.resource, carried.intermediate) == (7, 0.25, 9, {9: 0.25})
    assert (carried.origin, carried.bracket, carried.rung) == ("earlier", None, None)
    assert trial.params == ADAM  # the argument stays as it is


def test_what_does_not_fit_is_counted_by_its_reason_most_frequent_first():
    trials = [
        complete(0, {**ADAM, "lr": 0.5}),
        complete(1, {**ADAM, "lr": 1e-5}),
        complete(2, {**ADAM, "optimizer": "lion"}),
        complete(3, {**ADAM, "layers": 3}),
        complete(4, {**SGD, "momentum": 0.1}),
        complete(5, SGD),
        complete(6, ADAM),
    ]
    result = transferred(NARROW, trials)
    assert [trial.number for trial in result.trials] == [6]
    assert result.left_out == {
        "the value of lr is not a number from 0.0001 to 0.01": 2,
        'the value of optimizer is not one of "adam", "sgd"': 1,
        "the value of layers is not a whole number from 2 to 8 in steps of 2": 1,
        "the value of momentum is not a number from 0.5 to 0.99": 1,
        "no value of nesterov: assume one of true, false": 1,
    }
    assert next(iter(result.left_out.values())) == 2
    assert result.n_left_out == 6
    assert result.missing == ("nesterov",)


def test_a_new_parameter_takes_the_assumed_value_only_where_it_takes_part():
    result = transferred(NARROW, [complete(0, SGD), complete(1, ADAM)], {"nesterov": False})
    assert [trial.params.get("nesterov", "absent") for trial in result.trials] == [False, "absent"]
    assert result.left_out == {}


def test_what_is_missing_is_asked_for_at_once_and_only_where_it_would_help():
    space = SearchSpace.from_json(
        {
            "optimizer": {"type": "categorical", "choices": ["sgd", "adam"]},
            "lr": {"type": "float", "low": 1e-4, "high": 1e-2},
            "depth": {"type": "int", "low": 1, "high": 3},
            "width": {"type": "int", "low": 1, "high": 9},
            "nesterov": {"type": "categorical", "choices": [True, False], "when": {"optimizer": ["sgd"]}},
        }
    )
    result = transferred(space, [complete(0, ADAM), complete(1, {**SGD, "lr": 0.5})])
    assert result.missing == ("depth", "width")
    assert result.left_out == {
        "no value of depth and width: assume one for each": 1,
        "the value of lr is not a number from 0.0001 to 0.01": 1,
    }


def test_an_assumed_value_never_replaces_one_that_does_not_fit():
    assert transferred(NARROW, [complete(0, {**ADAM, "lr": 0.5})], {"lr": 1e-3}).trials == ()


def test_a_constant_brings_its_own_value_but_another_value_is_another_setting():
    assert transferred(NARROW, [complete(0, {**ADAM, "batch": 64})]).trials[0].params["batch"] == 64
    result = transferred(NARROW, [complete(0, {**ADAM, "batch": 32})])
    assert result.left_out == {"the value of batch is not 64": 1}


def test_a_parameter_that_no_longer_takes_part_is_dropped():
    space = SearchSpace.from_json(
        {
            "depth": {"type": "int", "low": 1, "high": 3},
            "width": {"type": "int", "low": 1, "high": 9, "when": {"depth": {"low": 2}}},
        }
    )
    (trial,) = transferred(space, [complete(0, {"depth": 1, "width": 5})]).trials
    assert trial.params == {"depth": 1}


@pytest.mark.parametrize(
    ("entry", "value", "kept"),
    [
        ({"type": "int", "low": 1, "high": 64}, 32.0, 32),
        ({"type": "float", "low": 1, "high": 64}, 32, 32.0),
        ({"type": "categorical", "choices": [16, 32]}, 32.0, 32),
        ({"type": "categorical", "choices": [0.0, 1.0]}, 1, 1.0),
        ({"type": "constant", "value": 32}, 32.0, 32),
        ({"type": "float", "low": 0.1, "high": 0.9, "step": 0.1}, 0.30000000000000004, 0.3),
    ],
)
def test_the_same_number_of_another_type_is_the_same_value(entry, value, kept):
    (trial,) = transferred(SearchSpace.from_json({"x": entry}), [complete(0, {"x": value})]).trials
    assert trial.params["x"] == kept
    assert type(trial.params["x"]) is type(kept)


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        ({"type": "int", "low": 0, "high": 64}, 1.5),
        ({"type": "int", "low": 0, "high": 64}, True),
        ({"type": "categorical", "choices": [0, 1]}, True),
        ({"type": "categorical", "choices": ["1", "2"]}, 1),
        ({"type": "categorical", "choices": [1, 1.0]}, True),
        ({"type": "float", "low": 0.1, "high": 0.9, "step": 0.1}, 0.35),
        ({"type": "float", "low": 0.0, "high": 1.0}, math.nextafter(1.0, 2.0)),
    ],
)
def test_a_value_is_not_bent_to_fit(entry, value):
    assert transferred(SearchSpace.from_json({"x": entry}), [complete(0, {"x": value})]).trials == ()


def test_only_trials_that_say_something_about_their_configuration_count():
    ended = [
        Trial(0, ADAM, TrialState.COMPLETE, value=1.0),
        Trial(1, ADAM, TrialState.PRUNED, value=2.0),
        Trial(2, ADAM, TrialState.PRUNED, infeasible=True, constraints=(1.0,)),
        Trial(3, ADAM, TrialState.FAILED, reason_code="diverged"),
        Trial(4, ADAM, TrialState.FAILED, reason_code="cancelled"),
        Trial(5, ADAM, TrialState.FAILED, reason_code="lost_host"),
        Trial(6, ADAM, TrialState.COMPLETE, value=None),
        Trial(7, ADAM, TrialState.COMPLETE, value=math.nan),
        Trial(8, ADAM, TrialState.RUNNING),
    ]
    result = transferred(NARROW, ended)
    assert [trial.number for trial in result.trials] == [0, 1, 2, 3]
    assert result.left_out == {SURROUNDINGS: 2, NO_VALUE: 2, UNFINISHED: 1}


def test_an_assumption_that_the_space_does_not_take_names_the_parameter():
    with pytest.raises(ParamsError) as caught:
        transferred(NARROW, [], {"layers": 3, "dropout": 0.1})
    assert [(issue.parameter, issue.message) for issue in caught.value.errors] == [
        ("layers", "3 is not a whole number from 2 to 8 in steps of 2"),
        ("dropout", "is not in the search space: the space has lr, optimizer, momentum, nesterov, layers, batch"),
    ]


@given(spaces(), st.integers(0, 10**6))
def test_within_one_space_it_is_the_identity(space, seed):
    params = uniform(space, seed)
    (trial,) = transferred(space, [complete(3, params)]).trials
    assert trial.params == params
    assert list(trial.params) == list(params)


@given(spaces(), spaces(), st.integers(0, 10**6), st.booleans())
def test_whatever_is_carried_over_validates_and_whatever_is_not_has_a_reason(source, target, seed, assume):
    trials = [complete(number, uniform(source, seed + number)) for number in range(5)]
    full = target.from_unit(np.random.default_rng(seed).random(len(target)))
    result = transferred(target, trials, full if assume else None)
    assert len(result.trials) + result.n_left_out == 5
    for trial in result.trials:
        assert target.validate(trial.params) == trial.params
        original = trials[trial.number].params
        for name in trial.params.keys() & original.keys():
            assert trial.params[name] == original[name] or math.isclose(trial.params[name], original[name])
    assert all(reason.startswith(("the value of ", "no value of ")) for reason in result.left_out)


@given(spaces(), st.dictionaries(st.sampled_from(["a_0", "b_0", "c_0", "a_1", "z"]), JSON_VALUES, max_size=4))
def test_any_json_configuration_is_carried_over_or_counted(space, params):
    result = transferred(space, [complete(0, params)])
    assert len(result.trials) + result.n_left_out == 1


# histories that hold them


def test_an_earlier_history_is_held_as_it_was_and_views_share_it():
    earlier = History.of_trials(NARROW, "maximize", transferred(NARROW, [complete(0, ADAM)]).trials)
    history = History(NARROW, earlier=[earlier])
    earlier.append(9, earlier.params(0), "COMPLETE", value=9.0)
    assert [h.numbers.tolist() for h in history.earlier] == [[0]]
    assert history.earlier[0].losses.tolist() == [-0.5]
    assert history.n == 0
    assert history.with_pending([]).earlier is history.earlier
    assert history.with_pending([]).with_pending([]).earlier is history.earlier


def test_open_trials_of_an_earlier_history_do_not_count():
    earlier = History(NARROW).with_pending([Trial(0, transferred(NARROW, [complete(0, ADAM)]).trials[0].params)])
    assert History(NARROW, earlier=[earlier]).earlier[0].n == 0


def test_an_earlier_history_of_another_space_is_refused_with_the_remedy():
    with pytest.raises(HistoryError, match=r"another search space: carry its trials over with transferred\("):
        History(NARROW, earlier=[History(WIDE)])
    with pytest.raises(HistoryError, match="another search space"):
        Optimizer(NARROW, "random", earlier=[History(WIDE)])
    equal = SearchSpace.from_json(NARROW.to_json())
    assert History(NARROW, earlier=[History(equal)]).earlier[0].n == 0


def test_an_optimizer_shows_earlier_trials_to_its_sampler_but_counts_none_of_them():
    old = Optimizer(WIDE, "random", seed=1)
    for _ in range(30):
        old.tell(old.ask().number, 0.5)
    carried = transferred(NARROW, old.trials, {"nesterov": True})
    assert 0 < len(carried.trials) < 30
    seen = []

    class Watching(type(Optimizer(NARROW, "random")._sampler)):
        def propose(self, space, history, rng):
            seen.append([earlier.n for earlier in history.earlier])
            return super().propose(space, history, rng)

    new = Optimizer(NARROW, Watching(), earlier=[History.of_trials(NARROW, "minimize", carried.trials)])
    assert new.ask().number == 0
    assert seen == [[len(carried.trials)]]
    assert len(new.trials) == 1
