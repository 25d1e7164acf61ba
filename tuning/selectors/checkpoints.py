"""Which trials keep checkpoints, and in which order those that nobody goes on from may be deleted."""

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from django.db.models import Q

from tuning.models import Study, Trial
from tuning.selectors.clock import SecondsSince

State = Trial.State
ENDED = (Study.State.STOPPED, Study.State.FINISHED)
SETTLED_SECONDS = 60.0  # a trial that ended later than this may still be tidied up by its worker
FIELDS = ("pk", "study_id", "number", "state", "value", "ended", "checkpoint", "best_checkpoint")
OF_STUDY = ("study__state", "study__best_trial", "study__directions", "study__finished")


@dataclass(frozen=True)
class Keeper:
    """A trial that has checkpoints; `may_go`: nobody goes on from them, and it is not the best of its study."""

    trial_id: int
    study_id: int
    number: int
    may_go: bool


def keepers(**trials: Any) -> list[Keeper]:
    """The trials that have an accepted checkpoint; those that may go come in the order in which they go.

    First what failed or was pruned, the longest ended first. Then complete trials: those of studies that have ended,
    the longest ended first, before those of others, and of each study the worst first. A trial that may go on, the best
    of a study, and one in whose folder another trial has its checkpoint (a retry goes on from there) may not go.
    """
    rows = Trial.objects.filter(~Q(checkpoint="") | ~Q(best_checkpoint=""), **trials)
    found = list(rows.annotate(ended=SecondsSince("completed")).values(*FIELDS, *OF_STUDY))
    others = {folder for row in found for folder in _folders(row) if folder != (row["study_id"], row["number"])}
    return [
        Keeper(row["pk"], row["study_id"], row["number"], _may_go(row, others)) for row in sorted(found, key=_turn)
    ]


def _may_go(row: dict[str, Any], others: set[tuple[int, int]]) -> bool:
    settled = row["state"] in Trial.TERMINAL and (row["ended"] or 0.0) > SETTLED_SECONDS
    return settled and row["pk"] != row["study__best_trial"] and (row["study_id"], row["number"]) not in others


def _turn(row: dict[str, Any]) -> tuple[Any, ...]:
    age = -(row["ended"] or 0.0)
    if row["state"] != State.COMPLETE:
        return (0, age, row["pk"])
    over = row["study__state"] in ENDED and row["study__finished"] is not None
    sign = 1.0 if row["study__directions"] == ["minimize"] else -1.0
    loss = float("inf") if row["value"] is None else sign * row["value"]
    return (1, row["study__finished"].timestamp(), -loss, row["pk"]) if over else (2, row["study_id"], -loss, row["pk"])


def _folders(row: dict[str, Any]) -> set[tuple[int, int]]:
    """(study, number) of the trials in whose folders this one's checkpoints lie."""
    found = set()
    for stored in (row["checkpoint"], row["best_checkpoint"]):
        study, trial = (*PurePosixPath(stored).parts[:2], "", "")[:2]
        if study.startswith("study-") and trial.startswith("trial-"):
            found.add((int(study.removeprefix("study-")), int(trial.removeprefix("trial-"))))
    return found
