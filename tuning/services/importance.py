"""Which parameters mattered in a study, for its score, its training time and its stability.

A forest over 1,000 trials takes a second, and there are three: computed aside and stored (services.asides). Where no
worker lives, whoever asks over REST has it computed at once.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Count

from tuning.analysis.importance import TARGETS, Idle, Importance, Target, importances
from tuning.analysis.importance.idle import FEWEST as FEWEST_TO_FREEZE
from tuning.analysis.importance.record import from_json, to_json
from tuning.analysis.importance.sample import FEWEST
from tuning.engine import History, SearchSpace, registry
from tuning.models import ImportanceLook, Study, Trial
from tuning.selectors.asides import due_for_importance, is_current, stored_look
from tuning.selectors.offerings import live_hosts
from tuning.selectors.outcomes import Outcomes, training_times, unsteadiness
from tuning.services.asides import look, no_worker
from tuning.services.errors import Invalid
from tuning.services.history import study_history
from tuning.services.proposing import engine_space

TARGET_TITLES = {name: target.title for name, target in TARGETS.items()}
NO_SPACE = "This study's parameters are suggested while its objective runs: there is no space to average over."
NO_WORKER = no_worker("importance is computed")


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
    row = stored_look(ImportanceLook, study)
    if row is not None:
        return importance_of(row, target)
    if study.finish_seq < FEWEST:
        few = f"Importance needs {FEWEST} complete trials with a finite value; there are {study.n_complete} so far."
        return StudyImportance(asked, {}, problem=few)
    return None if live_hosts() else StudyImportance(asked, {}, problem=NO_WORKER)


def awaits_finding(study: Study) -> bool:
    """Whether workers are about to look at enough trials to tell which parameters may be frozen."""
    enough = study.space_id is not None and study.finish_seq >= FEWEST_TO_FREEZE
    return enough and not is_current(stored_look(ImportanceLook, study), study) and bool(live_hosts())


def importance_now(study: Study, target: str = "score") -> StudyImportance | None:
    """The same for scripts: where no worker is alive, computed at once; None while one looks."""
    target_named(target)
    if study.space_id is not None and study.finish_seq >= FEWEST:
        if not is_current(stored_look(ImportanceLook, study), study) and not live_hosts():
            look_at(study)
        elif stored_look(ImportanceLook, study) is None:
            return None
    return importance_soon(study, target)


# looking


def look_at_next() -> bool:
    """Look at the next study; False where none is due, or another process was quicker."""
    study = due_for_importance()
    return study is not None and look_at(study)


def look_at(study: Study) -> bool:
    """Look at this study, as it is, unless another process does; what it raises is stored as the reason."""
    return look(ImportanceLook, study, _document, _failure)


def _document(study: Study) -> dict[str, Any]:
    return {name: found.to_json() for name, found in importance_look(study).items()}


def _failure(problem: str) -> dict[str, Any]:
    return {name: StudyImportance(target, {}, problem=problem).to_json() for name, target in TARGETS.items()}


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
