"""The space of a study that measures regularisation against size."""

import pytest

from tuning.analysis import lint_space
from tuning.analysis.diagnosis import strength_space
from tuning.engine import Optimizer, SearchSpace

SPACE = {
    "lr": {"type": "float", "low": 1e-4, "high": 0.1, "log": True},
    "weight_decay": {"type": "float", "low": 1e-6, "high": 1.0, "log": True},
    "optimizer": {"type": "categorical", "choices": ["sgd", "adamw"]},
    "momentum": {"type": "float", "low": 0.0, "high": 0.98, "when": {"optimizer": ["sgd"]}},
    "layers": {"type": "int", "low": 1, "high": 3},
    "units": {"type": "int", "low": 16, "high": 256, "log": True},
}
BEST = {"lr": 0.01, "weight_decay": 1e-3, "optimizer": "adamw", "layers": 2, "units": 64}


def test_all_but_strength_and_size_is_held_at_the_best() -> None:
    space = strength_space(SPACE, BEST, "weight_decay", "examples")
    assert space["weight_decay"] == SPACE["weight_decay"] and "momentum" not in space
    assert {name for name, entry in space.items() if entry["type"] == "constant"} == {
        "lr", "optimizer", "layers", "units"
    }  # fmt: skip
    assert [f.rule for f in lint_space(space)] == []
    drawn = [trial.params["train_fraction"] for trial in Optimizer(space, "qmc", seed=1).ask_many(64)]
    assert [drawn.count(share) for share in space["train_fraction"]["choices"]] == [16] * 4


def test_the_model_is_sized_by_its_widest_range() -> None:
    space = strength_space(SPACE, BEST, "weight_decay", "parameters")
    assert space["units"] == SPACE["units"] and space["layers"] == {"type": "constant", "value": 2}
    SearchSpace.from_json(space)


@pytest.mark.parametrize(
    ("space", "parameter", "axis", "words"),
    [
        (SPACE, "dropout", "examples", "no regulariser"),
        (SPACE, "weight_decay", "depth", "no size"),
        ({"weight_decay": SPACE["weight_decay"]}, "weight_decay", "parameters", "no number that sizes the model"),
    ],
)
def test_what_cannot_be_measured_says_why(space, parameter, axis, words) -> None:
    assert words in strength_space(space, BEST, parameter, axis)
