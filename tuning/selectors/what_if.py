"""What if: the recorded curves of an ended study through other schedulers and settings.

Replayed once for each version of the history and kept per process, so that everybody who looks shares one computation.
"""

import math
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from statistics import median

from tuning.engine.alternatives import MANY, Alternative, alternatives
from tuning.engine.replay import Ending, Record, RecordedTrial
from tuning.engine.trial import CONFIGURATION_FAILURES
from tuning.models import Study, Trial
from tuning.selectors.curves import Curve, study_curves

FEWEST = 5  # trials: with fewer no scheduler has anything to compare
MOST = 2_000
CACHED = 8
ENDED = (Study.State.STOPPED, Study.State.FINISHED)

_lock = threading.Lock()
_made: "OrderedDict[tuple[int, datetime, int, int, int, int | None], WhatIf]" = OrderedDict()


@dataclass(frozen=True)
class WhatIf:
    """A study's record and what other settings make of it, best first; `problem` is a sentence where there is none.

    left_out: trials that say nothing about their configuration: cancelled ones, those of a lost host, and those that a
    retry went on with. timed: whether the record knows how long a step takes. usual: whether only some settings were
    replayed, for the number of trials.
    """

    problem: str = ""
    record: Record | None = None
    max_resource: int | None = None
    alternatives: Sequence[Alternative] = ()
    left_out: int = 0
    timed: bool = False
    usual: bool = False

    @property
    def keeping(self) -> Alternative | None:
        """The one that keeps the recorded winner for the fewest steps."""
        first = self.alternatives[0] if self.alternatives else None
        return first if first is not None and first.replay.gap is None and first.replay.kept else None


def what_if(study: Study) -> WhatIf:
    """The alternatives of the study as it stands."""
    version = (study.history_version, study.history_epoch)
    key = (study.pk, study.created, *version, study.parallel, study.max_resource)
    if study.state not in ENDED:  # an ended study has this version, too
        return _what_if(study)
    with _lock:
        found = _made.pop(key, None) or _what_if(study)
        _made[key] = found
        while len(_made) > CACHED:
            _made.popitem(last=False)
    return found


def _what_if(study: Study) -> WhatIf:
    if study.state not in ENDED:
        return WhatIf("What other schedulers would have made of these trials can be told once the study has ended.")
    rows = Trial.objects.filter(study=study, excluded_at__isnull=True)
    rows = rows.exclude(infeasible=True, resource_done=0)  # of no budget, and nothing was trained
    n = rows.count()
    if n > MOST:
        return WhatIf(f"At most {MOST:,} trials are replayed, and a part of the {n:,} here would be another study.")
    trials = list(rows.order_by("number").only("number", "state", "reason_code", "value", "infeasible"))
    retried = set(
        Trial.objects.filter(study=study, origin="retry", clone_of__isnull=False).values_list("clone_of_id", flat=True)
    )
    kept = [trial for trial in trials if trial.pk not in retried and not _lost(trial)]
    found = study_curves(study, [trial.pk for trial in kept], [study.metric])
    curves = {pk: by_name[study.metric] for pk, by_name in found.items()}
    problem = _unfit(study, kept, curves)
    if problem:
        return WhatIf(problem)
    record, timed = _record(study, kept, curves)
    top = study.max_resource or max(trial.last for trial in record.trials)
    made = alternatives(record, top, study.min_resource)
    return WhatIf("", record, top, made, len(trials) - len(kept), timed, len(record.trials) > MANY)


def _lost(trial: Trial) -> bool:
    """Whether the trial failed for its surroundings: nobody knows what would have become of it."""
    return trial.state == Trial.State.FAILED and trial.reason_code not in CONFIGURATION_FAILURES


def _unfit(study: Study, trials: Sequence[Trial], curves: dict[int, Curve]) -> str:
    """Why there is nothing to replay, as a sentence; empty where there is."""
    if not curves:
        return f"No trial has reported {study.metric} step by step: there are no curves to replay."
    complete = [trial for trial in trials if _ending(trial) == "complete"]
    if not complete:
        return "No trial is complete, so there is no winner to keep."
    if len(trials) < FEWEST:
        return f"At least {FEWEST} trials are needed, for schedulers compare trials; this study has {len(trials)}."
    silent = [trial.number for trial in complete if trial.pk not in curves]
    if silent:
        others = f" and {len(silent) - 1} more" if len(silent) > 1 else ""
        return (
            f"Trial {silent[0]}{others} told its value without having reported {study.metric} step by step: nobody can "
            "tell what a scheduler would have seen of it."
        )
    if max(curve.steps[-1] for curve in curves.values()) <= 1 or study.max_resource == 1:
        return "Its trials have a single step: there is nothing that a scheduler could cut."
    return ""


def _ending(trial: Trial) -> Ending:
    if trial.state == Trial.State.COMPLETE and trial.value is not None and math.isfinite(trial.value):
        return "complete"
    if trial.state == Trial.State.PRUNED and not trial.infeasible:
        return "cut"
    return "failed"


def _record(study: Study, trials: Sequence[Trial], curves: dict[int, Curve]) -> tuple[Record, bool]:
    """The trials as the engine takes them, and whether any of them knows how long its steps take."""
    nothing = Curve([], [], [])
    paces = {pk: pace for pk, curve in curves.items() if (pace := _pace(curve)) is not None}
    usual = median(paces.values()) if paces else 1.0
    recorded = []
    for trial in trials:
        curve, ending = curves.get(trial.pk, nothing), _ending(trial)
        value = trial.value if ending == "complete" else None
        pace = paces.get(trial.pk, usual)
        recorded.append(RecordedTrial(trial.number, curve.steps, curve.values, ending, value, pace))
    return Record(recorded, study.direction, study.parallel), bool(paces)


def _pace(curve: Curve) -> float | None:
    """The median time of a step, in seconds; a pause between two attempts is one gap among many. None: not known."""
    rows = list(zip(curve.steps, curve.wall_times, strict=True))
    gaps = [(late - soon) / (after - before) for (before, soon), (after, late) in pairwise(rows)]
    known = [gap for gap in gaps if gap > 0]
    return median(known) if known else None
