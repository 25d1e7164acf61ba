"""A study's trials as the samplers see them: a columnar History, kept per process and extended by what is new.

Finished trials never change, so they are appended once, in order of finish_seq; open ones are read on each call. Where
a person changes the past (an exclusion) the study's history_epoch rises, and where the ranges change it has another
space: then a new History is made. The cache therefore changes no result, only the time to a suggestion.
"""

import threading
from collections import OrderedDict, defaultdict
from datetime import datetime
from typing import Any

from tuning.engine import History, SearchSpace
from tuning.engine import Trial as EngineTrial
from tuning.engine.transfer import Misfit, fitted, usable_assumptions
from tuning.models import RungEntry, Study, Trial
from tuning.selectors.schedulers import has_rungs
from tuning.selectors.sources import FIELDS, engine_trial
from tuning.services.sources import earlier_histories

CACHED_STUDIES = 16

_lock = threading.Lock()
_finished: "OrderedDict[tuple[int, datetime, int, int | None, str], tuple[int, History]]" = OrderedDict()


def study_history(study: Study, space: SearchSpace) -> History:
    """The History of `study` in `space`: finished trials by finish_seq, then the open ones by number.

    Trials of an earlier version of the space are carried over to this one, with the values assumed of parameters that
    they lack, and left out where they do not fit it; excluded trials are left out. Parameters beside the space, which
    an objective suggested while it ran, are not shown to the sampler. The trials of earlier studies that this one
    learns from are in `History.earlier`.
    """
    key = (study.pk, study.created, study.history_epoch, study.space_id, space.digest())
    assumed = assumed_values(study, space)
    with _lock:
        seen, history = _finished.pop(key) if key in _finished else (0, _empty(study, space))
        seen = _append_finished(history, study, seen, assumed)
        _finished[key] = (seen, history)
        while len(_finished) > CACHED_STUDIES:
            _finished.popitem(last=False)
        finished_view = history.with_pending(())
    return _with_open(finished_view, study, assumed)


def fresh_history(study: Study, space: SearchSpace) -> History:
    """The same without the cache, for a transaction that may see endings which are then rolled back."""
    history, assumed = _empty(study, space), assumed_values(study, space)
    _append_finished(history, study, 0, assumed)
    return _with_open(history, study, assumed)


def assumed_values(study: Study, space: SearchSpace) -> dict[str, Any]:
    """What trials of earlier versions of the study's space ran with of parameters that they lack."""
    return usable_assumptions(space, study.space.assumed)[0] if study.space is not None else {}


def _empty(study: Study, space: SearchSpace) -> History:
    return History(space, study.direction, earlier_histories(study, space))


def _append_finished(history: History, study: Study, seen: int, assumed: dict[str, Any]) -> int:
    rows = Trial.objects.filter(study=study, finish_seq__gt=seen, excluded_at__isnull=True)
    rungs = _rung_values(study, trial__finish_seq__gt=seen)
    for row in rows.order_by("finish_seq").values(*FIELDS):
        seen = row["finish_seq"]
        if (trial := _engine_trial(row, history.space, assumed, rungs.get(row["number"]))) is not None:
            history.append_trial(trial)
    return seen


def _with_open(history: History, study: Study, assumed: dict[str, Any]) -> History:
    rows = Trial.objects.filter(study=study, finish_seq__isnull=True).order_by("number").values(*FIELDS)
    rungs = _rung_values(study, trial__finish_seq__isnull=True)
    trials = (_engine_trial(row, history.space, assumed, rungs.get(row["number"])) for row in rows)
    return history.with_pending([trial for trial in trials if trial is not None])


def _rung_values(study: Study, **trials: Any) -> dict[int, dict[int, float]]:
    """What these trials of a study came to at their rungs: {number: {step: value}}; empty without a scheduler."""
    found: dict[int, dict[int, float]] = defaultdict(dict)
    if has_rungs(study):
        entries = RungEntry.objects.filter(cohort__study=study, loss__isnull=False, step__isnull=False, **trials)
        sign = 1.0 if study.direction == "minimize" else -1.0
        for number, step, loss in entries.order_by("step").values_list("number", "step", "loss"):
            if step is not None and loss is not None:
                found[number][step] = sign * loss
    return found


def _engine_trial(
    row: dict[str, Any], space: SearchSpace, assumed: dict[str, Any], rungs: dict[int, float] | None
) -> EngineTrial | None:
    try:
        return engine_trial(row, fitted(space, row["params"], assumed), rungs)
    except Misfit:
        return None
