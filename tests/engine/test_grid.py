"""Grid search: every configuration once, whatever has been handed out already."""

import itertools

import pytest

from tests.engine.sampler_contract import FINITE, SamplerContract
from tuning.engine import (
    History,
    SearchSpace,
    SpaceError,
    SpaceExhausted,
    Trial,
    TrialState,
    registry,
    rng_for,
)
from tuning.engine.values import identity

SMALL = {
    "a": {"type": "int", "low": 1, "high": 2},
    "b": {"type": "categorical", "choices": [True, 1, 1.0]},
    "c": {"type": "categorical", "choices": ["x", "y"], "when": {"b": [1]}},
}  # 2 * (1 + 2 + 1) = 8 configurations


class TestGrid(SamplerContract):
    name = "grid"
    finite = True


class TestShuffledGrid(SamplerContract):
    name = "grid"
    finite = True

    def sampler(self, **options):
        return super().sampler(**{"shuffle": True, **options})


def handed_out(document, shuffle=False, seed=0):
    space = SearchSpace.from_json(document)
    sampler, history = registry.make_sampler("grid", {"shuffle": shuffle}), History(space)
    configurations = []
    for number in itertools.count():
        try:
            suggestion = sampler.suggest(space, history, rng_for(seed, number))
        except SpaceExhausted:
            return configurations
        configurations.append(suggestion.params)
        history.append(number, suggestion.params, TrialState.COMPLETE, value=0.0)


def test_product_order_and_then_the_end():
    space = SearchSpace.from_json(SMALL)
    assert [identity(p) for p in handed_out(SMALL)] == [identity(p) for p in space.grid()]
    assert len(handed_out(SMALL)) == 8


def test_shuffled_is_another_order_of_the_same_configurations():
    ordered = [identity(params) for params in handed_out(FINITE)]
    shuffled = [identity(params) for params in handed_out(FINITE, shuffle=True)]
    other = [identity(params) for params in handed_out(FINITE, shuffle=True, seed=1)]
    assert ordered != shuffled != other
    assert sorted(map(repr, ordered)) == sorted(map(repr, shuffled)) == sorted(map(repr, other))
    assert len(ordered) == SearchSpace.from_json(FINITE).grid_size()


@pytest.mark.parametrize("state", list(TrialState))
@pytest.mark.parametrize("shuffle", [False, True])
def test_a_configuration_in_the_history_counts_as_handed_out_in_any_state(state, shuffle):
    space = SearchSpace.from_json(SMALL)
    sampler = registry.make_sampler("grid", {"shuffle": shuffle})
    configurations = list(space.grid())
    history, waiting = History(space), []
    for number in (0, 1, 2, 4, 5, 6, 7):
        trial = Trial(number, configurations[number], state)
        if state.open:
            waiting.append(trial)
        else:
            history.append_trial(trial)
    view = history.with_pending(waiting)
    suggestion = sampler.suggest(space, view, rng_for(0, 9))
    assert identity(suggestion.params) == identity(configurations[3])
    assert suggestion.why == "Grid: configuration 4 of 8, 0 left."
    with pytest.raises(SpaceExhausted, match="all 8 configurations"):
        sampler.suggest(
            space, view.with_pending([Trial(9, suggestion.params, TrialState.RUNNING)]), rng_for(0, 10)
        )


def test_the_same_configuration_twice_in_the_history_uses_up_one():
    space = SearchSpace.from_json(SMALL)
    history = History(space)
    for number in range(5):
        history.append(number, {"a": 1, "b": True}, TrialState.FAILED, reason_code="cancelled")
    suggestion = registry.make_sampler("grid").suggest(space, history, rng_for(0, 5))
    assert suggestion.why == "Grid: configuration 2 of 8, 6 left."


def test_a_continuous_parameter_is_refused_with_the_remedy():
    space = SearchSpace.from_json({**SMALL, "lr": {"type": "float", "low": 0.0, "high": 1.0}})
    sampler = registry.make_sampler("grid")
    for call in (sampler.check, sampler.plan_size, lambda s: sampler.suggest(s, History(s), rng_for(0, 0))):
        with pytest.raises(SpaceError) as caught:
            call(space)
        (issue,) = caught.value.errors
        assert (issue.parameter, issue.field) == ("lr", "step")
        assert "give it a step" in issue.message


def test_a_step_makes_a_float_fit():
    space = SearchSpace.from_json({"lr": {"type": "float", "low": 0.0, "high": 1.0, "step": 0.3}})
    registry.make_sampler("grid").check(space)
    assert [params["lr"] for params in handed_out(space.to_json())] == [0.0, 0.3, 0.6, 0.9]


def test_the_size_is_known_before_the_start():
    assert registry.make_sampler("grid").plan_size(SearchSpace.from_json(SMALL)) == 8


def test_more_configurations_than_can_be_numbered_are_refused():
    space = SearchSpace.from_json({f"n{k}": {"type": "int", "low": 1, "high": 2**40} for k in range(2)})
    with pytest.raises(SpaceError, match="more than can ever be tried"):
        registry.make_sampler("grid").check(space)


def test_a_huge_grid_starts_at_once_in_either_order():
    space = SearchSpace.from_json(
        {"n": {"type": "int", "low": 1, "high": 2**40}, "m": {"type": "int", "low": 1, "high": 2**20}}
    )
    history = History(space)
    assert registry.make_sampler("grid").suggest(space, history, rng_for(0, 0)).params == {"n": 1, "m": 1}
    history.append(0, {"n": 1, "m": 1}, TrialState.COMPLETE, value=0.0)
    assert registry.make_sampler("grid").suggest(space, history, rng_for(0, 1)).params == {"n": 1, "m": 2}
    assert space.contains(
        registry.make_sampler("grid", {"shuffle": True}).suggest(space, history, rng_for(0, 1)).params
    )


def test_what_is_kept_about_a_history_changes_no_suggestion():
    space = SearchSpace.from_json(FINITE)
    sampler, kept = registry.make_sampler("grid", {"shuffle": True}), History(space)
    for number in range(50):
        fresh = History(space)
        for i in range(kept.n):
            fresh.append_trial(kept.trial(i))
        suggestion = sampler.suggest(space, kept, rng_for(2, number))
        assert suggestion == sampler.suggest(space, fresh, rng_for(2, number))
        kept.append(number, suggestion.params, TrialState.COMPLETE, value=1.0)
