"""Verdicts on a study's learning curves: of one trial, and of all that have run to their ends.

The verdict of an ended trial never changes while what it is measured against stays the same, so each is made once and
kept per process. Those of a whole study are looked at aside and stored (services.diagnostics).
"""

import math
import threading
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from tuning.analysis.diagnosis import (
    TITLES,
    Regulariser,
    Sized,
    StrengthFinding,
    Verdict,
    diagnose_curves,
    regulariser_effects,
    strength_findings,
)
from tuning.analysis.diagnosis.reach import within_reach
from tuning.analysis.diagnosis.record import regulariser_from, strength_from, verdict_from
from tuning.analysis.roles import role_of
from tuning.models import Metric, Study, Trial
from tuning.selectors.curves import Curve, study_curves, trial_curves
from tuning.selectors.preflights import newest_preflight
from tuning.selectors.work import workload_document
from tuning.selectors.workloads import split_of

CACHED = 4  # studies, of up to MOST verdicts each
SIZES = ("parameters", "examples", "optimizer")  # of a trial's facts
DATA_SIZES = ("train_fraction", "train_size")
MOST = 5_000  # the newest: of more, a page would show the same picture

_lock = threading.Lock()
_made: "OrderedDict[tuple[Any, ...], dict[int, Diagnosis]]" = OrderedDict()


@dataclass(frozen=True)
class Yardstick:
    """What a study's curves are measured against.

    train, validation: the metrics that are compared. scores: an accuracy's, empty where there is none. base: the loss
    of knowing nothing, from the preflight.
    """

    train: str
    validation: str
    scores: tuple[str, str] | tuple[()]
    base: float | None
    n_validation: int | None
    unit: str

    @property
    def names(self) -> list[str]:
        return [self.train, self.validation, *self.scores]


@dataclass(frozen=True)
class Diagnosis:
    """A trial, its verdict, its gap (None where it broke off), its objective value, and what its training told of its
    size: parameters, examples and optimizer, as far as it did."""

    trial_id: int
    number: int
    verdict: Verdict
    value: float | None
    params: Mapping[str, Any]
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def gap(self) -> float | None:
        return self.verdict.evidence.get("gap")

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Diagnosis":
        return cls(**{**document, "verdict": verdict_from(document["verdict"])})


@dataclass(frozen=True)
class StudyDiagnostics:
    """The verdicts of a study's ended trials, by number; `problem` is a sentence where there are none.

    cut: trials that a scheduler or a person cut before they could tell, which are left out. pending: trials that have
    ended since this look.
    """

    problem: str = ""
    rows: Sequence[Diagnosis] = ()
    regularisers: Sequence[Regulariser] = ()
    strengths: Sequence[StrengthFinding] = ()
    cut: int = 0
    pending: int = 0
    yardstick: Yardstick | None = None
    counts: Sequence[tuple[str, str, int]] = field(default=())  # rule, title, how many; the most frequent first

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "StudyDiagnostics":
        made: dict[str, Any] = {
            "rows": [Diagnosis.from_json(row) for row in document["rows"]],
            "regularisers": [regulariser_from(each) for each in document["regularisers"]],
            "strengths": [strength_from(each) for each in document["strengths"]],
            "yardstick": None,
            "counts": [(rule, title, count) for rule, title, count in document["counts"]],
        }
        if document["yardstick"] is not None:
            stick = document["yardstick"]
            made["yardstick"] = Yardstick(**{**stick, "scores": tuple(stick["scores"])})
        return cls(**{**document, **made})


def yardstick(study: Study) -> Yardstick | str:
    """What the study's curves are measured against, or why there is nothing to compare, in a sentence."""
    names = set(Metric.objects.filter(study=study).values_list("name", flat=True))
    train, validation = _pair(study, names)
    if not {train, validation} <= names:
        return (
            "There is no pair of curves to compare: a verdict needs a loss of training and of validation, such as "
            "train/loss and validation/loss."
        )
    own = (train, validation) == ("train/loss", "validation/loss")
    scores = ("train/accuracy", "validation/accuracy") if "validation/accuracy" in names else ()
    split = split_of(study.workload)
    n_validation = split.sizes.get("validation") if split is not None else None
    unit = "epoch" if study.workload and study.space_id is not None else "step"  # scripts and functions report steps
    return Yardstick(train, validation, scores, _base(study) if own else None, n_validation, unit)


def trial_verdict(trial: Trial, curves: Mapping[str, Curve] | None = None) -> Verdict | None:
    """The verdict on a trial as far as it has come; None without a pair of curves. `curves`: if read already."""
    stick = yardstick(trial.study)
    if isinstance(stick, str):
        return None
    space = reach_of(trial.study, trial.space.document if trial.space is not None else {})
    return _verdict(stick, trial, trial_curves(trial) if curves is None else curves, space)


