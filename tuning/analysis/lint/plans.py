"""Rules about the whole: the number of parameters for a budget, and the metric that is optimised."""

from __future__ import annotations

import re

from tuning.analysis.lint.entries import Plan
from tuning.engine import SearchSpace
from tuning.findings import Finding

TRIALS_EACH = 10  # trials for each parameter; SMAC begins with as many


def dim_budget(space: SearchSpace, plan: Plan) -> Finding | None:
    """DIM-BUDGET: more parameters than a tenth of the trials."""
    d = sum(parameter.size != 1 for parameter in space.parameters)
    if plan.budget is None or TRIALS_EACH * d <= plan.budget:
        return None
    many = f"{d} parameter{'s' if d != 1 else ''}"
    message = (
        f"{plan.budget:,} trials are few for {many}: with {TRIALS_EACH} for each it would "
        f"be {TRIALS_EACH * d:,}. Keep the parameters that matter least constant, or raise the budget."
    )
    return Finding("DIM-BUDGET", "warning", message, {"parameters": d, "budget": plan.budget})


def leak(metric: str) -> list[Finding]:
    """LEAK: the objective is measured on the test set, which then tells nothing any more."""
    if "test" not in re.findall(r"[a-z]+", metric.lower()):
        return []
    message = (
        f"The objective {metric} is measured on test data: the best of many trials is then chosen by it, and nothing "
        f"is left that says how good it is. Optimise a validation metric."
    )
    return [Finding("LEAK", "error", message, {"metric": metric})]
