"""What every sampler must do, whatever its method. A sampler's tests inherit `SamplerContract`."""

import json
import random
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.spaces import spaces
from tuning.engine import (
    History,
    HistoryError,
    OptionError,
    SearchSpace,
    SpaceExhausted,
    Trial,
    TrialState,
    registry,
    rng_for,
)
from tuning.engine.values import identity

FINITE = {
    "layers": {"type": "int", "low": 1, "high": 4},
    "width": {"type": "int", "low": 8, "high": 12, "log": True},
    "units": {"type": "int", "low": 1, "high": 3, "prior": {"name": "normal", "mu": 2, "sigma": 1}},
    "dropout": {"type": "float", "low": 0.0, "high": 0.5, "step": 0.1, "when": {"layers": {"low": 2}}},
    "optimizer": {"type": "categorical", "choices": ["sgd", "adamw", None], "weights": [3, 1, 1]},
    "nesterov": {
        "type": "categorical",
        "choices": [True, 1],
        "when": {"optimizer": ["sgd"], "layers": [2, 3]},
    },
    "only": {"type": "categorical", "choices": [[1, 2]]},
    "batch": {"type": "constant", "value": 64},
}
CONTINUOUS = {
    "lr": {"type": "float", "low": 1e-5, "high": 1.0, "log": True},
    "momentum": {"type": "float", "low": 0.0, "high": 0.99, "when": {"lr": {"high": 0.1}}},
    "decay": {"type": "float", "prior": {"name": "log_normal", "mu": -6, "sigma": 2}},
    "share": {"type": "float", "prior": {"name": "beta", "a": 2, "b": 5}, "high": 0.8},
}
ENDINGS = [
    (TrialState.COMPLETE, 0.3, None),
    (TrialState.COMPLETE, float("nan"), None),
    (TrialState.COMPLETE, 1e300, None),
    (TrialState.PRUNED, 0.5, None),
    (TrialState.PRUNED, None, None),
    (TrialState.FAILED, None, "diverged"),
    (TrialState.FAILED, None, "cancelled"),
]


