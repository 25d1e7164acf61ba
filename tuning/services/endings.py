"""How a trial's run ends: complete, pruned, failed, or back to waiting. Every ending is fenced and told once."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone

from tuning.models import Attempt, CurveSummary, Study, Trial
from tuning.models.fields import storable
from tuning.selectors.clock import database_now
from tuning.selectors.curves import trial_curves
from tuning.services import hints
from tuning.services.closing import close_if_done
from tuning.services.errors import StaleLease
from tuning.services.failing import pause_if_failing
from tuning.services.infeasible import pause_if_infeasible
from tuning.services.scheduling import arrive, stands_at_rung
from tuning.services.transitions import consider_best, lock_study, move_trial, value_columns

State = Trial.State
Reason = Trial.Reason


def objective_of(study: Study, trial: Trial) -> tuple[float | None, int | None]:
    """The trial's objective value by its reported metric, and the step it comes from; (None, None) without a report."""
    summary = CurveSummary.objects.filter(trial=trial, metric__name=study.metric).first()
    if summary is None:
        return None, None
    if study.objective == Study.Objective.LAST:
        return (summary.last if summary.last is not None else math.nan), summary.last_step
    return (summary.best if summary.best is not None else math.nan), summary.best_step


def _locked(trial_id: int, fence: int) -> tuple[Study, Trial]:
    """The study and its running trial, locked in this order. Raises StaleLease."""
    study_id = Trial.objects.filter(pk=trial_id).values_list("study_id", flat=True).first()
    if study_id is None:
        raise StaleLease(f"There is no trial {trial_id} any more; its study was deleted.")
    study = lock_study(study_id)
    # Locked, so that the points of a report that is being stored are in the value.
    trial = Trial.objects.select_for_update(no_key=True).get(pk=trial_id)
    if trial.state != State.RUNNING or trial.fence != fence:
        raise StaleLease(f"Trial {trial.number} is {trial.state} now; claim {fence} of it is no longer the newest.")
    return study, trial


def _after_ending(study: Study) -> None:
    """Close a running study that has nothing left to do, pause one that only fails, wake idle slots for the rest."""
    close_if_done(study)
    pause_if_failing(study)
    pause_if_infeasible(study)
    hints.announce()


def final_value(study: Study, trial: Trial) -> tuple[float | None, int | None]:
    """`objective_of` with the kind of a value that is not finite, which the summaries do not keep."""
    value, step = objective_of(study, trial)
    if value is not None and not math.isfinite(value):
        curve = trial_curves(trial)[study.metric]
        return curve.values[-1], curve.steps[-1]
    return value, step


def is_infeasible(constraints: Sequence[float] | None) -> bool:
    """Whether a constraint is above 0; one that is not a number cannot be met."""
    return any(not bound <= 0 for bound in constraints or ())


@transaction.atomic
def complete_trial(
    *,
    trial_id: int,
    fence: int,
    value: float | None = None,
    facts: Mapping[str, Any] | None = None,
    constraints: Sequence[float] | None = None,
) -> str:
    """RUNNING -> COMPLETE with `value`, or with the reported metric's value where it is None.

    A value that is not finite, or a metric that was never reported, is a failure. Returns the new state.
    Raises StaleLease where the claim is no longer the newest.
    """
    study, trial = _locked(trial_id, fence)
    step: int | None = None
    if value is None:
        value, step = final_value(study, trial)
    columns = value_columns(value)
    extra: dict[str, Any] = {"facts": {**trial.facts, **(facts or {})}, "value_step": step}
    if constraints:
        extra |= {"constraints": list(constraints), "infeasible": is_infeasible(constraints)}
    if is_infeasible(constraints):
        extra["value_step"] = None
        state = _end(
            study,
            trial,
            fence,
            State.PRUNED,
            reason="infeasible: a constraint is above 0",
            **extra,
            **value_columns(None),
        )
    elif value is None:
        reported = sorted(CurveSummary.objects.filter(trial=trial).values_list("metric__name", flat=True))
        state = _end(
            study,
            trial,
            fence,
            State.FAILED,
            reason_code=Reason.CODE_ERROR,
            reason=f"The trial ended without reporting {study.metric}. It reported {', '.join(reported) or 'nothing'}; "
            "report the study's metric, or choose one of these as the study's metric.",
            **extra,
        )
    elif columns["value"] is None:
        state = _end(
            study,
            trial,
            fence,
            State.FAILED,
            reason_code=Reason.DIVERGED,
            reason=f"{study.metric} is {columns['value_kind']}: the training diverged. A lower learning rate "
            "or gradient clipping is the usual remedy.",
            **columns,
            **extra,
        )
    else:
        _arrive(study, trial)
        state = _end(study, trial, fence, State.COMPLETE, **columns, **extra)
        consider_best(study, trial.pk, float(value))
    _after_ending(study)
    return state


