"""Every change of a trial's state goes through `move_trial`, which keeps the study's counters and versions true.

The order of locks is: study row, then trial row. Callers hold the study by `lock_study` inside a transaction.
"""

import math
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce, Greatest, Now
from django.utils import timezone

from tuning.models import Study, Trial
from tuning.selectors.clock import SecondsSince
from tuning.selectors.schedulers import has_rungs
from tuning.services.audit import record
from tuning.services.device_time import book_device_time
from tuning.services.errors import NotFound
from tuning.services.paired import settle_test
from tuning.services.rungs import Member, follow

State = Trial.State
HISTORICAL = frozenset({State.COMPLETE, State.PRUNED, State.FAILED, State.PAUSED})
ERRORS = frozenset({Trial.Reason.CODE_ERROR, Trial.Reason.OUT_OF_MEMORY})  # that the next trial may meet as well
AT_WORK = frozenset({State.WAITING, State.RUNNING})


def lock_study(study_id: int) -> Study:
    """The study row, locked until the transaction ends (SQLite: the whole database, by BEGIN IMMEDIATE).

    The lock leaves foreign keys to the study free: a worker that stores the first point of a new metric does not wait.
    Raises NotFound.
    """
    study = Study.objects.select_for_update(no_key=True).filter(pk=study_id).first()
    if study is None:
        raise NotFound(f"There is no study {study_id}.")
    return study


def value_columns(value: float | None) -> dict[str, Any]:
    """The columns of an objective value; a non-finite one is NULL and its kind."""
    if value is None:
        return {"value": None, "value_kind": "", "values": None}
    if math.isfinite(value):
        return {"value": value, "value_kind": "", "values": [value]}
    kind = "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return {"value": None, "value_kind": kind, "values": [value]}


def counter(state: str) -> str:
    return f"n_{state.lower()}"


def count_change(study: Study, changes: dict[str, int], *, historical: int, **literal: Any) -> None:
    """Add to the counters of a locked study and raise its versions, in the row and in the object.

    historical: how many changes the history has seen, which is how far its version rises.
    """
    updates: dict[str, Any] = {name: F(name) + delta for name, delta in changes.items() if delta}
    steps = max(1, historical)
    updates |= {"version": F("version") + steps, "last_activity": Now(), **literal}
    if historical:
        updates["history_version"] = F("history_version") + int(historical)
        study.history_version += historical
    Study.objects.filter(pk=study.pk).update(**updates)
    study.version += steps
    for name, delta in changes.items():
        setattr(study, name, getattr(study, name) + delta)
    for name, value in literal.items():
        setattr(study, name, value)


def move_trial(
    study: Study,
    trial_id: int,
    old: str,
    new: str,
    *,
    fence: int | None = None,
    costs_nothing: bool = False,
    booked: bool = True,
    **changes: Any,
) -> bool:
    """Move one trial of a locked study from `old` to `new`; False, and nothing changed, where it is no longer there.

    With `fence`, only the claim that holds it may move the trial. A terminal state gets the study's next finish_seq.
    A FAILED trial has no value, whatever it had reached before, unless `changes` says why it is not finite. A run that
    ends is added to the trial's time, and to its owner's device time where it held a slot and is `booked`.

    costs_nothing: it is infeasible, and has not taken a step (for which only the locked row is believed): it counts
    against no budget and leaves its place at a rung to another.
    """
    rows = Trial.objects.filter(pk=trial_id, study_id=study.pk, state=old)
    if fence is not None:
        rows = rows.filter(fence=fence)
    before = _locked_row(rows)
    if before is None:
        return False
    literal: dict[str, Any] = {}
    if new == State.FAILED:
        changes = {**value_columns(None), "value_step": None, **changes}
    if new in Trial.TERMINAL:
        changes |= {"finish_seq": study.finish_seq + 1, "completed": timezone.now()}
        literal["finish_seq"] = study.finish_seq + 1
    costs_nothing = costs_nothing and before.resource_done == 0
    if old == State.RUNNING:
        literal |= _infeasible(study, new, costs_nothing)
        literal |= _failures(study, new, changes.get("reason_code", ""))
        changes |= {"run_seconds": F("run_seconds") + before.lasted, "claimed": None, "deadline": None}
    if new == State.RUNNING:
        changes |= {"claimed": Now()}
    else:
        changes |= {"slot": None, "lease_until": None, "lease_hash": ""}
    if rows.update(state=new, **changes) != 1:
        return False
    if before.cohort_id is not None and before.rung is not None and has_rungs(study):
        follow(Member(trial_id, before.number, before.cohort_id, before.rung), old, new, stays=not costs_nothing)
    if old == State.RUNNING and before.slot_id is not None and (booked or not costs_nothing):
        book_device_time(study, seconds=before.lasted, until=before.now)
    counts = {counter(old): -1, counter(new): +1, "n_infeasible": int(costs_nothing)}
    counts["steps_settled"] = 0 if costs_nothing else steps_settled(old, new, before.resource_done)
    count_change(study, counts, historical=new in HISTORICAL or old == State.PAUSED, **literal)
    return True


