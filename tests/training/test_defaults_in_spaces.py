"""The middle of a space, without the engine; the engine takes it."""

import pytest

from tests.factories import SPACE
from tuning.engine import SearchSpace
from tuning.training.defaults import defaults
from tuning.training.workloads.breast_cancer_mlp import BreastCancerMLP
from tuning.training.workloads.diabetes_mlp import DiabetesMLP
from tuning.training.workloads.digits_cnn import DigitsCNN
from tuning.training.workloads.digits_mlp import DigitsMLP

ODD = {
    "stepped": {"type": "float", "low": 0.0, "high": 0.7, "step": 0.25},
    "even": {"type": "int", "low": 2, "high": 9, "step": 3},
    "normal": {"type": "float", "prior": {"name": "normal", "mu": 3.0, "sigma": 1.0}},
    "log_normal": {"type": "float", "prior": {"name": "log_normal", "mu": 0.0, "sigma": 1.0}, "low": 2.0},
    "beta": {"type": "float", "prior": {"name": "beta", "a": 2, "b": 5}},
    "on": {"type": "categorical", "choices": [True, False]},
    "one": {"type": "constant", "value": [1, 2]},
    "deep": {"type": "int", "low": 1, "high": 8, "log": True, "when": {"on": [True], "even": {"low": 4}}},
    "deeper": {"type": "float", "low": 0.0, "high": 1.0, "when": {"deep": {"low": 2, "high": 3}}},
    "never": {"type": "float", "low": 0.0, "high": 1.0, "when": {"on": [False]}},
}


@pytest.mark.parametrize(
    "space", [SPACE, ODD, *(w.space for w in (BreastCancerMLP, DiabetesMLP, DigitsCNN, DigitsMLP))]
)
def test_the_engine_takes_the_middle(space):
    assert SearchSpace.from_json(space).validate(defaults(space)) == defaults(space)


def test_the_middle_is_what_it_says():
    assert defaults(SPACE) == {"lr": pytest.approx(1e-3), "optimizer": "sgd", "momentum": 0.495}
    middle = defaults(ODD)
    assert "never" not in middle
    assert {name: middle[name] for name in ("stepped", "even", "normal", "log_normal", "one", "deep")} == {
        "stepped": 0.25, "even": 5, "normal": 3.0, "log_normal": 2.0, "one": [1, 2], "deep": 3,
    }  # fmt: skip


def test_given_values_stand_and_decide_about_their_children():
    assert defaults(SPACE, {"optimizer": "adamw", "momentum": 0.9}) == {"lr": pytest.approx(1e-3), "optimizer": "adamw"}
    assert defaults(SPACE, {"momentum": 0.9})["momentum"] == 0.9
