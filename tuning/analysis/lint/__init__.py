"""Lint of a search space: what in it is likely to waste trials, and the change that would put it right.

Each rule reads one parameter, the whole space, or the trials. Where the engine's reader refuses the space, its messages
come as findings too, so that nobody reads two about one mistake, and the parameters that can be read are still linted.
A fix is offered only where it is proven: the space stays valid, and the same rule is silent about the changed
parameter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tuning.analysis.importance import Idle
from tuning.analysis.lint import grids, scales, values
from tuning.analysis.lint.diverging import diverging
from tuning.analysis.lint.edges import edges
from tuning.analysis.lint.entries import Plan, read_alone
from tuning.analysis.lint.freeze import freeze
from tuning.analysis.lint.plans import dim_budget, leak
from tuning.analysis.lint.refusals import UNREADABLE, refusal
from tuning.engine import History, SearchSpace, SpaceError, SpaceIssue, Trial, TrialState
from tuning.engine.parameters import Parameter
from tuning.engine.transfer import Misfit, fitted
from tuning.findings import Finding

__all__ = ["UNREADABLE", "lint_space"]

RULES = (*scales.RULES, grids.grid_cont, *values.RULES)
Trials = History | Iterable[tuple[Mapping[str, Any], float | None]]


def lint_space(
    space: Any,
    budget: int | None = None,
    trials: Trials | None = None,
    *,
    sampler: str = "auto",
    scheduler: str = "none",
    metric: str = "",
    direction: str = "minimize",
    first_round: bool = True,
    idle: Sequence[Idle] = (),
    n_adaptive: int = 0,
) -> list[Finding]:
    """The findings about a space: what the reader refuses, then each parameter's, then the trials', then the whole's.

    Args:
        space: a SearchSpace, or a JSON form, which need not be valid: what the reader refuses is a finding of severity
            "error" with the reader's message.
        budget: the number of trials, None where it is not known.
        trials: a History, or pairs of parameters and value, None for a trial that diverged; they bring the rules EDGE
            and TOO-WIDE. Trials that do not fit the space are left out.
        sampler, scheduler: their names in the registry, for the rules about grids and about epochs.
        metric: the name of the objective's metric. direction: of the pairs' values; a History knows its own.
        idle: of the fANOVA over `trials`: they bring the rule FREEZE. n_adaptive: how many of these trials a sampler
            chose that learns.
        first_round: whether no trial has said yet where to look; with `trials` they say it themselves.

    Each finding's `fix` is the new entry of its `parameter` in the JSON form, or None where only a person can decide.
    """
    known, issues = _read(space)
    document = space.to_json() if isinstance(space, SearchSpace) else space
    history = _history(known, trials, direction) if known is not None and trials is not None else None
    first_round = first_round if history is None else not history.n_finished
    plan = Plan(budget, sampler or "auto", scheduler or "none", first_round)
    found = [refusal(issue, document) for issue in issues]
    for parameter in _parameters(known, document):
        found += [finding for rule in RULES if (finding := rule(parameter, plan)) is not None]
    if history is not None:
        found += [*diverging(history), *edges(history), *freeze(history, idle, n_adaptive)]
    found = [_proven(finding, document, issues, plan) for finding in found]
    found += [finding for rule in (grids.grid_x, dim_budget) if known and (finding := rule(known, plan)) is not None]
    return found + leak(metric)


def _read(space: Any) -> tuple[SearchSpace | None, list[SpaceIssue]]:
    if isinstance(space, SearchSpace):
        return space, []
    try:
        return SearchSpace.from_json(space), []
    except SpaceError as error:
        return None, error.errors


def _parameters(known: SearchSpace | None, document: Any) -> list[Parameter]:
    """The space's parameters, or those that can be read where it cannot."""
    if known is not None:
        return list(known.parameters)
    entries = document.items() if isinstance(document, Mapping) else ()
    read = (read_alone(name, entry) for name, entry in entries if isinstance(name, str))
    return [parameter for parameter in read if parameter is not None]


def _history(space: SearchSpace, trials: Trials, direction: str) -> History:
    if not isinstance(trials, History):
        rows = [_trial(number, params, value) for number, (params, value) in enumerate(trials)]
    elif trials.space == space:
        return trials
    else:
        rows, direction = [trials.trial(row) for row in range(trials.n_finished)], trials.direction
    history = History(space, direction)
    for trial in rows:
        try:
            history.append_trial(Trial(**{**trial.__dict__, "params": fitted(space, trial.params, {})}))
        except Misfit:
            continue  # of another range: it says nothing about this one
    return history


def _trial(number: int, params: Mapping[str, Any], value: float | None) -> Trial:
    if value is None:
        return Trial(number, params, TrialState.FAILED, reason_code="diverged")
    return Trial(number, params, TrialState.COMPLETE, value)


# fixes


def _proven(finding: Finding, document: Any, issues: list[SpaceIssue], plan: Plan) -> Finding:
    """The finding with its parameter's own condition in the fix, and without a fix that would not hold."""
    name = finding.parameter
    if finding.fix is None or name is None:
        return finding
    entry = document[name]
    fix = {**finding.fix, "when": entry["when"]} if entry.get("when") else dict(finding.fix)
    holds = _keeps_valid(document, name, fix, issues) and not _speaks(finding.rule, name, fix, plan)
    return Finding(finding.rule, finding.severity, finding.message, finding.evidence, fix if holds else None, name)


def _keeps_valid(document: Mapping[str, Any], name: str, fix: dict[str, Any], issues: list[SpaceIssue]) -> bool:
    """Whether the changed space has no issue that it had not, and none in the place that the fix is about."""
    is_parent = any(isinstance(entry, Mapping) and name in (entry.get("when") or ()) for entry in document.values())
    if not issues and not is_parent:
        return read_alone(name, fix) is not None
    left = _read({**document, name: fix})[1]
    return set(left) <= set(issues) and (not issues or len(left) < len(issues) or read_alone(name, fix) is not None)


def _speaks(rule: str, name: str, fix: dict[str, Any], plan: Plan) -> bool:
    """Whether a rule about single parameters finds the same in the changed one."""
    parameter = read_alone(name, fix)
    if parameter is None:
        return False
    return any((again := check(parameter, plan)) is not None and again.rule == rule for check in RULES)
