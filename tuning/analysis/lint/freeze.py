"""FREEZE: a parameter that does not matter is held at its best value, and its trials go to those that do.

Bergstra & Bengio, "Random Search for Hyper-Parameter Optimization", JMLR 13, 2012: most spaces have few dimensions that
matter. What counts as not mattering is `importance.idle`; a remark, never more: the study loses nothing but trials.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tuning.analysis.importance import Idle
from tuning.analysis.lint.entries import as_kind, rounded
from tuning.engine import History, TrialState
from tuning.engine.parameters import Parameter
from tuning.findings import Finding


def freeze(history: History, found: Sequence[Idle], n_adaptive: int = 0) -> list[Finding]:
    """A finding for each idle parameter of which a complete trial has a value.

    n_adaptive: how many of the trials a sampler chose that learns; the evidence says so.
    """
    by_name = {each.name: each for each in found}
    spoken = [parameter for parameter in history.space.parameters if parameter.name in by_name]
    remarks = (_remark(history, parameter, by_name, n_adaptive) for parameter in spoken)
    return [remark for remark in remarks if remark is not None]


def _remark(history: History, parameter: Parameter, found: dict[str, Idle], n_adaptive: int) -> Finding | None:
    name, each = parameter.name, found[parameter.name]
    row = _best_with(history, name)
    if row is None or any(child not in found for child in _children(history, name)):
        return None  # what hangs on it matters: it decides whether that takes part
    trial = history.trial(row)
    value = trial.params[name]
    evidence = {
        "trials": each.n,
        "adaptive": n_adaptive,
        "spread": rounded(each.spread),
        "main": rounded(each.main),
        "pairs": rounded(each.pairs),
        "permutation": rounded(each.permutation),
        "r2": rounded(each.r2),
        "best_trial": trial.number,
    }
    chosen = ""
    if n_adaptive:
        chosen = f" {n_adaptive:,} of the trials were chosen by a sampler that learns; they still cover its range."
    message = (
        f"{name} explains less than 1 % of the differences between {each.n:,} trials, alone and together with others: "
        f"freeze it at the best trial's value.{chosen}"
    )
    return Finding("FREEZE", "info", message, evidence, as_kind(parameter, "constant", value=value), name)


def _best_with(history: History, name: str) -> int | None:
    """The row of the best complete trial that has the parameter."""
    place = history.space.names.index(name)
    counted = history.mask(TrialState.COMPLETE) & np.isfinite(history.losses) & ~np.isnan(history.unit[:, place])
    losses = np.where(counted, history.losses, np.inf)
    return int(losses.argmin()) if counted.any() else None


def _children(history: History, name: str) -> list[str]:
    """The parameters whose conditions read this one."""
    return [
        parameter.name
        for parameter in history.space.parameters
        if parameter.condition is not None and name in dict(parameter.condition.tests)
    ]
