"""The points of a study's history chart."""

from collections.abc import Sequence
from dataclasses import dataclass

from tuning.models import Study, Trial


@dataclass(frozen=True)
class HistoryPoint:
    trial_id: int
    number: int
    value: float | None
    state: str
    reason_code: str


def evenly(indices: Sequence[int], most: int) -> Sequence[int]:
    """At most `most` of the indices at equal distances, the last one among them."""
    if len(indices) <= most:
        return indices
    stride = -(-len(indices) // max(1, most))
    return indices[::-1][::stride]


def history_points(study: Study, limit: int = 2000) -> list[HistoryPoint]:
    """Ended and running trials by number, excluded ones left out.

    Past `limit` an even sample, with the trials that improved the best kept.
    Where those alone are more than half of `limit` (a study that improves all the time), an even sample of them.
    """
    rows = [
        HistoryPoint(*row)
        for row in Trial.objects.filter(study=study)
        .filter(excluded_at__isnull=True)
        .exclude(state=Trial.State.WAITING)
        .order_by("number")
        .values_list("pk", "number", "value", "state", "reason_code")
    ]
    if len(rows) <= limit:
        return rows
    sign = 1.0 if study.direction == "minimize" else -1.0
    best = float("inf")
    improved: list[int] = []
    for index, row in enumerate(rows):
        if row.value is not None and row.state == Trial.State.COMPLETE and sign * row.value < best:
            best = sign * row.value
            improved.append(index)
    keep = set(evenly(improved, limit // 2))
    keep.update(evenly(range(len(rows)), limit - len(keep)))
    return [row for index, row in enumerate(rows) if index in keep]
