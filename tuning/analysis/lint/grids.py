"""Rules about grids: what a grid over the space costs, and continuous parameters, which it cannot list."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tuning.analysis.lint.entries import BY_NATURE_LOG, ZERO_SHARE, Plan, as_kind, changed, role, rounded
from tuning.engine import SearchSpace, SpaceError
from tuning.engine.parameters import Float, Parameter
from tuning.engine.parameters.numeric import stepped_size
from tuning.findings import Finding

MOST_CONFIGURATIONS = 1_000
MOST_PARAMETERS = 4
LINEAR_POINTS = 5
QUANTILES = (0.1, 0.3, 0.5, 0.7, 0.9)


def as_choices(parameter: Parameter, low: float, high: float, *, log: bool) -> dict[str, Any] | None:
    """The parameter's entry with a few values in its range listed: about one a decade, or five; None where they fall
    together."""
    n = max(3, round(math.log10(high / low)) + 1) if log else LINEAR_POINTS
    return _listed(parameter, np.geomspace(low, high, n) if log else np.linspace(low, high, n))


def _listed(parameter: Parameter, values: Any) -> dict[str, Any] | None:
    choices = list(dict.fromkeys(rounded(float(value)) for value in values))
    return as_kind(parameter, "categorical", choices=choices) if len(choices) > 1 else None


def grid_cont(parameter: Parameter, plan: Plan) -> Finding | None:
    """GRID-CONT: a continuous parameter in a grid. The sampler refuses it; the message is its own."""
    if not plan.is_grid or not isinstance(parameter, Float):
        return None
    try:
        SearchSpace((parameter,)).lattice  # noqa: B018 (its refusal is what is wanted)
    except SpaceError as error:
        return Finding("GRID-CONT", "error", error.errors[0].message, {}, _finite(parameter), parameter.name)
    return None


def _finite(parameter: Float) -> dict[str, Any] | None:
    """The entry with a step that divides the range in four, or else with a few values listed."""
    low, high = parameter.low, parameter.high
    if parameter.prior is not None or low is None or high is None:
        return _listed(parameter, [parameter.quantile(u) for u in QUANTILES])
    if parameter.log or (role(parameter) in BY_NATURE_LOG and high > 0):
        return as_choices(parameter, low if low > 0 else rounded(high * ZERO_SHARE), high, log=True)
    step = rounded(high / (LINEAR_POINTS - 1) - low / (LINEAR_POINTS - 1), 3)
    divides = step > 0 and stepped_size(low, high, step) == LINEAR_POINTS
    if divides and math.isclose(low + (LINEAR_POINTS - 1) * step, high):
        return changed(parameter, step=step)
    return as_choices(parameter, low, high, log=False)


def grid_x(space: SearchSpace, plan: Plan) -> Finding | None:
    """GRID-X: a grid that the budget cannot pay, of more than 1,000 configurations, or over five parameters."""
    if not plan.is_grid or space.continuous():
        return None
    try:
        size = space.lattice.size
    except SpaceError:
        return None  # the sampler says so itself
    sizes = [parameter.size or 1 for parameter in space.parameters if parameter.size != 1]
    conditional = any(parameter.condition is not None for parameter in space.parameters)
    product = f"{size:,}" if conditional else f"{' x '.join(map(str, sizes))} = {size:,}"
    evidence = {"size": size, "budget": plan.budget, "parameters": len(sizes)}
    advice = "Take auto or random search, or fewer values."
    if plan.budget is not None and size > plan.budget:
        message = f"The grid has {product} configurations, and {plan.budget:,} trials pay for a corner of it. {advice}"
        return Finding("GRID-X", "error", message, evidence)
    if size > MOST_CONFIGURATIONS or len(sizes) > MOST_PARAMETERS:
        message = (
            f"The grid has {product} configurations over {len(sizes)} parameters, and tries each value of those that "
            f"do not matter over and over. {advice}"
        )
        return Finding("GRID-X", "warning", message, evidence)
    return None
