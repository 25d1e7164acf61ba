"""A study's trials as the samplers see them: a columnar History, kept per process and extended by what is new.

Finished trials never change, so they are appended once, in order of finish_seq; open ones are read on each call. The
cache therefore changes no result, only the time to a suggestion.
"""

import threading
from collections import OrderedDict
from datetime import datetime
from typing import Any

from tuning.engine import History, SearchSpace
from tuning.engine import Trial as EngineTrial
from tuning.engine.transfer import Misfit, fitted
from tuning.models import Study, Trial
from tuning.selectors.sources import FIELDS, engine_trial
from tuning.services.sources import earlier_histories

CACHED_STUDIES = 16

_lock = threading.Lock()
_finished: OrderedDict[tuple[int, datetime, str], tuple[int, History]] = OrderedDict()


def study_history(study: Study, space: SearchSpace) -> History:
    """The History of `study` in `space`: finished trials by finish_seq, then the open ones by number.

    Trials of an earlier version of the space are carried over to this one, and left out where they do not fit it;
    parameters beside the space, which an objective suggested while it ran, are not shown to the sampler. The trials of
    earlier studies that this one learns from are in `History.earlier`.
    """
    key = (study.pk, study.created, space.digest())
    with _lock:
        seen, history = _finished.pop(key) if key in _finished else (0, _empty(study, space))
        seen = _append_finished(history, study, seen)
        _finished[key] = (seen, history)
        while len(_finished) > CACHED_STUDIES:
            _finished.popitem(last=False)
        finished_view = history.with_pending(())
    return _with_open(finished_view, study)


def fresh_history(study: Study, space: SearchSpace) -> History:
    """The same without the cache, for a transaction that may see endings which are then rolled back."""
    history = _empty(study, space)
    _append_finished(history, study, 0)
    return _with_open(history, study)


def _empty(study: Study, space: SearchSpace) -> History:
    return History(space, study.direction, earlier_histories(study, space))


def _append_finished(history: History, study: Study, seen: int) -> int:
    for row in Trial.objects.filter(study=study, finish_seq__gt=seen).order_by("finish_seq").values(*FIELDS):
        seen = row["finish_seq"]
        if (trial := _engine_trial(row, history.space)) is not None:
            history.append_trial(trial)
    return seen


def _with_open(history: History, study: Study) -> History:
    rows = Trial.objects.filter(study=study, finish_seq__isnull=True).order_by("number").values(*FIELDS)
    trials = (_engine_trial(row, history.space) for row in rows)
    return history.with_pending([trial for trial in trials if trial is not None])


def _engine_trial(row: dict[str, Any], space: SearchSpace) -> EngineTrial | None:
    try:
        return engine_trial(row, fitted(space, row["params"]))
    except Misfit:
        return None
