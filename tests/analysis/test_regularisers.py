"""Which regularisers go with a closed gap: planted effects are found, chance and companions are not taken for them."""

import numpy as np

from tuning.analysis.diagnosis import Regulariser, regulariser_effects
from tuning.analysis.diagnosis.regularisers import FEWEST

SPACE = {
    "lr": {"type": "float", "low": 1e-4, "high": 0.1, "log": True},
    "dropout": {"type": "float", "low": 0.0, "high": 0.7},
    "weight_decay": {"type": "float", "low": 1e-6, "high": 1.0, "log": True},
    "optimizer": {"type": "categorical", "choices": ["sgd", "adamw"]},
}


def effects(n: int = 60, seed: int = 0, score: float = 0.0, direction: str = "minimize") -> dict[str, Regulariser]:
    """Trials in which dropout closes the gap, and `score` is what it adds to a loss; the rest is chance."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(n):
        params = {"lr": float(10 ** rng.uniform(-4, -1)), "dropout": float(rng.uniform(0, 0.7)), "optimizer": "sgd",
                  "weight_decay": float(10 ** rng.uniform(-6, 0))}  # fmt: skip
        value = 0.5 + score * params["dropout"] + 0.05 * rng.normal()
        sign = 1 if direction == "minimize" else -1
        rows.append((params, 0.5 - 0.5 * params["dropout"] + 0.05 * rng.normal(), sign * value))
    return {row.parameter: row for row in regulariser_effects(SPACE, rows, direction)}


def test_one_that_closes_the_gap_and_costs_nothing() -> None:
    found = effects()
    assert list(found) == ["dropout", "weight_decay"]
    assert (found["dropout"].closes, found["dropout"].hurts, found["dropout"].trials) == (True, False, 60)
    assert found["dropout"].gap.low < found["dropout"].gap.value < found["dropout"].gap.high < -0.7
    assert not found["weight_decay"].closes


def test_one_that_closes_the_gap_by_learning_less() -> None:
    for direction in ("minimize", "maximize"):
        found = effects(score=1.0, direction=direction)["dropout"]
        assert (found.closes, found.hurts) == (True, True)
        assert "by learning less" in found.says
        assert "a better score" in effects(score=-1.0, direction=direction)["dropout"].says


def test_chance_is_seldom_taken_for_an_effect() -> None:
    alarms = sum(row.closes for seed in range(200) for name, row in effects(30, seed).items() if name != "dropout")
    assert alarms <= 12, "one side of a 95 % interval: 5 of 200 expected"


def test_a_companion_of_the_cause_is_not_the_cause() -> None:
    rng = np.random.default_rng(1)
    rows = []
    for _ in range(200):
        dropout = float(rng.uniform(0, 0.7))
        decay = float(10 ** (-6 + 6 * np.clip(dropout / 0.7 + 0.2 * rng.normal(), 0, 1)))
        rows.append(({"dropout": dropout, "weight_decay": decay}, 0.5 - 0.5 * dropout + 0.05 * rng.normal(), 0.5))
    rows = [(params, gap, 0.5 + 0.01 * rng.normal()) for params, gap, _ in rows]
    found = {row.parameter: row.closes for row in regulariser_effects(SPACE, rows, "minimize")}
    assert found == {"dropout": True, "weight_decay": False}


def test_too_few_trials_or_one_value_say_nothing() -> None:
    assert effects(FEWEST - 1) == {}
    same = [({"dropout": 0.2}, 0.1 * n, 0.5 + n) for n in range(20)]
    assert regulariser_effects(SPACE, same, "minimize") == []
