"""FREEZE: named where a parameter does not matter, silent where it does or where nobody can tell."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from tests.benchmarks.freezes import LEAST, problem
from tuning.analysis import lint_space
from tuning.analysis.importance import importances
from tuning.analysis.importance.record import from_json, to_json
from tuning.engine import SearchSpace

SPACE = {
    "lr": {"type": "float", "low": 1e-4, "high": 0.1, "log": True},
    "dropout": {"type": "float", "low": 0.0, "high": 1.0},
    "seed_like": {"type": "int", "low": 1, "high": 100},
    "optimizer": {"type": "categorical", "choices": ["sgd", "adamw"]},
    "momentum": {"type": "float", "low": 0.0, "high": 1.0, "when": {"optimizer": ["sgd"]}},
}
UNSEEN = (9001, 9002, 9003)  # seeds that no threshold was chosen on
Loss = Callable[[dict[str, Any], dict[str, float]], float]


@cache
def named(loss: Loss, seed: int, n: int = 200, noise: float = 0.05, squeeze: str = "") -> dict[str, Any]:
    """The FREEZE findings by parameter after n random trials; `squeeze`: a parameter that is hardly varied."""
    made, rng = SearchSpace.from_json(SPACE), np.random.default_rng(seed)
    trials = []
    for _ in range(n):
        u = rng.random(len(made))
        if squeeze:
            u[made.names.index(squeeze)] = 0.5 + 0.02 * u[made.names.index(squeeze)]
        params = made.from_unit(u)
        unit = dict(zip(made.names, made.to_unit(params).tolist(), strict=True))
        trials.append((params, loss(params, unit) + noise * float(rng.standard_normal())))
    found = importances(made, trials, ("fanova", "permutation"), seed)["fanova"]
    findings = lint_space(made, trials=trials, idle=found.idle)
    best = min(trials, key=lambda trial: trial[1])[0]
    for finding in (each for each in findings if each.rule == "FREEZE"):
        assert finding.severity == "info" and finding.fix["type"] == "constant"
        if finding.parameter in best:
            assert finding.fix["value"] == best[finding.parameter]
    return {finding.parameter: finding for finding in findings if finding.rule == "FREEZE"}


def additive(params: dict[str, Any], unit: dict[str, float]) -> float:
    return 3.0 * unit["lr"] + 2.0 * unit["dropout"] + (0.8 if params["optimizer"] == "sgd" else 0.0)


def interacting(params: dict[str, Any], unit: dict[str, float]) -> float:
    return 2.0 * unit["lr"] + 4.0 * (unit["dropout"] - 0.5) * (unit["seed_like"] - 0.5)


def test_a_parameter_that_does_not_matter_is_named_and_those_that_do_are_not():
    found = [named(additive, seed) for seed in UNSEEN]
    assert sum("seed_like" in each for each in found) >= 2
    assert not any({"lr", "dropout", "optimizer"} & set(each) for each in found)
    (finding, *_) = [each["seed_like"] for each in found if "seed_like" in each]
    assert finding.evidence["trials"] == 200 and finding.evidence["main"] + finding.evidence["pairs"] < 0.01
    assert "explains less than 1 %" in finding.message and finding.evidence["adaptive"] == 0


@pytest.mark.parametrize("seed", UNSEEN)
def test_what_matters_only_together_is_not_named(seed):
    assert not {"dropout", "seed_like", "lr"} & set(named(interacting, seed))


def test_what_decides_among_the_good_trials_is_not_named_although_a_cliff_has_all_the_variance():
    def cliff(params: dict[str, Any], unit: dict[str, float]) -> float:
        return 50.0 * (unit["lr"] > 0.7) + (unit["dropout"] - 0.3) ** 2

    assert all("dropout" not in named(cliff, seed, noise=0.02) for seed in UNSEEN)


def test_nothing_is_named_where_nothing_is_explained_or_too_few_trials_ran():
    assert named(lambda params, unit: 0.0, UNSEEN[0], noise=1.0) == {}
    assert named(additive, UNSEEN[0], n=45) == {}


def test_nothing_is_said_of_what_a_sampler_has_hardly_varied():
    assert all("seed_like" not in named(additive, seed, squeeze="seed_like") for seed in UNSEEN[:2])


def test_a_conditional_parameter_keeps_its_condition():
    found = [named(additive, seed) for seed in UNSEEN]
    fixes = [each["momentum"].fix for each in found if "momentum" in each]
    assert fixes and all(fix["when"] == {"optimizer": ["sgd"]} for fix in fixes)


def test_what_decides_whether_a_parameter_that_matters_takes_part_is_not_named():
    def only_momentum(params: dict[str, Any], unit: dict[str, float]) -> float:
        return 2.0 * unit["lr"] + (3.0 * (params["momentum"] - 0.5) if "momentum" in params else 0.0)

    assert all("optimizer" not in named(only_momentum, seed) for seed in UNSEEN[:2])


def test_the_evidence_survives_being_stored():
    rng, made = np.random.default_rng(0), SearchSpace.from_json(SPACE)
    trials = [(params, params["dropout"]) for params in (made.from_unit(u) for u in rng.random((100, len(made))))]
    found = importances(made, trials)["fanova"]
    again = from_json(to_json(found))
    assert [each.name for each in again.idle] == [each.name for each in found.idle] != []
    assert again.main == pytest.approx(dict(found.main), rel=1e-5) and list(again.pairs) == list(found.pairs)
    assert again.curves[0].values == pytest.approx(found.curves[0].values, rel=1e-5)


def test_the_true_shares_of_a_random_problem():
    made = problem(3)
    assert 0.9 < sum(made.total.values()) < 2.0 and any(share < LEAST for share in made.total.values())
