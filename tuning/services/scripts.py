"""Trials that run in a caller's own process: asked, reported and told over REST under a lease token."""

import math
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.utils import timezone

from tuning.models import Study, Trial
from tuning.sealed import is_sealed
from tuning.selectors.budget import is_timed
from tuning.selectors.studies import may_edit
from tuning.services.budget import end_if_timed_out, end_timed_out
from tuning.services.deadlines import fail_overdue
from tuning.services.endings import (
    complete_trial,
    end_attempt,
    fail_trial,
    is_infeasible,
    park_trial,
    prune_trial,
)
from tuning.services.errors import Conflict, Forbidden, Invalid, NotFound, StaleLease
from tuning.services.metrics import Point
from tuning.services.reaper import reap_expired
from tuning.services.reporting import record_points, renew
from tuning.services.scheduling import resource_of_run
from tuning.services.starting import Holder, hash_lease, start_next
from tuning.services.suggestions import answer_suggestion

State = Trial.State
MAX_ASK = 100
REASONS = ("diverged", "out_of_memory", "code_error", "deadline")


@dataclass(frozen=True)
class AskedTrial:
    """A trial to run to `resource`, and the lease token that its reports must carry (shown once)."""

    trial: Trial
    lease: str
    resource: int | None = None


def ask_trials(*, study_id: int, actor: AbstractBaseUser, n: int = 1) -> list[AskedTrial]:
    """Up to `n` trials for the caller to run; fewer, or none, when the study's parallel or budget ends before.

    Raises Invalid, Forbidden, NotFound, and Conflict where the study does not run or its trials run on workers.
    """
    if isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= MAX_ASK:
        raise Invalid({"n": [f"{n!r} is not usable; ask for 1 to {MAX_ASK} trials at once."]})
    study = Study.objects.select_related("owner").filter(pk=study_id).first()
    if study is None:
        raise NotFound(f"There is no study {study_id}.")
    if not may_edit(actor, study):
        raise Forbidden(f"Only {study.owner.get_username()} and administrators may run trials of {study.name!r}.")
    if study.workload:
        raise Conflict(
            f"The trials of this study run on workers, with the workload {study.workload!r}. For trials in "
            "your own process create a study without a workload."
        )
    if study.state != Study.State.RUNNING:
        why = f" ({study.state_reason})" if study.state_reason else ""
        raise Conflict(f"The study is {study.state.lower()}{why}; trials can be asked for while it is running.")
    end_timed_out()
    reap_expired()  # an installation of scripts alone has no supervisor that would
    asked: list[AskedTrial] = []
    for _ in range(n):
        lease = secrets.token_urlsafe(24)
        trial = start_next(study_id=study_id, holder=Holder(lease_hash=hash_lease(lease), host="script"))
        if trial is None:
            break
        asked.append(AskedTrial(trial, lease, resource_of_run(study, trial)))
    return asked


def _held(trial_id: int, lease: str) -> Trial:
    """The running trial that this lease holds. Raises NotFound, StaleLease."""
    trial = Trial.objects.filter(pk=trial_id).first()
    if trial is None:
        raise NotFound(f"There is no trial {trial_id}.")
    if trial.state == State.FAILED and trial.reason_code == Trial.Reason.DEADLINE:
        raise StaleLease(f"Trial {trial.number} missed its deadline. {trial.reason} Ask for a new trial.")
    if trial.state != State.RUNNING or not secrets.compare_digest(trial.lease_hash, hash_lease(lease)):
        raise StaleLease(
            f"Trial {trial.number} is {trial.state.lower()} and this lease does not hold it: it was stopped, or its "
            "lease ran out and it was given to another. Ask for a new trial."
        )
    return trial


def _held_in_time(trial_id: int, lease: str) -> Trial:
    """The running trial that this lease holds; one past its deadline, or its study's, ends here.

    Raises NotFound, StaleLease.
    """
    trial = _held(trial_id, lease)
    if is_timed(trial.study) and end_if_timed_out(study_id=trial.study_id):
        trial = _held(trial_id, lease)
    if trial.deadline is not None and fail_overdue(trial_id=trial.pk, fence=trial.fence):
        attempt_id = trial.attempts.values_list("pk", flat=True).get(fence=trial.fence)
        end_attempt(attempt_id=attempt_id, outcome="deadline passed")
        trial = _held(trial_id, lease)
    return trial


def report(*, trial_id: int, lease: str, points: Sequence[Mapping[str, Any]]) -> str:
    """Store points [{"step": int, "metrics": {name: number}}] and renew the lease; the same again changes nothing.

    Returns "continue", "pause" or "stop"; "stop" also once the trial has reached its resource, and then wants a tell.
    Raises Invalid, NotFound, and StaleLease where the trial was ended from outside.
    """
    rows = _points_of(points)
    trial = _held_in_time(trial_id, lease)
    decision = record_points(trial_id=trial.pk, fence=trial.fence, points=rows)
    if decision == "pause":
        # The script keeps its checkpoint; whoever asks next may get the trial again, with a larger resource.
        attempt_id = trial.attempts.values_list("pk", flat=True).get(fence=trial.fence)
        park_trial(trial_id=trial.pk, fence=trial.fence)
        end_attempt(attempt_id=attempt_id, outcome="paused at a rung")
        return decision
    resource = resource_of_run(trial.study, trial)
    reached = resource is not None and any(row.step >= resource for row in rows)
    return "stop" if decision == "continue" and reached else decision