class SamplerContract:
    """Subclasses give `name`, and `finite` = True where continuous parameters are refused."""

    name: str
    finite = False
    seconds_at_10_000 = 1.0

    def sampler(self, **options):
        return registry.make_sampler(self.name, options)

    def space(self):
        return SearchSpace.from_json(FINITE if self.finite else FINITE | CONTINUOUS)

    def suggest(self, space, history, number=0, seed=1):
        return self.sampler().suggest(space, history, rng_for(seed, number))

    def filled(self, space, n, direction="minimize", seed=0):
        """A history of n random trials with every kind of ending."""
        rng = np.random.default_rng(seed)
        history = History(space, direction)
        for number in range(n):
            state, value, reason = ENDINGS[int(rng.integers(len(ENDINGS)))]
            params = space.from_unit(rng.random(len(space)))
            history.append(number, params, state, value=value, reason_code=reason, resource=3)
        return history

    @given(
        data=st.data(),
        n=st.integers(0, 12),
        pending=st.integers(0, 4),
        direction=st.sampled_from(["minimize", "maximize"]),
    )
    @settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
    def test_every_suggestion_is_a_legal_configuration(self, data, n, pending, direction):
        space = data.draw(spaces(finite=self.finite))
        history = self.filled(space, n, direction)
        waiting = []
        for number in range(n, n + pending):
            try:
                suggestion = self.suggest(space, history.with_pending(waiting), number)
            except SpaceExhausted:
                assert self.sampler().plan_size(space) is not None
                return
            assert identity(space.validate(suggestion.params)) == identity(suggestion.params)
            waiting.append(Trial(number, suggestion.params, TrialState.RUNNING))

    def test_the_first_suggestion_needs_no_history(self):
        space = self.space()
        assert space.contains(self.suggest(space, History(space)).params)

    def test_one_trial_is_a_history(self):
        space = self.space()
        assert space.contains(self.suggest(space, self.filled(space, 1), 1).params)

    @pytest.mark.parametrize("ending", ENDINGS)
    @pytest.mark.parametrize("direction", ["minimize", "maximize"])
    def test_a_history_of_nothing_but_one_ending(self, ending, direction):
        space = self.space()
        history = History(space, direction)
        state, value, reason = ending
        for number in range(20):
            history.append(
                number,
                space.from_unit(rng_for(7, number).random(len(space))),
                state,
                value,
                reason_code=reason,
            )
        assert space.contains(self.suggest(space, history, 20).params)

    def test_constants_and_single_choices_leave_one_configuration(self):
        space = SearchSpace.from_json({"only": FINITE["only"], "batch": FINITE["batch"]})
        assert self.suggest(space, History(space)).params == {"only": [1, 2], "batch": 64}

    def test_the_same_history_seed_and_number_give_the_same_suggestion(self):
        space = self.space()
        history = self.filled(space, 30)
        expected = self.suggest(space, history, 30)
        sampler = self.sampler()
        sampler.suggest(space, History(space), rng_for(5, 5))
        assert sampler.suggest(space, history, rng_for(1, 30)) == expected
        assert sampler.suggest(space, history, rng_for(1, 30)) == expected
        assert sampler.suggest(space, self.filled(space, 30), rng_for(1, 30)) == expected

    def test_everything_may_pass_through_json(self):
        space = self.space()
        history = self.filled(space, 10)
        expected = self.suggest(space, history, 10)
        again = SearchSpace.from_json(json.loads(json.dumps(space.to_json())))
        read = History(again)
        for i in range(history.n):
            trial = history.trial(i)
            read.append(
                trial.number,
                json.loads(json.dumps(dict(trial.params))),
                str(trial.state),
                value=trial.value,
                reason_code=trial.reason_code,
                resource=trial.resource,
            )
        suggestion = self.suggest(again, read, 10)
        assert identity(suggestion.params) == identity(expected.params)
        assert identity(json.loads(json.dumps(suggestion.params))) == identity(expected.params)

    def test_nothing_outside_is_changed(self):
        space = self.space()
        history = self.filled(space, 10).with_pending(
            [Trial(10, self.filled(space, 1).params(0), TrialState.RUNNING)]
        )
        before = (
            space.digest(),
            [history.params(i) for i in range(11)],
            history.unit.copy(),
            history.values.copy(),
        )
        numpy_state, python_state = np.random.get_state()[1].copy(), random.getstate()
        suggestion = self.suggest(space, history, 11)
        suggestion.params["only"].append(9)
        assert space.digest() == before[0]
        assert [history.params(i) for i in range(11)] == before[1]
        np.testing.assert_array_equal(history.unit, before[2])
        np.testing.assert_array_equal(history.values, before[3])
        np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)
        assert random.getstate() == python_state

    def test_parallel_suggestions_are_legal_and_take_the_pending_ones_into_account(self):
        space = self.space()
        history = self.filled(space, 5)
        waiting = []
        for number in range(5, 15):
            suggestion = self.suggest(space, history.with_pending(waiting), number)
            waiting.append(Trial(number, space.validate(suggestion.params), TrialState.RUNNING))
        assert len({identity(trial.params) for trial in waiting}) == 10
        assert history.n == 5

    def test_ten_thousand_trials_are_no_burden(self):
        space = (
            self.space()
            if not self.finite
            else SearchSpace.from_json({**FINITE, "k": {"type": "int", "low": 1, "high": 99}})
        )
        history = self.filled(space, 10_000)
        self.suggest(space, history, 10_000)  # what is derived from finished rows is kept
        start = time.perf_counter()
        suggestion = self.suggest(space, history, 10_001)
        assert time.perf_counter() - start < self.seconds_at_10_000
        assert space.contains(suggestion.params)

    def test_the_reason_is_a_sentence(self):
        space = self.space()
        why = self.suggest(space, self.filled(space, 3), 3).why
        assert why[0].isupper()
        assert why.endswith(".")
        assert len(why) > 10

    def test_a_history_of_another_space_is_refused(self):
        space = self.space()
        other = SearchSpace.from_json({"batch": {"type": "constant", "value": 32}})
        with pytest.raises(HistoryError, match="another search space"):
            self.suggest(space, History(other))

    def test_an_equal_space_is_not_another_one(self):
        assert self.suggest(self.space(), History(self.space())).params

    def test_an_unknown_option_is_refused_by_name(self):
        with pytest.raises(OptionError) as caught:
            self.sampler(no_such_option=1)
        assert caught.value.option == "no_such_option"

    def test_each_options_default_is_a_value_that_it_takes(self):
        for option in registry.samplers()[self.name].options:
            assert option.check(option.default) == option.default
            self.sampler(**{option.name: option.default})

    def test_a_plan_is_known_exactly_where_the_sampler_ends(self):
        space = SearchSpace.from_json({"k": {"type": "int", "low": 1, "high": 3}})
        size = self.sampler().plan_size(space)
        history = History(space)
        for number in range(size if size is not None else 30):
            history.append(
                number, self.suggest(space, history, number).params, TrialState.COMPLETE, value=1.0
            )
        if size is None:
            assert space.contains(self.suggest(space, history, 30).params)
        else:
            with pytest.raises(SpaceExhausted):
                self.suggest(space, history, size)
