"""A mark in the ranking of a rung, so that nobody counts thousands of entries to find the one with a given rank.

It names an entry and its rank from 0 among those with a value ("all") or among those of complete trials ("complete").
An entry that joins before it moves it one up, by the statement that counts the entry; the view sets it anew where it
has come to lie far from what is asked for. Whoever writes holds the study's lock.
"""

from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Case, F, PositiveIntegerField, Q, Value, When

from tuning.models import Rung

NEAR = 64  # entries that are walked from a mark
ALL, COMPLETE = "all", "complete"
WALK = (
    "SELECT loss, number FROM tuning_rungentry WHERE cohort_id = %s AND rung = %s AND loss IS NOT NULL {state}{place}"
    "ORDER BY loss{order}, number{order} LIMIT 1 OFFSET %s"
)


@dataclass(frozen=True)
class Mark:
    among: str
    rank: int
    loss: float
    number: int


def joined(among: str, loss: float, number: int) -> dict[str, Any]:
    """The columns of a rung that an entry joins."""
    before = Q(mark_loss__gt=loss) | Q(mark_loss=loss, mark_number__gt=number)
    moved = Case(When(before, mark_among=among, then=Value(1)), default=Value(0), output_field=PositiveIntegerField())
    return {"mark_rank": F("mark_rank") + moved}


LOST: dict[str, Any] = {"mark_among": ""}  # of a rung whose mark tells nothing any more


def at_rank(cohort_id: int, rung: int, among: str, mark: Mark | None, rank: int) -> tuple[float, int] | None:
    """Loss and number of the entry with this rank from 0, by a short walk where a mark is near; None: there are fewer.

    Written as SQL: to build the walk's conditions costs the ORM more than the database takes to answer.
    """
    values: list[Any] = [cohort_id, rung]
    state = ""
    if among == COMPLETE:
        state = "AND state = %s "
        values.append(COMPLETE)
    place, order, step = "", "", rank
    if mark is not None and mark.among == among and near(mark, rank):
        if rank == mark.rank:
            return mark.loss, mark.number
        down = rank > mark.rank
        place, order = f"AND (loss, number) {'>' if down else '<'} (%s, %s) ", "" if down else " DESC"
        values += [mark.loss, mark.number]
        step = abs(rank - mark.rank) - 1
    with connection.cursor() as cursor:
        cursor.execute(WALK.format(state=state, place=place, order=order), [*values, step])
        found = cursor.fetchone()
    return None if found is None else (found[0], found[1])


def near(mark: Mark, rank: int) -> bool:
    return abs(mark.rank - rank) <= NEAR


def set_mark(cohort_id: int, rung: int, mark: Mark) -> None:
    Rung.objects.filter(cohort_id=cohort_id, number=rung).update(
        mark_among=mark.among, mark_rank=mark.rank, mark_loss=mark.loss, mark_number=mark.number
    )
