"""Reading learning-rate tests: who asked for which, what came of it, and the range that a study would get from it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AbstractBaseUser

from tuning.analysis import narrowed, role_of
from tuning.engine import SearchSpace
from tuning.models import Job
from tuning.selectors.errors import NotFound
from tuning.selectors.jobs import may_cancel

KIND = "lr_range"
LOW, HIGH, STEPS, SEED = 1e-6, 10.0, 100, 0
OPEN = (Job.State.WAITING, Job.State.RUNNING)
SHOWN = 20
LOOKED_AT = 200  # of a person's tests of all workloads
DIGITS = 3  # of a middle value, where the parameter takes any


@dataclass(frozen=True)
class Curve:
    """One configuration's test; `bracket` is None where `reason` says why there is no suggestion."""

    label: str
    params: dict[str, Any]
    lrs: list[float]
    losses: list[float]
    smoothed: list[float]
    bracket: tuple[float, float] | None
    reason: str
    note: str
    lowest: float | None
    ended: str
    seconds: float


def learning_rate_of(document: Mapping[str, Any]) -> str | None:
    """The parameter of a space that is a learning rate, by its name or annotation; of several the first that varies."""
    found = [name for name, entry in document.items() if role_of(name, entry.get("annotation")) == "learning_rate"]
    varied = [name for name in found if document[name]["type"] != "constant"]
    return next(iter(varied or found), None)


def middle_of(document: Mapping[str, Any], given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The configuration in the middle of a space: of choices the first, and what is `given` in place of the middle.

    Given values of parameters that take no part are left out.
    """
    params: dict[str, Any] = {}
    for parameter in SearchSpace.from_json(document).parameters:
        if parameter.condition is not None and not parameter.condition.holds(params):
            continue
        name = parameter.name
        params[name] = given[name] if given and name in given else _middle(parameter)
    return params


def _middle(parameter: Any) -> Any:
    if parameter.kind in ("categorical", "constant"):
        return parameter.from_unit(0.0)
    if parameter.kind == "int" and parameter.prior is None:
        middle = math.sqrt(parameter.low * parameter.high) if parameter.log else (parameter.low + parameter.high) / 2
        index = math.floor((middle - parameter.low) / parameter.step + 0.5)
        return parameter.value_at(min(index, parameter.size - 1))
    value = parameter.from_unit(0.5)
    if parameter.size is None:
        short = float(f"{value:.{DIGITS}g}")
        if parameter.low is None or parameter.high is None or parameter.low <= short <= parameter.high:
            return short
    return value


def lr_range_jobs(person: AbstractBaseUser, workload: str) -> list[Job]:
    """The person's own tests of a workload, the newest first; at most SHOWN."""
    rows = Job.objects.filter(kind=KIND, requested_by_id=person.pk).defer("result").order_by("-pk")[:LOOKED_AT]
    return [job for job in rows if job.args.get("workload") == workload][:SHOWN]


def lr_range_job(person: AbstractBaseUser, job_id: int) -> Job:
    """One test, for the person who asked for it and administrators. Raises NotFound."""
    job = Job.objects.filter(pk=job_id, kind=KIND).select_related("requested_by", "slot__device__host").first()
    if job is None or not may_cancel(person, job):
        raise NotFound(f"There is no learning-rate test {job_id} of yours.")
    return job


def curves_of(job: Job) -> list[Curve]:
    """The curves of a test that is complete; none before."""
    return [
        Curve(**{**row, "bracket": tuple(row["bracket"]) if row["bracket"] else None})
        for row in (job.result or {}).get("curves", [])
    ]


def narrowed_entry(entry: Mapping[str, Any], bracket: tuple[float, float]) -> dict[str, Any]:
    """A parameter's entry with the range around a bracket; see `tuning.analysis.narrowed`."""
    return narrowed(entry, bracket)


def suggested_entry(document: Mapping[str, Any], job: Job, index: int) -> tuple[str, dict[str, Any], Curve]:
    """The space's learning rate with the range around a curve's bracket: (name, new entry, the curve).

    Raises NotFound where there is no such curve, no bracket, or no such parameter in the space.
    """
    curves = curves_of(job)
    bracket = curves[index].bracket if 0 <= index < len(curves) else None
    if bracket is None:
        raise NotFound(f"The learning-rate test {job.pk} has no curve {index} with a bracket.")
    tested = job.args.get("parameter")
    name = tested if tested in document else learning_rate_of(document)
    if name is None:
        raise NotFound("This search space has no learning rate: name the parameter lr, or annotate it learning_rate.")
    return name, narrowed(document[name], bracket), curves[index]
