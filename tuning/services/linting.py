"""What a study's own trials say about its ranges: the best at an end of one, most of them diverging, or no difference.

Kept per process by history version, so that they are read once for everybody who looks; the History is the samplers',
which is extended by what is new. That a parameter makes no difference rests on the importance that the workers compute:
it is found once they have, and stays while they look at further trials.
"""

import threading
from collections import OrderedDict
from datetime import datetime

from tuning.analysis import lint_space
from tuning.findings import Finding
from tuning.models import ImportanceLook, Study
from tuning.selectors.asides import looked_until, stored_look
from tuning.services.history import study_history
from tuning.services.importance import importance_of
from tuning.services.proposing import engine_space

RULES = ("TOO-WIDE", "EDGE", "FREEZE")  # which read trials; the rest are the form's, where the space is still open
CACHED = 64

_lock = threading.Lock()
_found: "OrderedDict[tuple[int, datetime, int, int, int | None, int | None], list[Finding]]" = OrderedDict()


def range_findings(study: Study) -> list[Finding]:
    """The findings about the study's space that rest on its trials; empty without a space."""
    seen = looked_until(ImportanceLook, study)
    key = (study.pk, study.created, study.history_epoch, study.history_version, study.space_id, seen)
    with _lock:
        found = _found.get(key)
    if found is None:
        found = _look(study, looked=seen is not None)
        with _lock:
            _found[key] = found
            while len(_found) > CACHED:
                _found.popitem(last=False)
    return found


def _look(study: Study, *, looked: bool) -> list[Finding]:
    space = engine_space(study)
    if space is None or not study.n_ended:
        return []
    row = stored_look(ImportanceLook, study) if looked else None
    score = importance_of(row) if row is not None else None
    findings = lint_space(
        space,
        trials=study_history(study, space),
        idle=score.idle if score is not None else (),
        n_adaptive=score.n_adaptive if score is not None else 0,
    )
    return [finding for finding in findings if finding.rule in RULES and finding.evidence.get("trials")]
