"""Reading trials: one by id, and pages by keyset, which stay right while trials are added."""

import base64
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.auth.models import AbstractBaseUser
from django.db.models import F, Q, QuerySet

from tuning.models import Study, Trial
from tuning.selectors.errors import NotFound, ServiceError
from tuning.selectors.studies import visible_studies

ORDERINGS = ("value", "-value", "number", "-number")


class BadCursor(ServiceError):
    """A page's cursor that this ordering did not make."""


@dataclass(frozen=True)
class TrialPage:
    """Rows of one page; `next_cursor` is empty on the last page."""

    rows: list[Trial]
    next_cursor: str


def trial_for(user: AbstractBaseUser, trial_id: int) -> Trial:
    """The trial with its study, if the person may look at the study. Raises NotFound."""
    trial = (
        Trial.objects.select_related(
            "study", "study__owner", "study__best_trial", "space", "slot__device__host", "clone_of"
        )
        .filter(pk=trial_id)
        .first()
    )
    if trial is None or not visible_studies(user).filter(pk=trial.study_id).exists():
        raise NotFound(f"There is no trial {trial_id}, or its study is private.")
    return trial


def trial_numbered(study: Study, number: int) -> Trial:
    """Trial `number` of the study. Raises NotFound."""
    trial = Trial.objects.filter(study=study, number=number).first()
    if trial is None:
        raise NotFound(f"The study {study.name!r} has no trial {number}.")
    return trial


def trial_neighbours(trial: Trial) -> tuple[int | None, int | None]:
    """The ids of the trials numbered before and after this one."""
    rows = Trial.objects.filter(study_id=trial.study_id)
    before = rows.filter(number__lt=trial.number).order_by("-number").values_list("pk", flat=True).first()
    after = rows.filter(number__gt=trial.number).order_by("number").values_list("pk", flat=True).first()
    return before, after


def retry_of(trial: Trial) -> Trial | None:
    """The trial that tries this failed one again."""
    return Trial.objects.filter(clone_of=trial, origin="retry").first()


def leaderboard(
    study: Study,
    *,
    states: Sequence[str] = (),
    ordering: str = "value",
    limit: int = 50,
    cursor: str = "",
    counted: bool = False,
) -> TrialPage:
    """One page of a study's trials. "value" is the best first whatever the direction; trials without a value come last.

    With `counted`, without those that a person has excluded. The key is (value is null, value, number), so a page
    neither repeats nor skips a trial with equal or no value.
    Raises BadCursor, and ServiceError for an unknown ordering.
    """
    if ordering not in ORDERINGS:
        raise ServiceError(f"Cannot order by {ordering!r}; choose one of {', '.join(ORDERINGS)}.")
    rows = Trial.objects.filter(study=study)
    if states:
        rows = rows.filter(state__in=states)
    if counted:
        rows = rows.filter(excluded_at__isnull=True)
    key = _read_cursor(cursor, ordering) if cursor else None
    if ordering.endswith("number"):
        page = _by_number(rows, ordering, key, limit)
    else:
        ascending = (ordering == "value") == (study.direction == "minimize")
        page = _by_value(rows, ascending, key, limit)
    more = len(page) > limit
    page = page[:limit]
    return TrialPage(page, _write_cursor(page[-1], ordering) if more else "")


def _by_number(rows: QuerySet[Trial], ordering: str, key: tuple[float | None, int] | None, limit: int) -> list[Trial]:
    if key is not None:
        rows = rows.filter(number__gt=key[1]) if ordering == "number" else rows.filter(number__lt=key[1])
    return list(rows.order_by(ordering)[: limit + 1])


def _by_value(rows: QuerySet[Trial], ascending: bool, key: tuple[float | None, int] | None, limit: int) -> list[Trial]:
    """First the trials with a value, then those without: two index scans rather than one sort of nulls."""
    page: list[Trial] = []
    if key is None or key[0] is not None:
        valued = rows.filter(value__isnull=False)
        if key is not None:
            value, number = key
            beyond = Q(value__gt=value) if ascending else Q(value__lt=value)
            valued = valued.filter(beyond | Q(value=value, number__gt=number))
        order = F("value").asc() if ascending else F("value").desc()
        page = list(valued.order_by(order, "number")[: limit + 1])
    if len(page) <= limit:
        rest = rows.filter(value__isnull=True)
        if key is not None and key[0] is None:
            rest = rest.filter(number__gt=key[1])
        page += list(rest.order_by("number")[: limit + 1 - len(page)])
    return page


def _write_cursor(trial: Trial, ordering: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([ordering, trial.value, trial.number]).encode()).decode().rstrip("=")


def _read_cursor(cursor: str, ordering: str) -> tuple[float | None, int]:
    try:
        made_for, value, number = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if made_for != ordering or type(number) is not int or not 0 <= number < 2**31:
            raise ValueError(cursor)
        if value is not None and (type(value) not in (int, float) or not math.isfinite(value)):
            raise ValueError(cursor)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise BadCursor("This cursor belongs to no page of this ordering; start again without a cursor.") from error
    return value, number