def _value_at(study: Study, trial: Trial, step: int) -> float | None:
    """The first finite value of the study's metric from `step` on, else the last before it; None without a report."""
    curve = trial_curves(trial).get(study.metric)
    if curve is None:
        return None
    rows = list(zip(curve.steps, curve.values, strict=True))
    reached = [value for at, value in rows if at >= step and math.isfinite(value)]
    return reached[0] if reached else rows[-1][1]


def _arrive(study: Study, trial: Trial) -> None:
    """A trial that ends at its resource has come to the top rung, where it has one."""
    if trial.cohort_id is None or trial.resource is None or trial.resource_done < trial.resource:
        return
    value = _value_at(study, trial, trial.resource)
    if value is not None and math.isfinite(value):
        arrive(study, trial, value)


@transaction.atomic
def finish_run(
    *,
    trial_id: int,
    fence: int,
    value: float | None = None,
    facts: Mapping[str, Any] | None = None,
    constraints: Sequence[float] | None = None,
) -> str:
    """A run has ended in order: at a rung its trial pauses, else it is complete as `complete_trial` says.

    Returns the new state. Raises StaleLease.
    """
    study, trial = _locked(trial_id, fence)
    came_to_rung = trial.resource_done >= (trial.resource or 0)
    ran_through = study.max_resource is not None and trial.resource_done >= study.max_resource  # deaf to the pause
    if stands_at_rung(study, trial) and came_to_rung and not ran_through:
        return park_trial(trial_id=trial_id, fence=fence, facts=facts)
    return complete_trial(trial_id=trial_id, fence=fence, value=value, facts=facts, constraints=constraints)


def _end(study: Study, trial: Trial, fence: int, state: str, **changes: Any) -> str:
    """The one terminal report. The rows are locked and were looked at, so nothing else can have moved the trial."""
    if not move_trial(study, trial.pk, State.RUNNING, state, fence=fence, **changes):
        raise StaleLease(f"Trial {trial.number} is no longer held by claim {fence}.")
    return state


@transaction.atomic
def prune_trial(
    *,
    trial_id: int,
    fence: int,
    reason: str = "",
    constraints: Sequence[float] | None = None,
    facts: Mapping[str, Any] | None = None,
    booked: bool = True,
) -> str:
    """RUNNING -> PRUNED: stopped early, or infeasible where a constraint is above 0 (then it has no value).

    One that is infeasible before its first step is of no budget, and its place at a rung goes to another; its device
    time counts unless `booked` is False: hpweb itself looked at it before anything was trained.
    """
    study, trial = _locked(trial_id, fence)
    infeasible = is_infeasible(constraints)
    value, step = (None, None) if infeasible else objective_of(study, trial)
    _end(
        study,
        trial,
        fence,
        State.PRUNED,
        reason=storable(reason) or ("infeasible: a constraint is above 0" if infeasible else ""),
        constraints=list(constraints) if constraints else None,
        infeasible=infeasible,
        facts={**trial.facts, **(facts or {})},
        value_step=step,
        costs_nothing=infeasible,
        booked=booked,
        **value_columns(value),
    )
    _after_ending(study)
    return State.PRUNED


