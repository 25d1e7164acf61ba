"""A small model and cuts through it, for the tests of the charts that draw them."""

from collections.abc import Sequence

import numpy as np

from tuning.charts import TrialPoint
from tuning.engine import History, SearchSpace
from tuning.engine.surrogates.slices import Cut, anchor, cut
from tuning.engine.surrogates.surrogate import surrogate_of

SPACE = SearchSpace.from_json(
    {
        "lr": {"type": "float", "low": 1e-5, "high": 0.1, "log": True},
        "optimizer": {"type": "categorical", "choices": ["sgd", "<b>adam</b>", None]},
        "momentum": {"type": "float", "low": 0.0, "high": 0.9, "when": {"optimizer": ["sgd"]}},
        "layers": {"type": "int", "low": 1, "high": 5},
        "units": {"type": "int", "low": 16, "high": 512, "log": True},
        "dropout": {"type": "float", "low": 0.0, "high": 0.7},
    }
)


def history(direction: str = "minimize") -> History:
    """Thirty trials; the best learning rate is 1e-3, a branch of choices costs, the rest matters little."""
    found, rng = History(SPACE, direction), np.random.default_rng(0)
    sign = 1.0 if direction == "minimize" else -1.0
    for number in range(30):
        params = SPACE.from_unit(rng.random(len(SPACE)))
        loss = 0.1 * (np.log10(params["lr"]) + 3) ** 2 + 0.1 * (params["optimizer"] is None) + 0.1 * params["dropout"]
        found.append(number, params, "COMPLETE", sign * float(loss))
    return found


def made(*names: str, direction: str = "minimize", acquisition: str = "ei") -> Cut:
    """The cut along these parameters through the first trial with a momentum."""
    known = history(direction)
    surrogate = surrogate_of(SPACE, known, acquisition=acquisition)
    row = next(row for row in range(30) if "momentum" in known.params(row))
    return cut(surrogate, 1.0 if direction == "minimize" else -1.0, anchor(surrogate, known.unit[row]), names)


def points(names: Sequence[str], direction: str = "minimize") -> list[TrialPoint]:
    """The trials that have these parameters; the first failed, the second pruned, nearness rising by number."""
    known = history(direction)
    states = {0: "FAILED", 1: "PRUNED"}
    return [
        TrialPoint(n, known.params(n), float(known.values[n]), states.get(n, "COMPLETE"), n / 30)
        for n in range(30)
        if all(name in known.params(n) for name in names)
    ]
