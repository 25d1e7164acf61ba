"""Numbers of the test set that trials report: stored apart, in the transaction of the report that brought them."""

from collections.abc import Sequence
from dataclasses import replace

from tuning.models import SealedMetric, Study, Trial
from tuning.sealed import is_sealed
from tuning.selectors.curves import valid_until
from tuning.services.errors import Invalid
from tuning.services.metrics import MAX_METRICS, Point, check_metric_name, check_step
from tuning.services.transitions import value_columns


def seal_points(study: Study, trial: Trial, fence: int, points: Sequence[Point]) -> list[Point]:
    """Store what the points hold of the test set and return the rest of them, for the trial's curves.

    Called with the trial's row already fenced. As with curves, a step that this attempt already reported of a metric is
    left as it was. Raises Invalid.
    """
    rest: list[Point] = []
    rows: list[SealedMetric] = []
    for point in points:
        # None is made with such a metric; a study from before that rule goes on with what it was made to optimise.
        sealed = {name for name in point.metrics if is_sealed(name) and name != study.metric}
        for name in sealed:
            check_step(point.step)
            columns = value_columns(float(point.metrics[name]))
            del columns["values"]
            rows.append(SealedMetric(trial=trial, name=name, fence=fence, step=point.step, **columns))
        if not sealed:
            rest.append(point)
        elif others := {name: value for name, value in point.metrics.items() if name not in sealed}:
            rest.append(replace(point, metrics=others))
    if rows:
        _check_names(trial, {row.name for row in rows})
        SealedMetric.objects.bulk_create(rows, ignore_conflicts=True)
    return rest


def _check_names(trial: Trial, names: set[str]) -> None:
    for name in sorted(names):
        check_metric_name(name)
    known = set(SealedMetric.objects.filter(trial=trial).values_list("name", flat=True).distinct())
    if len(known | names) > MAX_METRICS:
        raise Invalid({"metrics": [f"A trial keeps at most {MAX_METRICS} metrics of the test set."]})


def carry_sealed(failed: Trial, trial: Trial, fence: int, step: int) -> None:
    """What `failed` has sealed up to the checkpoint of `step`, for the trial that goes on from there."""
    limits = valid_until([failed.pk])
    rows: dict[tuple[str, int], SealedMetric] = {}
    for row in SealedMetric.objects.filter(trial=failed, step__lte=step).order_by("fence", "pk"):
        if row.step <= limits.get((failed.pk, row.fence), step):
            rows[row.name, row.step] = SealedMetric(
                trial=trial, name=row.name, fence=fence, step=row.step, value=row.value, value_kind=row.value_kind
            )
    SealedMetric.objects.bulk_create(rows.values())
