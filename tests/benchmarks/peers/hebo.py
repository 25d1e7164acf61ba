"""HEBO (Cowen-Rivers et al., JAIR 2022) as a contender: its own defaults, one suggestion at a time.

HEBO knows no conditions: every parameter is drawn, and those that take no part are left out of the configuration.
"""

from collections.abc import Mapping
from typing import Any

from tests.benchmarks.spaces import Tell, inside, only_active

KINDS = {("float", False): "num", ("float", True): "pow", ("int", False): "int", ("int", True): "pow_int"}


def design(space: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The space as HEBO's DesignSpace parses it; a choice goes by its index, whatever its type."""
    rows: list[dict[str, Any]] = []
    for name, form in space.items():
        if form["type"] == "categorical":
            rows.append({"name": name, "type": "cat", "categories": list(range(len(form["choices"])))})
        else:
            kind = KINDS[form["type"], form.get("log", False)]
            rows.append({"name": name, "type": kind, "lb": form["low"], "ub": form["high"]})
    return rows


def value_of(form: Mapping[str, Any], drawn: Any) -> Any:
    return form["choices"][int(drawn)] if form["type"] == "categorical" else inside(form, drawn)


def hebo(space: dict[str, Any], tell: Tell, n: int, seed: int) -> None:
    import warnings

    import numpy as np
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from hebo.design_space.design_space import DesignSpace
        from hebo.optimizers.hebo import HEBO

        torch.set_num_threads(1)
        np.random.seed(seed)  # its genetic algorithm and its choice from the front draw from the global generators
        torch.manual_seed(seed)
        optimizer = HEBO(DesignSpace().parse(design(space)), scramble_seed=seed)
        for _ in range(n):
            suggested = optimizer.suggest(n_suggestions=1)
            drawn = {name: value_of(form, suggested[name].iloc[0]) for name, form in space.items()}
            optimizer.observe(suggested, np.array([[tell(only_active(space, drawn))]]))