def _points_of(points: Sequence[Mapping[str, Any]]) -> list[Point]:
    now = timezone.now().timestamp()
    rows = []
    for point in points:
        step, metrics = point.get("step"), point.get("metrics")
        if isinstance(step, bool) or not isinstance(step, int):
            raise Invalid({"step": [f"{step!r} is no step; give a whole number, counted from 1."]})
        if not isinstance(metrics, Mapping) or not metrics:
            raise Invalid({"metrics": ['Give at least one number by name, such as {"validation/loss": 0.31}.']})
        wrong = [name for name, value in metrics.items() if not _is_number(value)]
        if wrong:
            shown = "What came" if is_sealed(wrong[0]) else repr(metrics[wrong[0]])
            raise Invalid({"metrics": [f"{shown} for {wrong[0]!r} is not a number."]})
        rows.append(Point(step=step, metrics={name: float(value) for name, value in metrics.items()}, wall=now))
    return rows


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def heartbeat(*, trial_id: int, lease: str) -> None:
    """Renew the lease. Raises NotFound, StaleLease."""
    trial = _held_in_time(trial_id, lease)
    renew(trial_id=trial.pk, fence=trial.fence)


def suggest(*, trial_id: int, lease: str, name: str, distribution: dict[str, Any]) -> Any:
    """The value of one parameter that the study's space does not have."""
    trial = _held_in_time(trial_id, lease)
    return answer_suggestion(trial_id=trial.pk, fence=trial.fence, name=name, distribution=distribution)


def tell(
    *,
    trial_id: int,
    lease: str,
    value: float | None = None,
    state: str | None = None,
    reason: str = "",
    constraints: Sequence[float] | None = None,
) -> Trial:
    """End a script's trial. The same tell again changes nothing.

    With `value`, COMPLETE (a value that is not finite: FAILED, diverged); with state "failed" or "pruned", that.
    Neither: COMPLETE with the value of the reported metric. Raises Invalid, NotFound, StaleLease, Conflict.
    """
    if state not in (None, "complete", "failed", "pruned"):
        raise Invalid({"state": [f"{state!r} is not known; tell a value, or the state complete, failed or pruned."]})
    if value is not None and state in ("failed", "pruned"):
        raise Invalid({"value": [f"A {state} trial has no value; leave it out, or leave out the state."]})
    if value is not None and not _is_number(value):
        raise Invalid({"value": [f"{value!r} is not a number."]})
    if wrong := [bound for bound in constraints or () if not _is_number(bound)]:
        raise Invalid({"constraints": [f"{wrong[0]!r} is not a number; a constraint is met where it is at most 0."]})
    ended = Trial.objects.filter(pk=trial_id).first()
    if ended is not None and ended.state in Trial.TERMINAL:
        if ended.reason_code == Trial.Reason.DEADLINE and state != "failed":
            _held(trial_id, lease)  # which says how it missed it
        return _same_again(ended, value, state, constraints)
    _held_in_time(trial_id, lease)
    return _end(trial_id, lease, value, state, reason, constraints)


@transaction.atomic
def _end(
    trial_id: int,
    lease: str,
    value: float | None,
    state: str | None,
    reason: str,
    constraints: Sequence[float] | None,
) -> Trial:
    trial = _held(trial_id, lease)
    attempt_id = trial.attempts.values_list("pk", flat=True).get(fence=trial.fence)
    if state == "failed":
        code = reason if reason in REASONS else "code_error"
        new = fail_trial(
            trial_id=trial.pk, fence=trial.fence, reason_code=code, reason=reason or "told as failed by the script"
        )
    elif state == "pruned":
        new = prune_trial(trial_id=trial.pk, fence=trial.fence, reason=reason, constraints=constraints)
    else:
        new = complete_trial(trial_id=trial.pk, fence=trial.fence, value=value, constraints=constraints)
    end_attempt(attempt_id=attempt_id, outcome=f"told: {new.lower()}")
    trial.refresh_from_db()
    return trial


def _same_again(trial: Trial, value: float | None, state: str | None, constraints: Sequence[float] | None) -> Trial:
    """The ended trial, where the same tell would have ended it in this way. Raises Conflict."""
    if state in ("failed", "pruned"):
        same = trial.state == state.upper()
    elif is_infeasible(constraints):
        same = trial.state == State.PRUNED
    elif value is None:  # ended by what it had reported: complete, or failed for what was missing or not finite
        same = trial.state == State.COMPLETE or trial.reason_code in (Trial.Reason.DIVERGED, Trial.Reason.CODE_ERROR)
    elif math.isfinite(value):
        same = trial.state == State.COMPLETE and trial.value == value
    else:
        same = trial.reason_code == Trial.Reason.DIVERGED
    if same:
        return trial
    raise Conflict(
        f"Trial {trial.number} has already ended as {trial.state.lower()}"
        f"{f' with {trial.value}' if trial.value is not None else ''}; a tell cannot change that."
    )
