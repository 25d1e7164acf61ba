"""Which parameters mattered in a study, kept per process for the complete trials that there are.

A forest over 1,000 trials takes a second, which a page does not wait for: `importance_soon` gives what is ready and has
the rest computed by one thread of its own, which reads no database; `study_importance` computes at once, for scripts.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count

from tuning.analysis.importance import Importance, importances
from tuning.engine import History, SearchSpace, registry
from tuning.models import Study, Trial
from tuning.services.history import study_history
from tuning.services.proposing import engine_space

CACHED = 64
NO_SPACE = "This study's parameters are suggested while its objective runs: there is no space to average over."

Key = tuple[int, datetime, int, int, int | None]


@dataclass(frozen=True)
class StudyImportance:
    """The importances of one moment by method; `problem` says why there are none. `n_left_out`: trials that ended
    without counting, because they were pruned, failed or have no finite value; `n_adaptive`: complete trials that a
    sampler chose which learns from results, so that they crowd where it expected the best."""

    methods: dict[str, Importance]
    problem: str = ""
    n_complete: int = 0
    n_left_out: int = 0
    n_adaptive: int = 0

    @property
    def adaptive(self) -> bool:
        return self.n_adaptive > 0


_lock = threading.Lock()
_known: "OrderedDict[Key, Future[dict[str, Importance]]]" = OrderedDict()
_worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="importance")


def study_importance(study: Study) -> StudyImportance:
    """The importances of the study's complete trials as they are, computed now if nobody has asked before."""
    space = engine_space(study)
    if space is None:
        return StudyImportance({}, NO_SPACE)
    return _described(study, _asked(study, space, _at_once).result())


def importance_soon(study: Study) -> StudyImportance | None:
    """The same where it is ready; else None, and it is being computed. Raises what the computation raised."""
    space = engine_space(study)
    if space is None:
        return StudyImportance({}, NO_SPACE)
    found = _asked(study, space, _worker.submit)
    return _described(study, found.result()) if found.done() else None


def _asked(
    study: Study, space: SearchSpace, start: Callable[..., "Future[dict[str, Importance]]"]
) -> "Future[dict[str, Importance]]":
    """The computation for the study's complete trials, begun if it was not."""
    key = (study.pk, study.created, study.history_epoch, study.n_complete, study.space_id)
    with _lock:
        found = _known.get(key)
    if found is None or (found.done() and found.exception() is not None):
        begun = start(_compute, space, study_history(study, space), study.seed, study.direction)
        with _lock:
            found = _known[key] = begun
            while len(_known) > CACHED:
                _known.popitem(last=False)
    return found


def _at_once(
    compute: Callable[..., dict[str, Importance]], *arguments: object
) -> "Future[dict[str, Importance]]":
    """A computation that is over; what it raises is raised here."""
    done: Future[dict[str, Importance]] = Future()
    done.set_result(compute(*arguments))
    return done


def _compute(space: SearchSpace, history: History, seed: int, direction: str) -> dict[str, Importance]:
    # Not `on_one_thread`: whoever asks for a suggestion meanwhile would wait for its turn.
    return importances(space, history, seed=seed, direction=direction)


def _described(study: Study, methods: dict[str, Importance]) -> StudyImportance:
    trials = Trial.objects.filter(study=study, state="COMPLETE", excluded_at=None)
    counts = dict(trials.values_list("sampler_used").annotate(Count("pk")).order_by())
    learning = {name for name, sampler in registry.samplers().items() if sampler.learns}
    n_used = max((result.n for result in methods.values()), default=0)
    return StudyImportance(
        methods,
        n_complete=sum(counts.values()),
        n_left_out=max(0, study.n_ended - n_used),
        n_adaptive=sum(count for name, count in counts.items() if name in learning),
    )
