"""hyperopt's TPE (Bergstra et al., NIPS 2011) as a contender, with conditions in its own way: a parent is a choice
among branches, and each branch holds the parameters that take part under it."""

from collections.abc import Mapping
from typing import Any

from tests.benchmarks.spaces import Tell, holds, inside, values_of


def tree(space: Mapping[str, Any]) -> dict[str, Any]:
    """The space in hyperopt's expressions. Raises ValueError where a parameter has several parents."""
    import hyperopt
    import numpy as np

    children: dict[str, list[str]] = {}
    for name, form in space.items():
        if len(form.get("when", {})) > 1:
            raise ValueError(f"{name} has several parents, which hyperopt's branches do not express")
        for parent in form.get("when", {}):
            children.setdefault(parent, []).append(name)
    nodes: dict[str, Any] = {}

    def node(name: str) -> Any:
        if name not in nodes:  # a child of several branches is one node, so that what is learnt of it is shared
            nodes[name] = made(name, space[name])
        return nodes[name]

    def made(name: str, form: Mapping[str, Any]) -> Any:
        if name in children:
            branches = []
            for value in values_of(form):
                fitting = [child for child in children[name] if holds(space[child]["when"][name], value)]
                branches.append({name: value, **{child: node(child) for child in fitting}})
            return hyperopt.hp.choice(name, branches)
        if form["type"] == "categorical":
            return hyperopt.hp.choice(name, form["choices"])
        if form["type"] == "int" and form.get("log"):
            return hyperopt.hp.qloguniform(name, np.log(form["low"]), np.log(form["high"]), 1)
        if form["type"] == "int":
            return hyperopt.hp.uniformint(name, form["low"], form["high"])
        if form.get("log"):
            return hyperopt.hp.loguniform(name, np.log(form["low"]), np.log(form["high"]))
        return hyperopt.hp.uniform(name, form["low"], form["high"])

    return {name: node(name) for name, form in space.items() if not form.get("when")}


def flattened(drawn: Mapping[str, Any]) -> dict[str, Any]:
    """Branches within branches as one configuration."""
    flat: dict[str, Any] = {}
    for name, value in drawn.items():
        flat |= flattened(value) if isinstance(value, dict) else {name: value}
    return flat


def hyperopt_tpe(space: dict[str, Any], tell: Tell, n: int, seed: int) -> None:
    import hyperopt
    import numpy as np

    def objective(drawn: dict[str, Any]) -> float:
        flat = flattened(drawn)
        return tell(
            {
                name: flat[name] if form["type"] == "categorical" else inside(form, flat[name])
                for name, form in space.items()
                if name in flat
            }
        )

    hyperopt.fmin(
        objective,
        tree(space),
        algo=hyperopt.tpe.suggest,
        max_evals=n,
        rstate=np.random.default_rng(seed),
        show_progressbar=False,
        verbose=False,
    )
