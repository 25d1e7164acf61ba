"""What a study's trials came to beside their value: how long a step of training took, and how steadily it went.

Each with what was measured, on how many trials, and why there is nothing where there is nothing.
"""

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field

from django.db.models import QuerySet

from tuning.analysis.importance.sample import FEWEST
from tuning.analysis.importance.steadiness import SHORTEST, late_spread, places
from tuning.models import MetricChunk, Study, Trial
from tuning.selectors.curves import study_curves

FEWEST_OF_EACH = 5  # trials that diverged, and that did not, where that is all that can be told
AT_ONCE = 500  # trials whose curves are read together


@dataclass(frozen=True)
class Outcomes:
    """A number for each trial, by the trial's number; `basis` says what it is, `problem` why there is none."""

    values: Mapping[int, float] = field(default_factory=dict)
    basis: str = ""
    problem: str = ""


def training_times(study: Study) -> Outcomes:
    """Seconds per step of training, of complete and pruned trials alike.

    A trial that was pruned took little time because it was pruned, so whole trials do not compare. The time between the
    first and the last report of the metric in one run, by the steps between, leaves out how long the process needed to
    start. Where trials report once only, it is the whole time of those that ran to their ends.
    """
    unit = "epoch" if study.workload and study.space_id is not None else "step"
    paces = _paces(study)
    if len(paces) >= FEWEST:
        return Outcomes(
            paces,
            f"seconds per {unit}, between the first and the last report of a trial's longest run; complete and pruned "
            f"trials count alike, starting a process does not count",
        )
    whole = _counted(study).filter(state=Trial.State.COMPLETE, run_seconds__gt=0)
    seconds = dict(whole.values_list("number", "run_seconds"))
    if len(seconds) >= FEWEST:
        return Outcomes(
            seconds,
            "seconds of a whole trial that ran to its end, because trials report too rarely to tell the time of a "
            f"{unit}; pruned trials do not count, they took less time because they were pruned",
        )
    have = max(len(paces), len(seconds))
    return Outcomes(
        problem=f"Training time needs {FEWEST} trials that reported at two {unit}s or more, or that ran to their ends "
        f"here; there are {have} so far."
    )


def unsteadiness(study: Study) -> Outcomes:
    """Each trial's place from 0, the steadiest, to 1, diverged; see analysis.importance.steadiness."""
    trials = _counted(study)
    failed = trials.filter(state=Trial.State.FAILED, reason_code=Trial.Reason.DIVERGED)
    diverged = list(failed.values_list("number", flat=True))
    spreads = _spreads(study, trials.filter(state=Trial.State.COMPLETE))
    if len(spreads) >= FEWEST:
        return Outcomes(
            places(spreads, diverged),
            f"a trial’s place from 0, the steadiest, to 1: by how far {study.metric} lies from a straight line through "
            f"the later half of its curve, {len(diverged):,} diverged trials last; pruned trials do not count, they "
            f"were cut before",
        )
    ran = trials.filter(state__in=[Trial.State.COMPLETE, Trial.State.PRUNED], resource_done__gt=0)
    steady = list(ran.values_list("number", flat=True))
    few = min(len(diverged), len(steady)) < FEWEST_OF_EACH or len(diverged) + len(steady) < FEWEST
    if not few:
        return Outcomes(
            {**dict.fromkeys(steady, 0.0), **dict.fromkeys(diverged, 1.0)},
            f"whether a trial diverged (1, {len(diverged):,} trials) or not as far as it came (0); curves are too "
            f"short to tell more",
        )
    return Outcomes(
        problem=f"Stability cannot be told: {len(spreads)} complete trials have a curve of {SHORTEST} values or more "
        f"({FEWEST} are needed), and {len(diverged)} trials diverged against {len(steady)} that did not "
        f"({FEWEST_OF_EACH} of each and {FEWEST} in all are needed)."
    )


def _counted(study: Study) -> QuerySet[Trial]:
    return Trial.objects.filter(study=study, excluded_at__isnull=True)


def _paces(study: Study) -> dict[int, float]:
    """Seconds per step by trial number, of the run with the most steps between its first and its last report."""
    chunks = MetricChunk.objects.filter(
        trial__study=study,
        trial__state__in=[Trial.State.COMPLETE, Trial.State.PRUNED],
        trial__excluded_at__isnull=True,
        metric__name=study.metric,
    )
    runs: dict[tuple[int, int], tuple[int, float, int, float]] = {}
    rows = chunks.order_by("first_step", "pk").values_list("trial__number", "fence", "steps", "wall_times")
    for number, fence, packed_steps, packed_times in rows.iterator():
        steps, times = array("i"), array("d")
        steps.frombytes(bytes(packed_steps))
        times.frombytes(bytes(packed_times))
        first, began, *_ = runs.get((number, fence), (steps[0], times[0]))
        runs[number, fence] = (first, began, steps[-1], times[-1])
    longest: dict[int, tuple[int, float]] = {}
    for (number, _), (first, began, last, ended) in runs.items():
        if last > first and ended > began and last - first > longest.get(number, (0, 0.0))[0]:
            longest[number] = (last - first, (ended - began) / (last - first))
    return {number: pace for number, (_, pace) in longest.items()}


def _spreads(study: Study, trials: QuerySet[Trial]) -> dict[int, float]:
    """The late spread by trial number, of those whose curve is long enough."""
    numbers = dict(trials.order_by("pk").values_list("pk", "number"))
    ids, found = list(numbers), {}
    for start in range(0, len(ids), AT_ONCE):
        for trial_id, curves in study_curves(study, ids[start : start + AT_ONCE], [study.metric]).items():
            spread = late_spread(curves[study.metric].values)
            if spread is not None:
                found[numbers[trial_id]] = spread
    return found