def reach_of(study: Study, space: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What advice may move, and how far: the ranges of the study's space (in its JSON form) and of its workload."""
    own = workload_document(study.workload).get("space") if study.workload else None
    return within_reach(space, own or {})


def diagnose_study(study: Study) -> StudyDiagnostics:
    """The verdicts of the study's complete and diverged trials, and what goes with a closed gap: computed here and now,
    a millisecond or more for each trial that this process has not seen."""
    stick = yardstick(study)
    if isinstance(stick, str):
        return StudyDiagnostics(problem=stick)
    key = (study.pk, study.created, study.space_id, study.workload_digest, stick)
    with _lock:
        known = _made.setdefault(key, {})
    found = _look(study, stick, known)
    with _lock:
        while len(_made) > CACHED:
            _made.popitem(last=False)
    return found


def _pair(study: Study, names: set[str]) -> tuple[str, str]:
    """The two losses: those of every training loop, or else the two sides of a metric that is minimised."""
    if "validation/loss" in names or study.direction == "maximize":
        return "train/loss", "validation/loss"
    return f"train/{study.metric.partition('/')[2]}", study.metric


def _base(study: Study) -> float | None:
    """What knowing nothing costs, as the preflight's INIT-LOSS has measured it."""
    preflight = newest_preflight(study.workload, study.workload_digest, study.data_digest) if study.workload else None
    checks = preflight.checks if preflight is not None else []
    evidence = next((check.get("evidence") or {} for check in checks if check.get("rule") == "INIT-LOSS"), {})
    base = evidence.get("loss of the mean", evidence.get("entropy"))
    indifferent, even = evidence.get("indifferent"), evidence.get("ln C")
    if base and indifferent and even:
        base = base * indifferent / even  # a loss that is no plain cross-entropy
    return float(base) if isinstance(base, int | float) and math.isfinite(base) and base > 0 else None


def _look(study: Study, stick: Yardstick, known: dict[int, Diagnosis]) -> StudyDiagnostics:
    trials = Trial.objects.filter(study=study, excluded_at__isnull=True)
    told = trials.filter(state=Trial.State.COMPLETE) | trials.filter(
        state=Trial.State.FAILED, reason_code=Trial.Reason.DIVERGED
    )
    ids = list(told.order_by("-number").values_list("pk", flat=True)[:MOST])
    known.update(_diagnosed(study, stick, [pk for pk in ids if pk not in known]))
    rows = sorted((known[pk] for pk in ids if pk in known), key=lambda row: row.number)
    rows = [row for row in rows if row.verdict.evidence]
    space = study.space.document if study.space is not None else {}
    measured = [(row.params, row.gap, row.value) for row in rows if row.gap is not None and row.value is not None]
    counts = Counter(row.verdict.rule for row in rows)
    return StudyDiagnostics(
        "" if rows else "No trial with both curves has run to its end yet.",
        rows,
        regulariser_effects(space, measured, study.direction),
        strength_findings(space, _sized(study, space, rows), study.direction),
        cut=trials.filter(state=Trial.State.PRUNED, infeasible=False).count(),
        yardstick=stick,
        counts=[(rule, TITLES[rule], count) for rule, count in counts.most_common()],
    )


def _sized(study: Study, space: Mapping[str, Any], rows: Sequence[Diagnosis]) -> list[Sized]:
    """The trials with a value; where the training did not tell its examples, by the parameter that sets their share."""
    split = split_of(study.workload)
    whole = (split.sizes.get("train") if split is not None else None) or 1.0
    roles = {name: role_of(name, entry.get("annotation")) for name, entry in space.items()}
    units = {name: whole if role == "train_fraction" else 1.0 for name, role in roles.items() if role in DATA_SIZES}
    found = []
    for row in rows:
        if row.value is not None and math.isfinite(row.value):
            given = next((row.params[name] * unit for name, unit in units.items() if name in row.params), None)
            examples = row.facts.get("examples", given)
            optimizer = str(row.facts.get("optimizer", ""))
            found.append(Sized(row.params, row.value, row.facts.get("parameters"), examples, optimizer))
    return found


def _diagnosed(study: Study, stick: Yardstick, ids: Sequence[int]) -> dict[int, Diagnosis]:
    fields = ("number", "state", "reason_code", "value", "params", "space_id", "facts")
    trials = Trial.objects.filter(pk__in=ids).only(*fields)
    curves = study_curves(study, ids, stick.names)
    space = reach_of(study, study.space.document if study.space is not None else {})
    return {
        trial.pk: Diagnosis(
            trial.pk,
            trial.number,
            _verdict(stick, trial, curves.get(trial.pk, {}), space),
            trial.value,
            trial.params,
            {name: trial.facts[name] for name in SIZES if name in trial.facts},
        )
        for trial in trials
    }


def _verdict(stick: Yardstick, trial: Trial, curves: Mapping[str, Curve], space: Mapping[str, Any]) -> Verdict:
    train, validation = (
        dict(zip(curves[name].steps, curves[name].values, strict=True)) if name in curves else {}
        for name in (stick.train, stick.validation)
    )
    steps = sorted(train.keys() & validation.keys())
    scores = [curves[name].values[-1] if name in curves else None for name in stick.scores] or [None, None]
    return diagnose_curves(
        [train[step] for step in steps],
        [validation[step] for step in steps],
        epochs=steps,
        base=stick.base,
        n_validation=stick.n_validation,
        train_score=scores[0],
        validation_score=scores[1],
        diverged=trial.state == Trial.State.FAILED and trial.reason_code == Trial.Reason.DIVERGED,
        params=trial.params,
        space=space,
        unit=stick.unit,
    )
