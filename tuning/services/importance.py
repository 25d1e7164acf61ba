"""Which parameters mattered in a study, for its score, its training time and its stability: computed aside and stored.

A forest over 1,000 trials takes a second, and there are three. So supervisors look, one study at a time, in a thread of
their own; what they find is stored with the trials that it rests on, for all web processes and beyond their restarts.
No page computes or waits. Where no worker lives, whoever asks over REST has it computed at once.

While a study runs a look is due after every twentieth more trials, and until then the last one is shown, with its
number of trials; once it rests, the look is at all that it has.
"""

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError, transaction
from django.db.models import Count, F, Q
from django.db.models.functions import Now

from tuning.analysis.importance import TARGETS, Idle, Importance, Target, importances
from tuning.analysis.importance.idle import FEWEST as FEWEST_TO_FREEZE
from tuning.analysis.importance.record import from_json, to_json
from tuning.analysis.importance.sample import FEWEST
from tuning.engine import History, SearchSpace, registry
from tuning.models import ImportanceLook, Study, Trial
from tuning.selectors.clock import before
from tuning.selectors.importance import ABANDONED, due_for_importance, is_current, stored_look
from tuning.selectors.offerings import live_hosts
from tuning.selectors.outcomes import Outcomes, training_times, unsteadiness
from tuning.services.errors import Invalid, NotFound
from tuning.services.history import study_history
from tuning.services.proposing import engine_space
from tuning.services.transitions import lock_study

logger = logging.getLogger(__name__)

TARGET_TITLES = {name: target.title for name, target in TARGETS.items()}
NO_SPACE = "This study's parameters are suggested while its objective runs: there is no space to average over."
NO_WORKER = (
    "Not computed yet, and no worker is alive to do it: importance is computed by the workers, so that no page waits "
    "for it. Start one with `manage.py worker`."
)


@dataclass(frozen=True)
class StudyImportance:
    """What mattered for one target, by method; `problem` says why there is nothing.

    basis: what the target's number of a trial is. n_trials: the trials that it rests on; n_left_out: trials that ended
    without counting, because they were pruned, failed or have no finite value; n_adaptive: trials of n_trials that a
    sampler chose which learns from results, so that they crowd where it expected the best.
    """

    target: Target
    methods: Mapping[str, Importance]
    basis: str = ""
    problem: str = ""
    n_trials: int = 0
    n_left_out: int = 0
    n_adaptive: int = 0

    @property
    def adaptive(self) -> bool:
        return self.n_adaptive > 0

    @property
    def idle(self) -> tuple[Idle, ...]:
        """The parameters that may be held at one value."""
        return self.methods["fanova"].idle if "fanova" in self.methods else ()

    def to_json(self) -> dict[str, Any]:
        methods = [to_json(found) for found in self.methods.values()]
        return {**vars(self), "target": self.target.name, "methods": methods}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "StudyImportance":
        methods = {each["method"]: from_json(each) for each in document["methods"]}
        return cls(**{**document, "target": TARGETS[document["target"]], "methods": methods})


def target_named(name: str) -> Target:
    """Raises Invalid for a name that is none."""
    if name not in TARGETS:
        raise Invalid({"target": [f"{name!r} is no target of importance: choose one of {', '.join(TARGETS)}."]})
    return TARGETS[name]


# reading


def importance_of(row: ImportanceLook, target: str = "score") -> StudyImportance:
    """What the look has found for a target."""
    return StudyImportance.from_json(row.document[target])


def importance_soon(study: Study, target: str = "score") -> StudyImportance | None:
    """What the latest look has found, or why there will be none; None where workers are about to look."""
    asked = target_named(target)
    if study.space_id is None:
        return StudyImportance(asked, {}, problem=NO_SPACE)
    row = stored_look(study)
    if row is not None:
        return importance_of(row, target)
    if study.finish_seq < FEWEST:
        few = f"Importance needs {FEWEST} complete trials with a finite value; there are {study.n_complete} so far."
        return StudyImportance(asked, {}, problem=few)
    return None if live_hosts() else StudyImportance(asked, {}, problem=NO_WORKER)


