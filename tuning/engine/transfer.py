"""Trials of another search space, or of an earlier version of this one, as trials of this space.

A parameter that both spaces have keeps its value where it fits this space. One that only the earlier trial has is
dropped: to a model its influence is noise. One that only this space has takes an assumed value, which is the one that
the earlier trials ran with although nobody varied it. Which parameters take part is decided anew by this space's
conditions. A trial that does not fit is left out and counted, with the reason in words; nothing is bent to fit.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tuning.engine.errors import ParamsError, SpaceIssue
from tuning.engine.parameters import Categorical, Constant, Parameter
from tuning.engine.space import SearchSpace
from tuning.engine.trial import Trial, TrialState
from tuning.engine.values import real_number

ORIGIN = "earlier"
UNFINISHED = "not finished"
NO_VALUE = "complete without an objective value"
SURROUNDINGS = "cancelled or lost, which says nothing about their configuration"


@dataclass(frozen=True)
class Transferred:
    """The trials that fit, in their order, and how many do not, by the reason in words, most frequent first.

    missing: the parameters for which an assumed value would let more of them fit.
    """

    trials: tuple[Trial, ...]
    left_out: Mapping[str, int]
    missing: tuple[str, ...] = ()

    @property
    def n_left_out(self) -> int:
        return sum(self.left_out.values())


class Misfit(ValueError):
    """A configuration that cannot be carried over; the message is the reason, the same for every value.

    missing: the parameters whose values it lacks, where that is the only reason.
    """

    def __init__(self, message: str, missing: Sequence[str] = ()) -> None:
        self.missing = tuple(missing)
        super().__init__(message)


def transferred(space: SearchSpace, trials: Iterable[Trial], assumed: Mapping[str, Any] | None = None) -> Transferred:
    """The finished trials that say something about `space`, as its own trials with the origin "earlier".

    These are COMPLETE ones with a value, PRUNED ones, and FAILED ones that deter. assumed: values for parameters that
    an earlier trial does not have. Raises ParamsError for an assumed value that `space` does not take.
    """
    usable, issues = usable_assumptions(space, assumed or {})
    if issues:
        raise ParamsError(issues)
    kept: list[Trial] = []
    left_out: Counter[str] = Counter()
    missing: set[str] = set()
    for trial in trials:
        reason = _says_nothing(trial)
        if reason is None:
            try:
                params = fitted(space, trial.params, usable)
            except Misfit as misfit:
                reason = str(misfit)
                missing.update(misfit.missing)
            else:
                kept.append(replace(trial, params=params, origin=ORIGIN, bracket=None, cohort=None, rung=None))
                continue
        left_out[reason] += 1
    ordered = tuple(name for name in space.names if name in missing)
    return Transferred(tuple(kept), dict(left_out.most_common()), ordered)


def fitted(space: SearchSpace, params: Mapping[str, Any], assumed: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The configuration carried over to `space`, where it validates. Raises Misfit, saying why it cannot be.

    assumed: as `usable_assumptions` returns it.
    """
    assumed = assumed or {}
    carried: dict[str, Any] = {}
    missing: list[Parameter] = []
    for parameter in space.parameters:
        if not space.active(carried, parameter.name):
            continue
        if parameter.name in params:
            carried[parameter.name] = _carried(parameter, params[parameter.name])
        elif parameter.name in assumed:
            carried[parameter.name] = assumed[parameter.name]
        elif isinstance(parameter, Constant):
            carried[parameter.name] = parameter.value
        else:
            missing.append(parameter)
    if missing:
        names = [parameter.name for parameter in missing]
        remedy = f"assume {missing[0].domain}" if len(missing) == 1 else "assume one for each"
        raise Misfit(f"no value of {' and '.join(names)}: {remedy}", names)
    return carried


def usable_assumptions(space: SearchSpace, assumed: Mapping[str, Any]) -> tuple[dict[str, Any], list[SpaceIssue]]:
    """The assumed values that `space` takes, in their parameters' own types, and an issue for each other one."""
    usable: dict[str, Any] = {}
    issues: list[SpaceIssue] = []
    for name, value in assumed.items():
        if name not in space:
            remedy = f"the space has {', '.join(space.names)}"
            issues.append(SpaceIssue(str(name), None, f"is not in the search space: {remedy}"))
            continue
        try:
            usable[name] = space[name].canonical(value)
        except ValueError as error:
            issues.append(SpaceIssue(name, None, str(error)))
    return usable, issues


def _says_nothing(trial: Trial) -> str | None:
    """Why a trial teaches nothing wherever it ran; None where it may."""
    if trial.state.open:
        return UNFINISHED
    if trial.state is TrialState.FAILED and not trial.deters:
        return SURROUNDINGS
    if trial.state is TrialState.COMPLETE and (trial.value is None or not math.isfinite(trial.value)):
        return NO_VALUE
    return None


def _carried(parameter: Parameter, value: Any) -> Any:
    try:
        return parameter.canonical(value)
    except ValueError:
        pass  # a choice of another number type may still be the same number
    if isinstance(parameter, Categorical | Constant) and (number := real_number(value)) is not None:
        size = parameter.size or 0
        same = [k for k in range(size) if real_number(parameter.value_at(k)) == number]
        if len(same) == 1:
            return parameter.value_at(same[0])
    raise Misfit(f"the value of {parameter.name} is not {parameter.domain}")
