"""Writing what a sealed choice scored on the test set: once, and only for the seal that was to be measured."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from tuning.analysis.final import score_name
from tuning.models import Job, Reveal, SealedChoice
from tuning.selectors.looks import looks_at
from tuning.selectors.sealed import SealedValue, sealed_of
from tuning.services.audit import record
from tuning.services.errors import Conflict
from tuning.services.transitions import count_change, lock_study


def store_reveal(job: Job, answer: Mapping[str, Any]) -> Reveal:
    """Keep the answer of a seal's job, whose row the caller holds.

    Raises TypeError, KeyError where the answer is not that of the seal.
    """
    seal = SealedChoice.objects.select_related("study", "trial").get(pk=job.args["seal"])
    rows = [_row(row) for row in answer["seeds"]]
    if all(row["diverged"] for row in rows):
        raise TypeError("every seed has diverged")
    if [row["seed"] for row in rows] != seal.seeds:
        raise TypeError("it is about other seeds than those that were sealed")
    sizes = {name: int(answer["sizes"][name]) for name in ("train", "validation", "test")}
    facts = {name: answer.get(name) for name in ("parameters", "device", "seconds")}
    return _reveal(seal, {"seeds": rows, "sizes": sizes, **facts}, test_digest=str(answer["test_digest"])[:64])


@transaction.atomic
def open_sealed_metrics(seal: SealedChoice) -> Reveal:
    """Reveal what a sealed trial has reported of the test set by itself. Raises Conflict where it has reported none."""
    values = sealed_of(seal.trial)
    if not values:
        raise Conflict(f"Trial {seal.trial.number} has reported no test metric.")
    step = seal.trial.value_step
    counting = {name: _at(step, [value for value in values if value.name == name]) for name in {v.name for v in values}}
    row = {
        "seed": seal.trial.seed,
        "step": step,
        "validation": None,
        "test": {score_name(name): counting[name].value for name in sorted(counting)},
        "errors": {},
        "steps": {score_name(name): counting[name].step for name in sorted(counting)},
    }
    return _reveal(seal, {"seeds": [row], "sizes": {}})


def _at(step: int | None, values: list[SealedValue]) -> SealedValue:
    """Of a metric's values, in order of step, the last up to the step that chose the trial; else the first after it."""
    until = [value for value in values if step is None or value.step <= step]
    return until[-1] if until else values[0]


def _reveal(seal: SealedChoice, result: dict[str, Any], test_digest: str = "") -> Reveal:
    study = lock_study(seal.study_id)
    if Reveal.objects.filter(seal=seal).exists():
        raise Conflict("This choice has been revealed already.")
    reveal = Reveal.objects.create(
        seal=seal,
        study=study,
        trial=seal.trial,
        test_digest=test_digest,
        looks_before=looks_at(study, test_digest).count(),
        result=result,
    )
    count_change(study, {}, historical=False)
    after = {"trial": seal.trial.number, "looks_before": reveal.looks_before}
    record(actor=None, verb="opened the test set of", kind="study", object_id=study.pk, name=study.name, after=after)
    return reveal


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A seed's scores, looked at before they are stored. Raises TypeError, KeyError."""
    scores = {name: {str(key): _number(value) for key, value in row[name].items()} for name in ("test", "errors")}
    held = row["validation"]
    validation = None if held is None else {str(key): _number(value) for key, value in held.items()}
    diverged = bool(row["diverged"])
    if bool(scores["test"]) == diverged:
        raise TypeError("a seed has test scores where it did not diverge, and none where it did")
    told = {"seed": int(row["seed"]), "step": int(row["step"]), "diverged": diverged}
    return {**told, "validation": validation, **scores}


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no score")
    return float(value)
