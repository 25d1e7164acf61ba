"""What every sampler must do, whatever its method. A sampler's tests inherit `SamplerContract`."""

import functools
import gc
import json
import random
import sys
import time
import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.elsewhere import suggestions, suggestions_elsewhere
from tests.engine.histories import KINDS, history_of, mirrored, random_trials
from tests.engine.spaces import JSON_VALUES, spaces
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
FIRST_TWO = {name: FINITE[name] for name in ("layers", "width")}
ENDINGS = [
    (TrialState.COMPLETE, 0.3, None),
    (TrialState.COMPLETE, float("nan"), None),
    (TrialState.COMPLETE, 1e300, None),
    (TrialState.PRUNED, 0.5, None),
    (TrialState.PRUNED, None, None),
    (TrialState.FAILED, None, "diverged"),
    (TrialState.FAILED, None, "cancelled"),
]


SEEDS = st.integers(0, 2**32 - 1)


def over_random_spaces(examples):
    """Hypothesis' settings for a contract that several classes inherit."""
    return settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.differing_executors])


@functools.cache
def ten_thousand_trials(finite):
    """A space and a history of 10,000 trials in it; nobody appends to it."""
    more = {"k": {"type": "int", "low": 1, "high": 99}} if finite else CONTINUOUS
    space = SearchSpace.from_json(FINITE | more)
    return space, history_of(space, random_trials(space, 10_000))


