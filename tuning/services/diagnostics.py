"""What a study's learning curves say: verdicts, what closes the gap, regularisation against size.

The verdicts of a thousand trials take a second or two and the intervals of regularisation as long: computed aside and
stored (services.asides). Where no worker lives, whoever asks over REST has it computed at once.
"""

import threading
from collections import OrderedDict
from dataclasses import replace
from typing import Any

from tuning.models import DiagnosisLook, Study
from tuning.selectors.asides import due_for_diagnosis, is_current, stored_look
from tuning.selectors.diagnostics import StudyDiagnostics, diagnose_study, yardstick
from tuning.selectors.offerings import live_hosts
from tuning.services.asides import look, no_worker

CACHED = 8
NO_TRIAL = "No trial with both curves has run to its end yet."
NO_WORKER = no_worker("learning curves are looked at")

_lock = threading.Lock()
_read: "OrderedDict[tuple[Any, ...], StudyDiagnostics]" = OrderedDict()  # what is stored, once a process


def diagnosis_soon(study: Study) -> StudyDiagnostics | None:
    """What the latest look has found, or why there is nothing; None where workers are about to look."""
    stick = yardstick(study)
    if isinstance(stick, str):
        return StudyDiagnostics(problem=stick)
    row = stored_look(DiagnosisLook, study, with_document=False)
    if row is not None:
        return _found(row, study)
    if not study.finish_seq:
        return StudyDiagnostics(problem=NO_TRIAL)
    return None if live_hosts() else StudyDiagnostics(problem=NO_WORKER)


def diagnosis_now(study: Study) -> StudyDiagnostics | None:
    """The same for scripts: where no worker is alive, computed at once; None while one looks."""
    if study.finish_seq:
        row = stored_look(DiagnosisLook, study, with_document=False)
        if not is_current(row, study) and not live_hosts():
            look_at(study)
    return diagnosis_soon(study)


def awaits_look(study: Study, found: StudyDiagnostics | None) -> bool:
    """Whether the page will soon show more: workers are about to look, at all or again."""
    if found is None:
        return True
    return found.pending > 0 and study.n_open == 0 and bool(live_hosts())


def look_at_next() -> bool:
    """Look at the next study; False where none is due, or another process was quicker."""
    study = due_for_diagnosis()
    return study is not None and look_at(study)


def look_at(study: Study) -> bool:
    """Look at this study, as it is, unless another process does; what it raises is stored as the reason."""
    return look(DiagnosisLook, study, _document, _failure)


def _document(study: Study) -> dict[str, Any]:
    return diagnose_study(study).to_json()


def _failure(problem: str) -> dict[str, Any]:
    return StudyDiagnostics(problem=problem).to_json()


def _found(row: DiagnosisLook, study: Study) -> StudyDiagnostics:
    """What the row holds, with the trials that have ended since."""
    key = (study.pk, study.created, row.space_id, row.history_epoch, row.finish_seq, row.begun)
    with _lock:
        found = _read.get(key)
    if found is None:
        found = StudyDiagnostics.from_json(row.document)
        with _lock:
            _read[key] = found
            while len(_read) > CACHED:
                _read.popitem(last=False)
    return replace(found, pending=max(0, study.finish_seq - row.finish_seq))
