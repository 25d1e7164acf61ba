"""One page of rows, by number, for lists that people leaf through."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db.models import Model, QuerySet

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True)
class Page(Generic[Row]):
    rows: Sequence[Row]
    number: int
    per_page: int
    total: int

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // self.per_page))

    @property
    def has_next(self) -> bool:
        return self.number < self.pages

    @property
    def has_previous(self) -> bool:
        return self.number > 1


def page_of(rows: "QuerySet[Row]", number: int, per_page: int) -> Page[Row]:
    """Page `number` (from 1; clipped to what there is) of a query, in two queries."""
    total = rows.count()
    number = min(max(1, number), max(1, -(-total // per_page)))
    start = (number - 1) * per_page
    return Page(list(rows[start : start + per_page]), number, per_page, total)
