"""What a result that is told from outside means for its trial."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tuning.engine.errors import TrialError
from tuning.engine.trial import REASON_CODES, Trial, TrialState
from tuning.engine.values import listed, real_number, shown

FIRST_INFEASIBLE = 50  # configurations in a row that break a constraint before their first step, and none took one
INFEASIBLE_IN_A_ROW = 500  # the same where others did: where one in a hundred fits, so many miss in one study of 150
OUTCOMES = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAILED}


def ended(
    trial: Trial,
    value: Any,
    state: str | None,
    reason: str | None,
    constraints: Sequence[float] | None,
    value_so_far: float | None,
) -> Trial:
    """The trial as these arguments of `Optimizer.tell` end it; `value_so_far` is a pruned trial's objective
    value.

    Raises TrialError, naming the argument and the remedy, where they do not fit together.
    """
    wanted = OUTCOMES.get(state.lower()) if isinstance(state, str) else None
    if state is not None and wanted is None:
        raise TrialError(f"state: {shown(state)} is not one of {listed(OUTCOMES)}")
    if value is None and wanted in (None, TrialState.COMPLETE):
        raise TrialError('value: it is missing; tell the value, or state="failed", or state="pruned"')
    if value is not None and wanted in (TrialState.PRUNED, TrialState.FAILED):
        raise TrialError(f"value: a trial told as {shown(state)} has none; leave out the value or the state")
    if reason is not None and wanted is not TrialState.FAILED:
        raise TrialError('reason: only a trial told state="failed" has one; leave it out')
    if reason is not None and reason not in REASON_CODES:
        raise TrialError(f"reason: {shown(reason)} is not one of {listed(sorted(REASON_CODES))}")
    limits = None if constraints is None else tuple(as_value("constraints", c) for c in constraints)
    infeasible = limits is not None and any(not limit <= 0 for limit in limits)  # NaN is not kept either
    if infeasible and wanted is not TrialState.PRUNED:
        raise TrialError(
            "constraints: one above 0 makes the configuration infeasible; tell it with "
            'state="pruned" and without a value'
        )
    trial = replace(trial, value=None, constraints=limits)
    if wanted is TrialState.FAILED:
        code = reason or "code_error"
        return replace(trial, state=wanted, reason_code=code, reason=code)
    if wanted is TrialState.PRUNED:
        return replace(trial, state=wanted, value=None if infeasible else value_so_far, infeasible=infeasible)
    number = as_value("value", value)
    if not math.isfinite(number):
        why = f"the value is {number!r}"
        return replace(trial, state=TrialState.FAILED, reason_code="diverged", reason=why)
    return replace(trial, state=TrialState.COMPLETE, value=number)


def finds_none(in_a_row: int, stepped: bool) -> bool:
    """Whether so many infeasible configurations in a row, which cost nothing, say that a study will find no other.

    stepped: whether any trial of the study has taken a step. What costs no budget would else never end.
    """
    return in_a_row >= (INFEASIBLE_IN_A_ROW if stepped else FIRST_INFEASIBLE)


def same_outcome(trial: Trial, other: Trial) -> bool:
    """Whether two finished moments of a trial have the same result."""
    return (trial.state, trial.value, trial.reason_code, trial.constraints) == (
        other.state,
        other.value,
        other.reason_code,
        other.constraints,
    )


def as_value(name: str, value: Any) -> float:
    """A number as a double, NaN and the infinities included. Raises TrialError for anything else."""
    number = real_number(value)
    if number is not None:
        return number
    if isinstance(value, bool | str):
        raise TrialError(f"{name}: {shown(value)} is not a number")
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
    except (TypeError, ValueError) as error:
        raise TrialError(f"{name}: {shown(value)} is not a number") from error


def not_running(trial: Trial) -> str:
    """Why a result of an open trial that is not running cannot be taken, and what comes first."""
    if trial.state is TrialState.WAITING:
        remedy = "ask() hands it out"
    else:
        remedy = "its scheduler has yet to decide, and once it is promoted ask() hands it out again"
    return f"trial {trial.number} is {trial.state}, not RUNNING: {remedy}"