def awaits_finding(study: Study) -> bool:
    """Whether workers are about to look at enough trials to tell which parameters may be frozen."""
    enough = study.space_id is not None and study.finish_seq >= FEWEST_TO_FREEZE
    return enough and not is_current(stored_look(study), study) and bool(live_hosts())


def importance_now(study: Study, target: str = "score") -> StudyImportance | None:
    """The same for scripts: where no worker is alive, computed at once; None while one looks."""
    target_named(target)
    if study.space_id is not None and study.finish_seq >= FEWEST:
        if not is_current(stored_look(study), study) and not live_hosts():
            look_at(study)
        elif stored_look(study) is None:
            return None
    return importance_soon(study, target)


# looking


def look_at_next() -> bool:
    """Look at the next study; False where none is due, or another process was quicker."""
    study = due_for_importance()
    return study is not None and look_at(study)


def look_at(study: Study) -> bool:
    """Look at this study, as it is, unless another process does; what it raises is stored as the reason."""
    if not _take_turn(study):
        return False
    try:
        document = {name: found.to_json() for name, found in importance_look(study).items()}
    except DatabaseError:
        ImportanceLook.objects.filter(study=study).update(taken=None)
        raise
    except Exception as error:  # one study's trials must not take the workers away from all others
        logger.exception("what mattered in study %s could not be computed", study.pk)
        problem = f"It could not be computed: {type(error).__name__}: {error}."
        document = {
            name: StudyImportance(target, {}, problem=problem).to_json() for name, target in TARGETS.items()
        }
    try:
        _store(study, document)
    except NotFound:
        return False  # it was deleted meanwhile
    return True


def importance_look(study: Study) -> dict[str, StudyImportance]:
    """What mattered, for every target. Changes nothing."""
    space = engine_space(study)
    if space is None:
        return {name: StudyImportance(target, {}, problem=NO_SPACE) for name, target in TARGETS.items()}
    history = study_history(study, space)
    measured = {"score": None, "seconds": training_times(study), "stability": unsteadiness(study)}
    return {name: _explained(study, space, history, TARGETS[name], found) for name, found in measured.items()}


def _explained(
    study: Study, space: SearchSpace, history: History, target: Target, measured: Outcomes | None
) -> StudyImportance:
    if measured is not None and measured.problem:
        return StudyImportance(target, {}, problem=measured.problem)
    outcomes = measured.values if measured is not None else None
    direction = study.direction if measured is None else "minimize"
    methods = importances(space, history, seed=study.seed, direction=direction, target=target, outcomes=outcomes)
    trials = Trial.objects.filter(study=study, excluded_at=None, finish_seq__lte=study.finish_seq)
    if outcomes is None:
        trials = trials.filter(state=Trial.State.COMPLETE)
        counts = dict(trials.values_list("sampler_used").annotate(Count("pk")).order_by())
    else:
        chosen = dict(trials.values_list("number", "sampler_used"))
        counts = Counter([chosen[number] for number in outcomes if number in chosen])
    learning = {name for name, sampler in registry.samplers().items() if sampler.learns}
    n_trials = max((result.n for result in methods.values()), default=0)
    return StudyImportance(
        target,
        methods,
        basis=measured.basis if measured is not None else f"{study.metric} of the complete trials",
        n_trials=n_trials,
        n_left_out=max(0, study.n_ended - n_trials),
        n_adaptive=sum(count for name, count in counts.items() if name in learning),
    )


def _take_turn(study: Study) -> bool:
    """Whether this look at the study is ours, by a conditional update: of several supervisors one looks."""
    row, _ = ImportanceLook.objects.get_or_create(study_id=study.pk)
    free = Q(taken__isnull=True) | Q(taken__lt=before(ABANDONED))
    return ImportanceLook.objects.filter(free, pk=row.pk).update(taken=Now()) == 1


@transaction.atomic
def _store(seen: Study, document: dict[str, Any]) -> None:
    """Store what a look has found at the study as it was `seen`; the pages' version rises. Raises NotFound."""
    lock_study(seen.pk)
    ImportanceLook.objects.filter(study_id=seen.pk).update(
        document=document,
        space_id=seen.space_id,
        history_epoch=seen.history_epoch,
        finish_seq=seen.finish_seq,
        taken=None,
    )
    Study.objects.filter(pk=seen.pk).update(version=F("version") + 1)  # nobody was active: only the pages change
