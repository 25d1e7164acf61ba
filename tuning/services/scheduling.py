"""The engine's scheduler over the database: its view of a study, and carrying out what it decides."""

import math
from collections.abc import Sequence

from tuning.engine import Direction, registry
from tuning.engine.schedulers.base import Decision, Done, Promote, Scheduler, Start, Wait
from tuning.models import Study, Trial
from tuning.services.metrics import Point
from tuning.services.transitions import move_trial

__all__ = ["Done", "Promote", "Start", "Wait"]

State = Trial.State


class StudyView:
    """tuning.engine.schedulers.view.View on the counters of a study's row."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self.direction = Direction.of(study.direction)
        self.budget: int | None = study.budget_total

    @property
    def created(self) -> int:
        return self._study.n_created

    @property
    def waiting(self) -> int:
        return self._study.n_waiting

    @property
    def running(self) -> int:
        return self._study.n_running

    @property
    def paused(self) -> int:
        return self._study.n_paused

    @property
    def open(self) -> int:
        return self._study.n_open

    def resource_of(self, number: int) -> int | None:
        """The resource that the trial may run to. Raises KeyError for an unknown trial."""
        rows = Trial.objects.filter(study=self._study, number=number).values_list("resource", flat=True)
        if not rows:
            raise KeyError(number)
        return rows[0]


def scheduler_of(study: Study) -> Scheduler:
    return registry.make_scheduler(
        study.scheduler,
        study.scheduler_options,
        min_resource=study.min_resource,
        max_resource=study.max_resource,
        reduction_factor=study.reduction_factor,
        direction=study.direction,
    )


def next_action(study: Study) -> Decision:
    """What a locked study should do with a free slot: Start, Promote, Wait or Done."""
    return scheduler_of(study).next(StudyView(study))


def decide_report(study: Study, trial: Trial, points: Sequence[Point]) -> str:
    """The scheduler's word on a running trial's new points: "continue", "pause" or "stop"."""
    scheduler = scheduler_of(study)
    view = StudyView(study)
    for point in points:
        value = point.metrics.get(study.metric)
        if value is None or not math.isfinite(value):
            continue
        verdict = scheduler.on_report(view, trial.number, point.step, value)
        if verdict != "continue":
            return verdict
    return "continue"


def settle_paused(study: Study) -> None:
    """The budget is over or the study was stopped: every PAUSED trial of the locked study ends as PRUNED."""
    for trial_id in list(Trial.objects.filter(study=study, state=State.PAUSED).values_list("pk", flat=True)):
        move_trial(study, trial_id, State.PAUSED, State.PRUNED, reason="the study ended before a promotion")
