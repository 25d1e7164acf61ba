"""The points of a study's history chart."""

from dataclasses import dataclass

from tuning.models import Study, Trial


@dataclass(frozen=True)
class HistoryPoint:
    trial_id: int
    number: int
    value: float | None
    state: str
    reason_code: str


def history_points(study: Study, limit: int = 2000) -> list[HistoryPoint]:
    """Ended and running trials by number. Past `limit` an even sample, with every trial that improved the best kept."""
    rows = [
        HistoryPoint(*row)
        for row in Trial.objects.filter(study=study)
        .exclude(state=Trial.State.WAITING)
        .order_by("number")
        .values_list("pk", "number", "value", "state", "reason_code")
    ]
    if len(rows) <= limit:
        return rows
    sign = 1.0 if study.direction == "minimize" else -1.0
    best = float("inf")
    keep: set[int] = set()
    for index, row in enumerate(rows):
        if row.value is not None and row.state == Trial.State.COMPLETE and sign * row.value < best:
            best = sign * row.value
            keep.add(index)
    stride = -(-len(rows) // max(1, limit - len(keep)))
    keep.update(range(0, len(rows), stride))
    return [row for index, row in enumerate(rows) if index in keep]
