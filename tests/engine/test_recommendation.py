"""The budget advisor: what it recommends, that the budget pays for it, and what is kept back."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuning.engine import SearchSpace
from tuning.engine.agreement import Agreement
from tuning.engine.errors import BudgetError
from tuning.engine.purse import MOST_TRIALS, SHARE, Budget
from tuning.engine.recommendation import recommend
from tuning.engine.speed import Speed

SPACE = SearchSpace.from_json(
    {
        "lr": {"type": "float", "low": 1e-5, "high": 0.1, "log": True},
        "units": {"type": "int", "low": 16, "high": 256},
        "optimizer": {"type": "categorical", "choices": ["sgd", "adamw"]},
    }
)
GRID = SearchSpace.from_json({name: {"type": "int", "low": 1, "high": 6} for name in "abcd"})
SMALL = SearchSpace.from_json({"k": {"type": "int", "low": 1, "high": 12}})


def budgets():
    """(budget, speed): one or more of the three, of which time needs the speed."""
    return st.builds(
        lambda trials, device, seconds, speed: (Budget(trials, device, seconds), speed),
        st.integers(4, 2000),
        st.one_of(st.none(), st.floats(2e4, 1e7)),
        st.one_of(st.none(), st.floats(2e4, 1e7)),
        st.builds(Speed, st.floats(0.01, 50.0), st.floats(0.0, 0.5)),
    )


def everything(found):
    return [one for one in (found.choice, *found.alternatives) if one.affordable]


@given(budgets(), st.sampled_from([None, 1, 10, 27, 100]), st.integers(1, 40), st.sampled_from([SPACE, GRID, SMALL]))
@settings(deadline=None, max_examples=80)
def test_the_budget_pays_for_all_that_is_offered_and_for_the_reserve(given_, top, slots, space):
    budget, speed = given_
    found = recommend(space, budget, max_resource=top, speed=speed, slots=slots)
    steps, kept = top or 1, found.reserve
    assert kept.share >= SHARE - 1e-9
    assert kept.trainings * steps <= kept.steps + 1e-6, "what is kept pays for what it is kept for"
    for one in everything(found):
        method, cost = one.method, one.forecast
        assert 1 <= method.n_trials <= MOST_TRIALS
        assert 1 <= method.parallel <= min(slots, method.n_trials)
        assert cost.steps.expected + kept.steps <= budget.trials * steps * (1 + 1e-9)
        if budget.device_seconds is not None:
            assert cost.device_seconds.high + kept.device_seconds <= budget.device_seconds * (1 + 1e-9) + 1
        if budget.seconds is not None:
            assert cost.seconds.high + kept.seconds <= budget.seconds * (1 + 1e-9) + 1
        plan = method.made().plan(method.n_trials)
        if method.scheduler != "median":
            assert cost.steps.expected == plan.resource, "the forecast is the scheduler's plan"


@given(st.integers(4, 1500), st.integers(0, 300), st.sampled_from([None, 9, 27, 81]), st.integers(1, 16))
@settings(deadline=None, max_examples=80)
def test_more_budget_never_gives_a_method_fewer_trials(trials, more, top, slots):
    less, much = (
        {one.method.scheduler: one.method.n_trials for one in everything(found)}
        for found in (
            recommend(SPACE, Budget(trials=number), max_resource=top, slots=slots) for number in (trials, trials + more)
        )
    )
    assert less.keys() == much.keys()
    assert all(less[name] <= much[name] for name in less)


@given(st.integers(4, 60), st.sampled_from([9, 27, 81]))
@settings(deadline=None, max_examples=30)
def test_one_more_trial_would_be_too_many(trials, top):
    found = recommend(SPACE, Budget(trials=trials), max_resource=top)
    left = trials * top - found.reserve.steps
    for one in everything(found):
        if one.method.scheduler in ("none", "hyperband", "asha"):
            assert one.method.made().plan(one.method.n_trials + 1).resource > left


def test_a_common_case():
    """20 trainings of 27 epochs: 4 are kept back, and 16 of them, 432 steps, pay 75 trials under Hyperband."""
    found = recommend(SPACE, Budget(trials=20), max_resource=27)
    assert (found.method.sampler, found.method.scheduler, found.method.n_trials) == ("gp", "hyperband", 75)
    assert (found.reserve.trainings, found.reserve.top, found.reserve.seeds) == (4, 1, 2)
    assert found.why.startswith("For the price of 16 full trainings Hyperband pays 75 trials")
    assert found.why.count(". ") == 1, "two sentences"
    assert found.why.endswith("A Gaussian process chooses them, since 75 are few and each should count.")
    titles = [one.title for one in found.alternatives]
    assert titles == [
        "Gaussian process, ASHA",
        "Gaussian process",
        "Gaussian process, Median stopping",
        "Quasi-random search",
        "Random search",
    ]


def test_the_whole_reserve_from_85_trainings_on():
    assert recommend(SPACE, Budget(trials=85)).reserve.trainings == 17
    found = recommend(SPACE, Budget(trials=84)).reserve
    assert (found.top, found.seeds, found.trainings) == (3, 4, 14)
    assert recommend(SPACE, Budget(trials=1000)).reserve.steps == 200


@pytest.mark.parametrize(
    ("budget", "least"),
    [
        (Budget(trials=3), Budget(trials=4)),
        (Budget(device_seconds=79.0), Budget(device_seconds=80.0)),
        (Budget(seconds=1.0), Budget(seconds=80.0)),
        (Budget(trials=50, seconds=10.0), Budget(trials=4, seconds=80.0)),
    ],
)
def test_too_little_is_told_with_what_would_do(budget, least):
    with pytest.raises(BudgetError, match="4 are the least: one for a baseline") as error:
        recommend(SPACE, budget, max_resource=10, speed=Speed(2.0), slots=4)
    assert error.value.least == least
    assert recommend(SPACE, least, max_resource=10, speed=Speed(2.0), slots=4).method.n_trials == 1


@pytest.mark.parametrize(
    ("budget", "speed", "slots", "words"),
    [
        (Budget(), None, 1, "Say what may be spent"),
        (Budget(device_seconds=100.0), None, 1, "run the preflight, or give a number of trials"),
        (Budget(trials=0), None, 1, "A budget of 0 trials buys nothing"),
        (Budget(device_seconds=math.nan), Speed(1.0), 1, "buys nothing"),
        (Budget(trials=9), None, 0, "With 0 slots nothing runs"),
    ],
)
def test_a_budget_that_is_none_is_refused(budget, speed, slots, words):
    with pytest.raises(BudgetError, match=words):
        recommend(SPACE, budget, speed=speed, slots=slots)


def test_a_grid_that_the_budget_pays_is_recommended():
    found = recommend(SMALL, Budget(trials=20), max_resource=10)
    assert (found.method.sampler, found.method.scheduler, found.method.n_trials) == ("grid", "none", 12)
    assert "every configuration" in found.why


def test_a_grid_that_it_does_not_pay_is_told_with_its_runs_and_hours():
    found = recommend(GRID, Budget(trials=50), max_resource=10, speed=Speed(36.0))
    grid = next(one for one in found.alternatives if one.method.sampler == "grid")
    assert not grid.affordable
    assert grid.method.n_trials == 6**4
    assert "1,296 trainings, 129.6 h of device time, which the budget does not pay" in grid.why
    assert found.method.sampler == "gp"


def test_without_steps_no_trial_ends_early():
    found = recommend(SPACE, Budget(trials=40))
    assert {one.method.scheduler for one in everything(found)} == {"none"}
    assert found.method.max_resource is None
    assert "cannot be judged before its end" in found.why


def test_many_at_once_wait_for_nobody():
    found = recommend(SPACE, Budget(trials=100), max_resource=27, slots=20)
    assert found.method.scheduler == "asha"
    assert found.method.total_resource == 80 * 27
    assert "of 20 at once none waits" in found.why
    assert recommend(SPACE, Budget(trials=100), max_resource=27, slots=19).method.scheduler == "hyperband"


def test_time_is_divided_by_what_a_step_takes():
    """One hour on four slots, 27 s a training: 0.8 h for the search."""
    found = recommend(SPACE, Budget(seconds=3600.0), max_resource=27, speed=Speed(1.0, 0.1), slots=4)
    assert found.method.study_seconds == 2880
    assert found.method.device_seconds is None
    assert 0.95 * 2880 <= found.forecast.seconds.expected <= 2880
    found = recommend(SPACE, Budget(device_seconds=3600.0), max_resource=27, speed=Speed(1.0, 0.1), slots=4)
    assert found.method.device_seconds == 2880
    assert 0.95 * 2880 <= found.forecast.device_seconds.expected <= 2880


def test_nobody_is_judged_where_a_handful_shows_that_it_misleads():
    misleads, agrees = Agreement(-0.5, -0.9, 0.3, 8, 1), Agreement(0.6, -0.1, 0.9, 8, 3)
    found = recommend(SPACE, Budget(trials=20), max_resource=27, agreements=[misleads, agrees])
    assert (found.method.scheduler, found.method.min_resource) == ("hyperband", 3)
    assert "none before step 3" in found.why
    late = Agreement(-0.5, -0.9, 0.3, 8, 9)
    found = recommend(SPACE, Budget(trials=20), max_resource=27, agreements=[misleads, agrees, late])
    assert (found.method.scheduler, found.method.n_trials) == ("none", 16)
    assert "seen to mislead" in found.why
    wide = Agreement(-0.1, -0.8, 0.7, 6, 1)
    found = recommend(SPACE, Budget(trials=20), max_resource=27, agreements=[wide])
    assert found.method.min_resource == 1, "a handful that may as well agree changes nothing"


def test_it_is_plain_json():
    found = recommend(GRID, Budget(device_seconds=9000.0), max_resource=27, speed=Speed(1.0, 0.1), slots=2)
    document = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert document["method"]["scheduler"] == "hyperband"
    assert document["reserve"]["device_seconds"] == pytest.approx(1800.0)
    assert [one["affordable"] for one in document["alternatives"]] == [True] * 5 + [False]


def test_it_answers_while_a_person_types():
    """Every keystroke in the form asks; a budget far above what anybody plans is no reason to wait."""
    found = recommend(SPACE, Budget(seconds=3e7), max_resource=1000, speed=Speed(1.0), slots=64)
    assert max(one.method.n_trials for one in everything(found)) <= MOST_TRIALS
