"""The engine's scheduler over the database: asking it, and carrying out what it decides."""

import math
from collections.abc import Sequence
from typing import Any

from django.db.models import F

from tuning.engine import TrialState
from tuning.engine.schedulers.base import Decision, Done, Promote, Start, Transition, Wait
from tuning.models import Study, Trial
from tuning.selectors.budget import cost_of, steps_committed, time_is_up, trial_limit
from tuning.selectors.schedulers import has_rungs, scheduler_of
from tuning.selectors.workloads import unit_of
from tuning.services import rungs
from tuning.services.errors import Conflict
from tuning.services.metrics import Point
from tuning.services.proposing import is_exhausted
from tuning.services.scheduler_view import StudyRungView, StudyView
from tuning.services.settling import move_paused
from tuning.services.transitions import move_trial

__all__ = ["Done", "Promote", "Start", "Wait"]

State = Trial.State


def view_of(study: Study) -> StudyView:
    """What the study's scheduler sees; where a grid has run out its budget is what has been created.

    A cohort that waited for members that nobody can propose would wait for ever.
    """
    view = _view(study)
    if has_rungs(study) and is_exhausted(study):
        view.budget = view.created
    return view


def _view(study: Study) -> StudyView:
    view = StudyRungView(study) if has_rungs(study) else StudyView(study)
    view.budget = trial_limit(study)
    return view


def next_action(study: Study) -> Decision:
    """What a locked study should do with a free slot: Start, Promote, Wait or Done."""
    if (words := time_is_up(study)) is not None:
        return Done(words)
    return _within_steps(study, scheduler_of(study).next(view_of(study)))


def next_start(study: Study) -> Start | None:
    """Where a trial of a locked study begins that a person wants to have, also where a grid has run out; None where the
    scheduler starts none.

    Raises Conflict where the study has too few steps left for one.
    """
    start = scheduler_of(study).start(_view(study))
    if start is not None and isinstance(_within_steps(study, start), Wait | Done):
        unit, needed = unit_of(study), steps_committed(study) + cost_of(study, start.resource)
        raise Conflict(
            f"The {study.total_resource:,} {unit} of this study are spent, or kept for trials that are at work: extend "
            f"it to {needed:,} {unit} first."
        )
    return start


def remedy_of_limit(study: Study) -> str:
    """What a person may do who wants one more trial than the study is to have."""
    if study.budget_total is not None and study.budget_total == trial_limit(study):
        return f"extend the study to {study.n_counted + 1:,} trials"
    return f"extend the study to more than {study.total_resource:,} {unit_of(study)}"


def _within_steps(study: Study, action: Decision) -> Decision:
    """The scheduler's decision, where the study's steps pay for it in any case; else Wait or Done.

    Each trial at work is counted with all that it may still train, so that the study cannot come out above its budget;
    what a trial leaves over when it ends early pays for others.
    """
    if study.total_resource is None or not isinstance(action, Start | Promote):
        return action
    done = 0
    if isinstance(action, Promote):
        done = Trial.objects.values_list("resource_done", flat=True).get(study=study, number=action.number)
    cost, left = cost_of(study, action.resource, done), study.total_resource - steps_committed(study)
    if cost <= left:
        return action
    if study.n_running or study.n_waiting:
        return Wait("the steps that are left are kept for the trials at work")
    rest = f"; {left:,} are left, too few to go on" if left else ""
    return Done(f"the budget of {study.total_resource:,} {unit_of(study)} is used{rest}")


def promote(study: Study, action: Promote) -> Trial:
    """PAUSED -> WAITING, to run to the next rung."""
    trial = Trial.objects.get(study=study, number=action.number)
    columns: dict[str, Any] = {"rung": F("rung") + 1, "resource": action.resource, "turn": study.version}
    move_trial(study, trial.pk, State.PAUSED, State.WAITING, reason="promoted", **columns)
    trial.refresh_from_db()
    return trial


def stands_at_rung(study: Study, trial: Trial) -> bool:
    """Whether a run that has come to its trial's resource pauses there, and is not at its end."""
    if trial.resource is None or study.max_resource is None or trial.resource >= study.max_resource:
        return False
    return trial.cohort_id is not None and scheduler_of(study).pauses


def resource_of_run(study: Study, trial: Trial) -> int | None:
    """The step that a run of the trial goes to by itself: its next rung where it pauses there, else its end."""
    return trial.resource if not judges_while_running(study) else study.max_resource


def judges_while_running(study: Study) -> bool:
    """Whether a trial that runs on needs a word at its rungs: then a report that comes to one locks the study."""
    return has_rungs(study) and not scheduler_of(study).pauses


def decide_report(study: Study, trial: Trial, points: Sequence[Point]) -> str:
    """The scheduler's word on a running trial's new points: "continue", "pause" or "stop".

    Between its rungs every scheduler lets a trial go on. The study is locked where `judges_while_running`.
    """
    if not has_rungs(study):
        return "continue"
    scheduler = scheduler_of(study)
    for point in points:
        value = point.metrics.get(study.metric)
        if trial.resource is None or point.step < trial.resource or value is None or not math.isfinite(value):
            continue
        if scheduler.pauses:
            return "pause" if stands_at_rung(study, trial) else "continue"
        if study.max_resource is not None and point.step >= study.max_resource:
            return "continue"  # it is at its end
        member = rungs.member_of(study, trial.pk)
        if member is None:
            return "continue"
        rungs.arrive(study, member, trial.resource, value)
        verdict = scheduler.on_report(StudyRungView(study), trial.number, point.step, value)
        if verdict == "stop":
            rungs.cut(member)
            return verdict
        ladder = scheduler.ladder(trial.bracket)
        higher = next((rung for rung, resource in enumerate(ladder) if resource > point.step), None)
        if higher is not None:
            rungs.climb(member, higher)
            trial.rung, trial.resource = higher, ladder[higher]
            Trial.objects.filter(pk=trial.pk).update(rung=higher, resource=ladder[higher])
    return "continue"


def arrive(study: Study, trial: Trial, value: float) -> None:
    """A trial of a locked study has come to its resource with this finite value of the metric."""
    member = rungs.member_of(study, trial.pk)
    if member is not None and trial.resource is not None:
        rungs.arrive(study, member, trial.resource, value)


def settle(study: Study) -> bool:
    """Carry out what the scheduler decides on the paused trials of a locked study; whether anything moved."""
    if not study.n_paused or not has_rungs(study):
        return False
    return move_paused(study, scheduler_of(study).settle(view_of(study), False)) > 0


def settle_paused(study: Study) -> None:
    """The budget is over or the study was stopped: every PAUSED trial of the locked study ends as PRUNED."""
    numbers = Trial.objects.filter(study=study, state=State.PAUSED).order_by("pk").values_list("number", flat=True)
    reason = "the study ended before a promotion"
    move_paused(study, [Transition(number, TrialState.PRUNED, None, reason) for number in numbers])
