"""Samplers that learn from earlier studies: ahead from the first trial, and not led astray for long."""

import numpy as np
import pytest

from tuning.engine import History, Optimizer, SearchSpace, TrialState, registry, rng_for
from tuning.engine.surrogates.earlier import earlier_of
from tuning.engine.surrogates.ranking import Known, concordance
from tuning.engine.surrogates.surrogate import surrogate_of

SPACE = SearchSpace.from_json(
    {
        "lr": {"type": "float", "low": 1e-5, "high": 1.0, "log": True},
        "momentum": {"type": "float", "low": 0.0, "high": 0.99},
        "norm": {"type": "categorical", "choices": [True, False]},
    }
)
LEARNING = ["gp", "tpe", "auto"]


def loss(params):
    valley = (np.log10(params["lr"]) + 2.3) ** 2 + (params["momentum"] - 0.8) ** 2
    return float(valley + (0.0 if params["norm"] else 0.5))


def study_of(objective, n=40, seed=1, sampler="random", direction="minimize", space=SPACE):
    optimizer = Optimizer(space, sampler=sampler, seed=seed, budget=n, direction=direction)
    for _ in range(n):
        trial = optimizer.ask()
        optimizer.tell(trial.number, objective(trial.params))
    return History.of_trials(space, direction, optimizer.trials)


def found_by(sampler, n, earlier, seed=0):
    optimizer = Optimizer(SPACE, sampler=sampler, seed=seed, budget=30, earlier=earlier)
    values = []
    for _ in range(n):
        trial = optimizer.ask()
        values.append(loss(trial.params))
        optimizer.tell(trial.number, values[-1])
    return values


@pytest.mark.parametrize("sampler", LEARNING)
@pytest.mark.parametrize(("scale", "level"), [(1.0, 0.0), (3.0, 100.0)])
def test_the_first_trials_are_better_after_an_earlier_study_even_on_another_level(sampler, scale, level):
    earlier = study_of(lambda params: scale * loss(params) + level)
    warm = [min(found_by(sampler, 4, [earlier], seed)) for seed in range(5)]
    cold = [min(found_by(sampler, 4, (), seed)) for seed in range(5)]
    assert np.median(warm) < 0.5 * np.median(cold)


@pytest.mark.parametrize("sampler", LEARNING)
def test_an_earlier_study_of_the_reversed_objective_is_found_out(sampler):
    earlier = study_of(lambda params: -loss(params))
    assert np.median([min(found_by(sampler, 30, [earlier], seed)) for seed in range(3)]) < 0.2


@pytest.mark.parametrize("sampler", LEARNING)
def test_the_reason_of_the_first_trial_names_the_earlier_studies(sampler):
    why = Optimizer(SPACE, sampler=sampler, earlier=[study_of(loss)]).ask().why
    assert "earlier stud" in why


@pytest.mark.parametrize("sampler", LEARNING)
def test_the_direction_turns_with_the_earlier_values(sampler):
    up = study_of(lambda params: -loss(params), direction="maximize")
    down = study_of(loss)
    suggestions = [
        registry.make_sampler(sampler).suggest(SPACE, History(SPACE, direction, [earlier]), rng_for(3, 0)).params
        for direction, earlier in (("maximize", up), ("minimize", down))
    ]
    assert suggestions[0] == suggestions[1]


@pytest.mark.parametrize("sampler", LEARNING)
def test_earlier_studies_that_say_nothing_leave_the_start_up_design(sampler):
    silent = History(SPACE)
    silent.append(0, {"lr": 0.1, "momentum": 0.5, "norm": True}, TrialState.FAILED, reason_code="cancelled")
    suggest = registry.make_sampler(sampler).suggest
    assert suggest(SPACE, History(SPACE, earlier=[silent]), rng_for(0, 0)).why.startswith("Start-up design 1")


@pytest.mark.parametrize("sampler", LEARNING)
def test_failures_of_an_earlier_study_steer_away(sampler):
    """A third of the range of lr diverged before: few of twenty seeds try it first."""

    def explode(params):
        return float("nan") if params["lr"] > 0.01 else loss(params)

    earlier = study_of(explode, n=60)
    assert (earlier.deters).sum() > 10
    firsts = [
        registry.make_sampler(sampler).suggest(SPACE, History(SPACE, earlier=[earlier]), rng_for(seed, 0)).params["lr"]
        for seed in range(20)
    ]
    assert sum(lr > 0.01 for lr in firsts) <= 4


def test_the_levels_of_earlier_studies_are_moved_to_the_studys_own():
    axes_history = study_of(loss, n=12, seed=7)
    model = surrogate_of(SPACE, History.of_trials(SPACE, "minimize", [axes_history.trial(i) for i in range(12)]))
    high = study_of(lambda params: loss(params) + 50.0, n=30)
    history = History(SPACE, earlier=[high])
    history.extend(axes_history.trial(i) for i in range(12))
    known = earlier_of(history, model.axes, model.points, model.observations.losses, 150, np.random.default_rng(0))
    assert known.studies == 1
    assert len(known.losses) == 30
    assert abs(np.median(known.losses - (high.losses - 50.0))) < 1.0


def test_the_model_of_a_study_with_earlier_ones_predicts_on_its_own_level():
    high = study_of(lambda params: loss(params) + 50.0, n=30)
    history = History(SPACE, earlier=[high])
    own = study_of(loss, n=12, seed=7)
    history.extend(own.trial(i) for i in range(12))
    places = [own.params(i) for i in range(12)]
    mean, _ = surrogate_of(SPACE, history).predict(places)
    assert np.median(np.abs(mean - own.losses)) < 1.0


def test_rows_of_earlier_studies_come_first_and_are_ranked_by_themselves():
    earlier, history = study_of(lambda params: loss(params) + 1000.0, n=20), study_of(loss, n=10, seed=3)
    known = Known(history.with_pending(()), [earlier])
    good, bad = known.split(0.1, 25)
    assert known.first == 20
    assert len(good) == 3  # two of the earlier twenty, although on a far higher level, and one of the ten
    assert (good < 20).sum() == 2
    assert len(bad) == 27
    assert known.name(0).endswith("of an earlier study")
    assert known.name(20) == f"trial {history.numbers[0]}"


def test_concordance_is_kendalls():
    from scipy.stats import kendalltau

    rng = np.random.default_rng(0)
    a, b = rng.random(30), rng.random(30)
    np.testing.assert_allclose(concordance(a, b), kendalltau(a, b).statistic)
    assert concordance([1, 2, 3], [3, 2, 1]) == -1.0
