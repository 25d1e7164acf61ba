"""A study's trials as the samplers see them: a columnar History, kept per process and extended by what is new.

Finished trials never change, so they are appended once, in order of finish_seq. Of open ones the state and the steps
are read on each call, and only those of which these have changed as a whole: ten thousand that wait at a rung are made
once. Where a person changes the past (an exclusion) the study's history_epoch rises, and where the ranges change it has
another space: then a new History is made. The cache therefore changes no result, only the time to a suggestion.
"""

import threading
from collections import OrderedDict, defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from tuning.engine import History, SearchSpace
from tuning.engine import Trial as EngineTrial
from tuning.engine.transfer import Misfit, fitted, usable_assumptions
from tuning.models import RungEntry, Study, Trial
from tuning.selectors.schedulers import has_rungs
from tuning.selectors.sources import FIELDS, engine_trial
from tuning.services.sources import earlier_histories

CACHED_STUDIES = 16
AT_ONCE = 1_000  # rows of one statement

Key = tuple[int, datetime, int, int | None, str]
Open = dict[int, tuple[int, EngineTrial | None]]  # PAUSED trials by number: the steps they came to, and the trial


@dataclass
class _Known:
    """What this process has read of a study: finished trials up to `seen`, and those that were PAUSED at last."""

    history: History
    seen: int = 0
    paused: Open = field(default_factory=dict)


_lock = threading.Lock()
_known: "OrderedDict[Key, _Known]" = OrderedDict()


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
        known = _known.pop(key) if key in _known else _Known(_empty(study, space))
        known.seen = _append_finished(known.history, study, known.seen, assumed)
        _known[key] = known
        while len(_known) > CACHED_STUDIES:
            _known.popitem(last=False)
        finished, paused = known.history.with_pending(()), known.paused
    opened, known.paused = _open_trials(study, space, assumed, paused)
    return finished.with_pending(opened)


def fresh_history(study: Study, space: SearchSpace) -> History:
    """The same without the cache, for a transaction that may see endings which are then rolled back."""
    history, assumed = _empty(study, space), assumed_values(study, space)
    _append_finished(history, study, 0, assumed)
    return history.with_pending(_open_trials(study, space, assumed, {})[0])


def assumed_values(study: Study, space: SearchSpace) -> dict[str, Any]:
    """What trials of earlier versions of the study's space ran with of parameters that they lack."""
    return usable_assumptions(space, study.space.assumed)[0] if study.space is not None else {}


def _empty(study: Study, space: SearchSpace) -> History:
    return History(space, study.direction, earlier_histories(study, space))


def _append_finished(history: History, study: Study, seen: int, assumed: dict[str, Any]) -> int:
    rows = Trial.objects.filter(study=study, finish_seq__gt=seen, excluded_at__isnull=True)
    outdated = _allowed_now(study, rows)
    rungs = _rung_values(study, trial__finish_seq__gt=seen)
    for row in rows.order_by("finish_seq").values(*FIELDS):
        seen = row["finish_seq"]
        if row["number"] in outdated:
            continue
        if (trial := _engine_trial(row, history.space, assumed, rungs.get(row["number"]))) is not None:
            history.append_trial(trial)
    return seen


def _allowed_now(study: Study, rows: QuerySet[Trial]) -> set[int]:
    """The numbers of trials above a limit that has been raised since: nothing was trained, so they say nothing now."""
    if not study.n_infeasible:
        return set()
    found = rows.filter(infeasible=True).values_list("number", "facts")
    counted = {number: facts["footprint"] for number, facts in found if "footprint" in facts}
    limits = study.constraints.items()
    return {
        number
        for number, counts in counted.items()
        if not any(counts.get(name) is not None and counts[name] > limit for name, limit in limits)
    }


def _open_trials(
    study: Study, space: SearchSpace, assumed: dict[str, Any], known: Open
) -> tuple[list[EngineTrial], Open]:
    """The open trials by number, and what is to be kept of them: those that are PAUSED, where nothing changes.

    One that pauses again has come to a higher rung, by more steps.
    """
    rows = Trial.objects.filter(study=study, finish_seq__isnull=True).order_by("number")
    states = list(rows.values_list("number", "state", "resource_done"))
    paused: Open = {}
    for number, state, done in states:
        if state == Trial.State.PAUSED and number in known and known[number][0] == done:
            paused[number] = known[number]
    found = {number: trial for number, (_, trial) in paused.items()}
    changed = [number for number, _, _ in states if number not in paused]
    for start in range(0, len(changed), AT_ONCE):
        found |= _read(study, space, assumed, rows.filter(number__in=changed[start : start + AT_ONCE]), paused)
    trials = [found.get(number) for number, _, _ in states]
    return [trial for trial in trials if trial is not None], paused


def _read(
    study: Study, space: SearchSpace, assumed: dict[str, Any], rows: QuerySet[Trial], paused: Open
) -> dict[int, EngineTrial | None]:
    """These open trials by number, None for one that does not fit the space; the PAUSED ones also into `paused`."""
    found = {}
    rungs = _rung_values(study, trial__in=rows.order_by())
    for row in rows.values(*FIELDS):
        number = row["number"]
        found[number] = _engine_trial(row, space, assumed, rungs.get(number))
        if row["state"] == Trial.State.PAUSED:
            paused[number] = row["resource_done"], found[number]
    return found


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
