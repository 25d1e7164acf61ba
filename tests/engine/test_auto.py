"""Auto and its advice: which method for which space, budget, parallelism and history, and why."""

import pytest

from tests.engine.sampler_contract import CONTINUOUS, SamplerContract
from tuning.engine import History, SearchSpace, SpaceExhausted, registry, rng_for
from tuning.engine.advice import advise

SMALL = SearchSpace.from_json({"k": {"type": "int", "low": 1, "high": 12}})


class TestAuto(SamplerContract):
    name = "auto"


class TestAutoWhereTheBudgetPaysForAll(SamplerContract):
    name = "auto"
    finite = True
    budget = 10**12


class TestAutoForManyTrialsAtOnce(SamplerContract):
    name = "auto"
    budget = 16
    parallel = 8


class TestAutoForManyTrials(SamplerContract):
    name = "auto"
    budget = 5000


@pytest.mark.parametrize(
    ("document", "budget", "sampler", "because"),
    [
        (CONTINUOUS, 50, "gp", "the 50 trials are few"),
        (CONTINUOUS, None, "gp", "the trials so far are few"),
        (CONTINUOUS, 1000, "tpe", "more than 300 trials"),
        (SMALL.to_json(), 12, "grid", "the 12 trials pay for all 12 configurations"),
        (SMALL.to_json(), 11, "gp", "the 11 trials are few"),
        (SMALL.to_json(), None, "gp", "few"),
        ({f"x{k}": {"type": "float", "low": 0, "high": 1} for k in range(31)}, 50, "tpe", "31 parameters are many"),
        (
            {f"b{k}": {"type": "categorical", "choices": [0, 1]} for k in range(41)}
            | {f"c{k}": {"type": "constant", "value": 0, "when": {f"b{k}": [0], f"b{k + 1}": [0]}} for k in range(40)},
            100,
            "tpe",
            "41 parameters are many",
        ),
    ],
)
def test_the_advice_by_space_and_budget(document, budget, sampler, because):
    advice = advise(SearchSpace.from_json(document), budget)
    assert advice.sampler == sampler
    assert because in advice.why


def test_auto_does_what_it_is_advised_and_says_why():
    history = History(SMALL)
    auto = registry.make_sampler("auto", budget=12)
    suggestion = auto.suggest(SMALL, history, rng_for(0, 0))
    assert suggestion.params == registry.make_sampler("grid").suggest(SMALL, history, rng_for(0, 0)).params
    assert suggestion.why.startswith("Grid: configuration 1 of 12")
    assert suggestion.why.endswith("because the 12 trials pay for all 12 configurations of the space.")
    assert auto.plan_size(SMALL) == 12
    auto = registry.make_sampler("auto", budget=5)
    suggestion = auto.suggest(SMALL, history, rng_for(0, 0))
    assert suggestion.params == registry.make_sampler("gp", budget=5).suggest(SMALL, history, rng_for(0, 0)).params
    assert suggestion.why.startswith("Start-up design 1 of")
    assert auto.plan_size(SMALL) is None


def test_the_advice_by_parallelism_and_history():
    space = SearchSpace.from_json(CONTINUOUS)
    assert advise(space, 16, parallel=8).sampler == "qmc"
    assert advise(space, 40, parallel=8).sampler == "gp"
    assert advise(space, None, trials=300).sampler == "gp"
    assert advise(space, None, trials=301).sampler == "tpe"


def test_auto_ends_with_the_grid():
    auto, history = registry.make_sampler("auto", budget=20), History(SMALL)
    for number in range(12):
        history.append(number, auto.suggest(SMALL, history, rng_for(0, number)).params, "COMPLETE", value=0.0)
    with pytest.raises(SpaceExhausted):
        auto.suggest(SMALL, history, rng_for(0, 12))
