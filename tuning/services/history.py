"""A study's trials as the samplers see them: a columnar History, kept per process and extended by what is new.

Finished trials never change, so they are appended once, in order of finish_seq; open ones are read on each call. The
cache therefore changes no result, only the time to a suggestion.
"""

import threading
from collections import OrderedDict
from datetime import datetime
from typing import Any

from tuning.engine import History, SearchSpace, TrialState
from tuning.engine import Trial as EngineTrial
from tuning.models import Study, Trial

CACHED_STUDIES = 16
FIELDS = ("number", "params", "state", "value", "resource_done", "reason_code", "infeasible", "origin", "finish_seq")

_lock = threading.Lock()
_finished: OrderedDict[tuple[int, datetime, str], tuple[int, History]] = OrderedDict()


def study_history(study: Study, space: SearchSpace) -> History:
    """The History of `study` in `space`: finished trials by finish_seq, then the open ones by number.

    Trials of an earlier version of the space that do not fit this one are left out.
    """
    key = (study.pk, study.created, space.digest())
    with _lock:
        seen, history = _finished.pop(key, (0, History(space, study.direction)))
        for row in Trial.objects.filter(study=study, finish_seq__gt=seen).order_by("finish_seq").values(*FIELDS):
            seen = row["finish_seq"]
            if space.contains(row["params"]):
                history.append_trial(_engine_trial(row))
        _finished[key] = (seen, history)
        while len(_finished) > CACHED_STUDIES:
            _finished.popitem(last=False)
        finished_view = history.with_pending(())
    open_rows = Trial.objects.filter(study=study, finish_seq__isnull=True).order_by("number").values(*FIELDS)
    return finished_view.with_pending([_engine_trial(row) for row in open_rows if space.contains(row["params"])])


def _engine_trial(row: dict[str, Any]) -> EngineTrial:
    return EngineTrial(
        number=row["number"],
        params=row["params"],
        state=TrialState(row["state"]),
        value=row["value"] if row["state"] in Trial.TERMINAL else None,
        resource=row["resource_done"],
        reason_code=row["reason_code"] or None,
        infeasible=row["infeasible"],
        origin=row["origin"],
    )