class _Before(NamedTuple):
    """A trial's row before its move: its place, what it has trained, and for how long its present run has lasted."""

    number: int
    cohort_id: int | None
    rung: int | None
    resource_done: int
    slot_id: int | None
    lasted: float
    now: datetime


def _locked_row(rows: QuerySet[Trial]) -> _Before | None:
    """The one row, locked, so that no report that is being stored adds a step to it before it has moved."""
    lasted = Greatest(Coalesce(SecondsSince("claimed"), 0.0), 0.0)
    found = rows.select_for_update(no_key=True).annotate(lasted=lasted, now=Now()).values_list(*_Before._fields)
    return next((_Before(*row) for row in found), None)


def _failures(study: Study, new: str, reason_code: str) -> dict[str, int]:
    """The study's count of failures in a row after a run has ended in `new`; empty where it stays."""
    if new == State.FAILED:
        return {"failed_in_a_row": study.failed_in_a_row + 1} if reason_code in ERRORS else {}
    return {"failed_in_a_row": 0} if study.failed_in_a_row and new != State.WAITING else {}


def _infeasible(study: Study, new: str, costs_nothing: bool) -> dict[str, int]:
    """The same of its configurations in a row that cost nothing."""
    if costs_nothing:
        return {"infeasible_in_a_row": study.infeasible_in_a_row + 1}
    ended = new in (State.PAUSED, State.COMPLETE, State.PRUNED)
    return {"infeasible_in_a_row": 0} if ended and study.infeasible_in_a_row else {}


def steps_settled(old: str, new: str, done: int) -> int:
    """What a move adds to the study's steps_settled; a trial that ended or rests before its first step is one."""
    return max(done, 1) * ((old in AT_WORK) - (new in AT_WORK))


def consider_best(study: Study, trial_id: int, value: float) -> None:
    """Make a completed trial the study's best where its value beats the present one (ties: the earlier stays).

    One that was cut short is the best only while none is complete.
    """
    present = study.best_trial
    best = present.value if present and present.state == State.COMPLETE else None
    better = best is None or (value < best if study.direction == "minimize" else value > best)
    if better:
        Study.objects.filter(pk=study.pk).update(best_trial_id=trial_id)
        study.best_trial_id = trial_id


def renew_best(study: Study) -> None:
    """Find the best trial of a locked study anew, after one has ceased to count or counts again, or it has ended.

    A study that has ended without a complete trial has the best of those that were cut short.
    """
    order = "value" if study.direction == "minimize" else "-value"
    rows = Trial.objects.filter(study=study, value__isnull=False, excluded_at__isnull=True)
    rows = rows.order_by(order, "finish_seq")
    best = rows.filter(state=State.COMPLETE).first()
    if best is None and study.state in (Study.State.STOPPED, Study.State.FINISHED):
        best = rows.filter(state=State.PRUNED, infeasible=False).first()
    Study.objects.filter(pk=study.pk).update(best_trial=best)
    study.best_trial = best


def finish_study(study: Study, reason: str) -> None:
    """RUNNING -> FINISHED of a locked study with no open trial left."""
    if Study.objects.filter(pk=study.pk, state=Study.State.RUNNING).update(
        state=Study.State.FINISHED, state_reason=reason, finished=Now()
    ):
        study.state = Study.State.FINISHED
        if study.best_trial_id is None:
            renew_best(study)
        settle_test(study)
        count_change(study, {}, historical=False)
        record(actor=None, verb="finished", kind="study", object_id=study.pk, name=study.name, after={"reason": reason})


def reopen_study(study: Study) -> None:
    """FINISHED -> RUNNING of a locked study that has something to run again; the caller records why."""
    if Study.objects.filter(pk=study.pk, state=Study.State.FINISHED).update(
        state=Study.State.RUNNING, state_reason="", finished=None
    ):
        study.state, study.state_reason, study.finished = Study.State.RUNNING, "", None
        renew_best(study)
        count_change(study, {}, historical=False)