@transaction.atomic
def fail_trial(
    *,
    trial_id: int,
    fence: int,
    reason_code: str,
    reason: str,
    traceback: str = "",
    facts: Mapping[str, Any] | None = None,
) -> str:
    """RUNNING -> FAILED with its reason; the study goes on."""
    study, trial = _locked(trial_id, fence)
    _end(
        study,
        trial,
        fence,
        State.FAILED,
        reason_code=reason_code if reason_code in Reason.values else Reason.CODE_ERROR,
        reason=storable(reason),
        traceback=storable(traceback[-20_000:]),
        facts={**trial.facts, **(facts or {})},
    )
    _after_ending(study)
    return State.FAILED


@transaction.atomic
def requeue_trial(*, trial_id: int, fence: int, why: str, lost: bool, expired: bool = False) -> str:
    """RUNNING -> WAITING, to go on from its last checkpoint.

    With `lost` (a killed process, an expired lease) it counts: past the study's max_retries the trial is FAILED.
    With `expired`, only where the lease has really run out. Raises StaleLease.
    """
    study, trial = _locked(trial_id, fence)
    if expired and trial.lease_until is not None and trial.lease_until >= database_now():
        raise StaleLease(f"Trial {trial.number} has renewed its lease.")
    if lost and trial.retries >= study.max_retries:
        _end(
            study,
            trial,
            fence,
            State.FAILED,
            reason_code=Reason.LOST_HOST,
            reason=f"{why} It was lost {trial.retries + 1} times, so it is given up. If the kernel "
            "killed the process for memory (see `dmesg`), lower the batch size or run fewer trials at once.",
        )
        _after_ending(study)
        return State.FAILED
    move_trial(
        study,
        trial.pk,
        State.RUNNING,
        State.WAITING,
        fence=fence,
        reason=why,
        retries=trial.retries + (1 if lost else 0),
    )
    hints.announce()
    return State.WAITING


@transaction.atomic
def park_trial(*, trial_id: int, fence: int, facts: Mapping[str, Any] | None = None) -> str:
    """RUNNING -> PAUSED at a rung: its device is free, its checkpoint stays, the scheduler decides, now or later.

    A trial whose metric is not there or not finite at the rung has failed, as `complete_trial` says. Returns the state
    that it pauses or ends in, whatever the scheduler has made of it since. Raises StaleLease.
    """
    study, trial = _locked(trial_id, fence)
    step = trial.resource if trial.resource is not None else trial.resource_done
    value = _value_at(study, trial, step)
    if value is None or not math.isfinite(value):
        return complete_trial(trial_id=trial_id, fence=fence, value=value, facts=facts)
    arrive(study, trial, value)
    changes: dict[str, Any] = {"facts": {**trial.facts, **(facts or {})}}
    if trial.lease_hash:  # a script keeps its checkpoint itself, and goes on from here
        changes["checkpoint_step"] = trial.resource_done
    move_trial(study, trial.pk, State.RUNNING, State.PAUSED, fence=fence, **changes)
    _after_ending(study)
    return State.PAUSED


def end_attempt(
    *,
    attempt_id: int,
    outcome: str,
    exit_code: int | None = None,
    peak_memory: int | None = None,
    utilisation: float | None = None,
) -> None:
    """Note how a process ended and what it used (bytes; the busy share of its device, 0 to 1).

    Not fenced, because what happened to a process stays true when its claim is stale.
    """
    Attempt.objects.filter(pk=attempt_id, ended__isnull=True).update(
        ended=timezone.now(),
        outcome=storable(outcome)[:120],
        exit_code=exit_code,
        peak_memory=peak_memory,
        utilisation=utilisation,
    )
