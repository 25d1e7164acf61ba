"""The methods beside fANOVA: each answers its own question, with its own numbers on the same trials."""

import numpy as np
import pytest

from tests.analysis.sobol import ADDITIVE, ISHIGAMI, G
from tests.analysis.test_importance import SEED, SWITCH, drawn
from tuning.analysis.importance import QUESTIONS, importance, importances
from tuning.engine import SearchSpace


def test_all_methods_at_once_are_each_alone():
    trials = ADDITIVE.trials(80, 1)
    found = importances(ADDITIVE.space, trials, seed=2)
    assert list(found) == list(QUESTIONS)
    for method, result in found.items():
        assert result == importance(ADDITIVE.space, trials, method, seed=2)
        assert (result.method, result.question, result.n) == (method, QUESTIONS[method], 80)
    assert len({result.question for result in found.values()}) == 4


@pytest.mark.parametrize("known", [ISHIGAMI, G, ADDITIVE], ids=lambda known: known.name)
def test_permutation_estimates_the_total_index(known):
    result = importance(known.space, known.trials(1000, SEED), "permutation", seed=SEED)
    for name, total in known.total.items():
        assert result.main[name] == pytest.approx(total, abs=0.12), result.main
    assert result.main["x3"] > 0.15 or known is not ISHIGAMI  # nothing alone, much with x1
    assert max(result.std.values()) < 0.05


def test_permutation_without_a_model_says_so():
    rng = np.random.default_rng(SEED)
    result = importance(
        ADDITIVE.space, [(params, float(rng.normal())) for params, _ in ADDITIVE.trials(200, SEED)], "permutation"
    )
    assert result.r2 <= 0 and "shuffling can tell nothing" in result.reason and not result.main


def test_ped_anova_answers_for_the_best_trials():
    """What ten seeds of another implementation gave at 1,000 points: its least and greatest, widened by 0.03."""
    result = importance(ISHIGAMI.space, ISHIGAMI.trials(1000, SEED), "ped_anova")
    for name, low, high in (("x1", 0.797, 0.885), ("x2", 0.016, 0.080), ("x3", 0.088, 0.177)):
        assert low - 0.03 <= result.main[name] <= high + 0.03, result.main
    assert sum(result.main.values()) == pytest.approx(1.0)


def test_ped_anova_depends_on_the_direction():
    trials = G.trials(1000, SEED)
    least = importance(G.space, trials, "ped_anova", direction="minimize").main
    most = importance(G.space, trials, "ped_anova", direction="maximize").main
    assert least["x1"] > 0.95 and 0.35 < most["x1"] < 0.62 and most["x2"] > 0.25


def test_ped_anova_gives_a_condition_its_own_part():
    """The best are all of kind b, whatever x is: kind has it all, though x is absent among the best."""
    space = SearchSpace.from_json(SWITCH)
    trials = drawn(space, 400, 1, lambda params: params.get("x", -1.0) + 0.1 * params["idle"])
    result = importance(space, trials, "ped_anova")
    assert result.main["x"] == 0.0 and result.main["kind"] > 0.1
    assert result.active["x"] == pytest.approx(0.5, abs=0.1)


def test_correlation_has_a_sign_and_sees_no_valley():
    result = importance(ADDITIVE.space, ADDITIVE.trials(1000, SEED), "correlation")
    assert sorted(result.main, key=result.main.get, reverse=True) == ["x1", "x2", "x3", "x4"]
    assert result.signs["x1"] == 1 and result.main["x1"] == pytest.approx(0.87, abs=0.02)
    falling = importance(ADDITIVE.space, [(p, -v) for p, v in ADDITIVE.trials(100, 1)], "correlation")
    assert falling.signs["x1"] == -1
    assert importance(G.space, G.trials(1000, SEED), "correlation").main["x1"] < 0.1  # a valley in its middle


def test_correlation_of_choices_has_no_order():
    opt = {"type": "categorical", "choices": ["a", "b", "c"]}
    space = SearchSpace.from_json({"opt": opt, "x": ADDITIVE.document["x1"]})
    result = importance(space, drawn(space, 300, 1, lambda p: (p["opt"] == "b") + 0.1 * p["x"]), "correlation")
    assert result.main["opt"] > 0.8 and "opt" not in result.signs
    idle = importance(space, drawn(space, 300, 1, lambda p: p["x"]), "correlation")
    assert idle.main["opt"] < 0.2