class SamplerContract:
    """Subclasses give `name`, and `finite` = True where continuous parameters are refused."""

    name: str
    finite = False
    budget: int | None = None
    parallel = 1
    seconds_at_10_000 = 1.0

    def sampler(self, **options):
        return registry.make_sampler(self.name, options, budget=self.budget, parallel=self.parallel)

    def space(self):
        return SearchSpace.from_json(FINITE if self.finite else FINITE | CONTINUOUS)

    def suggest(self, space, history, number=0, seed=1):
        return self.sampler().suggest(space, history, rng_for(seed, number))

    def suggest_or_end(self, space, history, number=0, seed=1):
        """The suggestion, None where the sampler's plan is at its end, which must be one that has an end."""
        try:
            return self.suggest(space, history, number, seed)
        except SpaceExhausted:
            assert self.sampler().plan_size(space) is not None
            return None

    def random_space(self, data, max_size=8):
        return data.draw(spaces(self.finite, max_size, extreme=True), label="space")

    # over random spaces and histories

    @given(
        data=st.data(),
        n=st.sampled_from([0, 1, 2, 7, 20]),
        pending=st.sampled_from([0, 1, 9]),
        kind=KINDS,
        seed=SEEDS,
        direction=st.sampled_from(["minimize", "maximize"]),
    )
    @over_random_spaces(20)
    def test_every_suggestion_is_a_legal_configuration_and_comes_without_a_warning(
        self, data, n, pending, kind, seed, direction
    ):
        """Whatever the space, the endings and the values: bounds, steps, logs, priors, conditions, constants."""
        space = self.random_space(data, max_size=12)
        trials = random_trials(space, n, pending, kind, seed)
        for number in (n + pending, n + pending + 1):
            with warnings.catch_warnings(), np.errstate(all="raise", under="ignore"):
                warnings.simplefilter("error")
                suggestion = self.suggest_or_end(space, history_of(space, trials, direction), number)
            if suggestion is None:
                return
            assert identity(space.validate(suggestion.params)) == identity(suggestion.params)
            assert suggestion.why[0].isupper() and suggestion.why.endswith(".") and "nan" not in suggestion.why.split()
            trials.append(Trial(number, suggestion.params, TrialState.RUNNING))

    @given(data=st.data(), n=st.sampled_from([0, 1, 9, 20]), pending=st.sampled_from([0, 3]), kind=KINDS, seed=SEEDS)
    @over_random_spaces(10)
    def test_to_maximise_is_to_minimise_the_negative(self, data, n, pending, kind, seed):
        space = self.random_space(data)
        trials = random_trials(space, n, pending, kind, seed)
        smallest = self.suggest_or_end(space, history_of(space, trials, "minimize"), n + pending)
        largest = self.suggest_or_end(space, history_of(space, mirrored(trials), "maximize"), n + pending)
        assert (smallest and identity(smallest.params)) == (largest and identity(largest.params))

    @given(data=st.data(), n=st.sampled_from([0, 1, 9, 20]), pending=st.sampled_from([0, 3]), kind=KINDS, seed=SEEDS)
    @over_random_spaces(10)
    def test_everything_may_pass_through_json(self, data, n, pending, kind, seed):
        space = self.random_space(data)
        trials = random_trials(space, n, pending, kind, seed)
        expected = self.suggest_or_end(space, history_of(space, trials), n + pending)
        again = SearchSpace.from_json(json.loads(json.dumps(space.to_json())))
        read = [replace(trial, params=json.loads(json.dumps(trial.params))) for trial in trials]
        suggestion = self.suggest_or_end(again, history_of(again, read), n + pending)
        assert suggestion == expected
        if suggestion is not None:
            assert identity(json.loads(json.dumps(suggestion.params))) == identity(suggestion.params)

    @given(data=st.data(), n=st.sampled_from([0, 1, 9, 20]), pending=st.sampled_from([0, 3]), kind=KINDS, seed=SEEDS)
    @over_random_spaces(10)
    def test_a_sampler_remembers_nothing(self, data, n, pending, kind, seed):
        """Twice the same, after other studies, from a new object, from a history that was kept or made anew."""
        space, other = self.random_space(data), self.space()
        trials = random_trials(space, n, pending, kind, seed)
        kept = history_of(space, trials)
        expected = self.suggest_or_end(space, kept, n + pending)
        if expected is None:
            return
        sampler = self.sampler()
        before = {name: repr(value) for name, value in vars(sampler).items()}
        assert sampler.suggest(space, kept, rng_for(1, n + pending)) == expected
        sampler.suggest(other, history_of(other, random_trials(other, 12, 2, seed=seed)), rng_for(5, 14))
        assert sampler.suggest(space, kept, rng_for(1, n + pending)) == expected
        assert sampler.suggest(space, history_of(space, trials), rng_for(1, n + pending)) == expected
        assert {name: repr(value) for name, value in vars(sampler).items()} == before

    @given(data=st.data(), n=st.sampled_from([2, 9, 20]), kind=KINDS, seed=SEEDS)
    @over_random_spaces(10)
    def test_trials_may_finish_in_any_order(self, data, n, kind, seed):
        space = self.random_space(data)
        trials = random_trials(space, n, 2, kind, seed)
        order = np.random.default_rng(seed).permutation(len(trials))
        suggestion = self.suggest_or_end(space, history_of(space, [trials[k] for k in order]), n + 2)
        assert suggestion is None or space.contains(suggestion.params)

    @given(st.data())
    @over_random_spaces(10)
    def test_constants_and_single_choices_leave_one_configuration(self, data):
        values = data.draw(st.lists(JSON_VALUES, min_size=1, max_size=4))
        kinds = [lambda v: {"type": "constant", "value": v}, lambda v: {"type": "categorical", "choices": [v]}]
        space = SearchSpace.from_json({f"p{k}": kinds[k % 2](value) for k, value in enumerate(values)})
        params = self.suggest(space, History(space)).params
        assert identity(params) == identity({f"p{k}": value for k, value in enumerate(values)})
        history = history_of(space, [Trial(0, params, TrialState.FAILED, reason_code="diverged")])
        again = self.suggest_or_end(space, history, 1)
        assert again is None or identity(again.params) == identity(params)

    # in the space of all kinds of parameters

    def test_the_first_suggestion_needs_no_history(self):
        space = self.space()
        assert space.contains(self.suggest(space, History(space)).params)

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

    def test_nothing_outside_is_changed(self):
        space = self.space()
        history = history_of(space, random_trials(space, 10, 1))
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
        history = history_of(space, random_trials(space, 5))
        waiting = []
        for number in range(5, 15):
            suggestion = self.suggest(space, history.with_pending(waiting), number)
            waiting.append(Trial(number, space.validate(suggestion.params), TrialState.RUNNING))
        assert len({identity(trial.params) for trial in waiting}) == 10
        assert history.n == 5

    def test_the_reason_is_a_sentence(self):
        space = self.space()
        why = self.suggest(space, history_of(space, random_trials(space, 3)), 3).why
        assert why[0].isupper()
        assert why.endswith(".")
        assert len(why) > 10

    def test_a_history_of_another_space_is_refused(self):
        space = self.space()
        other = SearchSpace.from_json({"batch": {"type": "constant", "value": 32}})
        with pytest.raises(HistoryError, match=r"another search space, which differs in .*batch.*: give the history"):
            self.suggest(space, History(other))
        turned = SearchSpace.from_json(dict(reversed(FIRST_TWO.items())))
        with pytest.raises(HistoryError, match="differs in the order"):
            self.suggest(SearchSpace.from_json(FIRST_TWO), History(turned))

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
            history.append(number, self.suggest(space, history, number).params, TrialState.COMPLETE, value=1.0)
        if size is None:
            assert space.contains(self.suggest(space, history, 30).params)
        else:
            with pytest.raises(SpaceExhausted):
                self.suggest(space, history, size)

    # at length

    def test_another_process_suggests_the_same_whatever_its_threads_and_its_hashes(self):
        expected = suggestions(self.name)
        assert suggestions_elsewhere(hash_seed=1, threads=1)[self.name] == expected
        assert suggestions_elsewhere(hash_seed=2, threads=4)[self.name] == expected

    def test_ten_thousand_trials_are_no_burden(self):
        space, history = ten_thousand_trials(self.finite)
        self.suggest(space, history, 10_000)  # what is derived from finished rows is kept
        start = time.process_time()  # of this process alone: a busy machine is no burden of the sampler's
        suggestion = self.suggest(space, history, 10_001)
        assert time.process_time() - start < self.seconds_at_10_000
        assert space.contains(suggestion.params)

    def test_asking_leaves_nothing_behind(self):
        """One study after another, each in a space of its own: what is kept about them is bounded."""

        def asked(first, studies):
            for k in range(first, first + studies):
                width = {"type": "int", "low": 1, "high": 9 + k}
                space = SearchSpace.from_json({"width": width, "pick": {"type": "categorical", "choices": [1, 2]}})
                history = history_of(space, random_trials(space, 10, k % 4 == 0, seed=k))
                self.suggest_or_end(space, history, 11)

        asked(0, 24)
        growth = []
        for first in (24, 40, 56):
            gc.collect()
            before = sys.getallocatedblocks()
            asked(first, 16)
            gc.collect()
            growth.append((sys.getallocatedblocks() - before) / 16)
        assert min(growth) < 3, f"each leaves so many blocks of memory: {growth}"
