"""SMAC3 (Lindauer et al., JMLR 2022) as a contender, by ask and tell."""

from collections.abc import Mapping
from typing import Any

from tests.benchmarks.spaces import Run, Tell, holds, inside, values_of


def configuration_space(space: Mapping[str, Any], seed: int) -> Any:
    """The space with ConfigSpace's own conditions; a choice goes by its index, whatever its type."""
    from ConfigSpace import AndConjunction, Categorical, ConfigurationSpace, Float, InCondition, Integer

    found = ConfigurationSpace(seed=seed)
    nodes: dict[str, Any] = {}
    for name, form in space.items():
        if form["type"] == "categorical":
            nodes[name] = Categorical(name, items=list(range(len(form["choices"]))))
        else:
            kind = Integer if form["type"] == "int" else Float
            nodes[name] = kind(name, bounds=(form["low"], form["high"]), log=form.get("log", False))
        found.add(nodes[name])
        conditions = [
            InCondition(nodes[name], nodes[parent], fulfilling(space[parent], wanted))
            for parent, wanted in form.get("when", {}).items()
        ]
        if conditions:
            found.add(conditions[0] if len(conditions) == 1 else AndConjunction(*conditions))
    return found


def fulfilling(parent: Mapping[str, Any], wanted: Any) -> list[int]:
    """The parent's values under which a child takes part, choices by their index."""
    fitting = [(index, value) for index, value in enumerate(values_of(parent)) if holds(wanted, value)]
    return [index if parent["type"] == "categorical" else value for index, value in fitting]


def smac(facade: str) -> Run:
    """SMAC's facade of this name with its defaults, for a target function without noise of its own."""

    def run(space: dict[str, Any], tell: Tell, n: int, seed: int) -> None:
        import tempfile
        import warnings
        from pathlib import Path

        import smac as package
        from smac.runhistory import TrialValue

        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scenario = package.Scenario(
                configuration_space(space, seed),
                n_trials=n,
                seed=seed,
                deterministic=True,
                output_directory=Path(folder),
            )
            optimizer = getattr(package, facade)(scenario, never, logging_level=False, overwrite=True)
            for _ in range(n):
                asked = optimizer.ask()
                drawn = dict(asked.config)
                params = {
                    name: form["choices"][drawn[name]] if form["type"] == "categorical" else inside(form, drawn[name])
                    for name, form in space.items()
                    if name in drawn
                }
                optimizer.tell(asked, TrialValue(cost=tell(params)), save=False)

    return run


def never(config: Any, seed: int = 0) -> float:
    """SMAC wants a target function although it is only asked and told."""
    raise RuntimeError("the search is driven by ask and tell: SMAC must not call the target function")
