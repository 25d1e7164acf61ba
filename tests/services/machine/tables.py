"""The real side: what the tables hold, whole or in part, and commits inside a test's transaction."""

from contextlib import AbstractContextManager
from typing import Any

from django.apps import apps
from django.db import connection
from django.test import TestCase

from tuning.models import CurveSummary, Job, Study, Trial
from tuning.selectors.curves import study_curves

UNWATCHED = ("tuning_slot",)  # a hint that is taken up is noted there


def commit() -> AbstractContextManager[Any]:
    """Everything that the block does is committed at its end: what waits for the commit is done then."""
    return TestCase.captureOnCommitCallbacks(execute=True)


def everything(*, besides: tuple[str, ...] = ()) -> dict[str, list[tuple]]:
    """Every row of every table of hpweb and of the broker."""
    names = [
        model._meta.db_table for label in ("tuning", "django_q") for model in apps.get_app_config(label).get_models()
    ]
    found = {}
    with connection.cursor() as cursor:
        for name in sorted(set(names) - set(besides)):
            cursor.execute(f'SELECT * FROM "{name}"')
            rows = [tuple(bytes(v) if isinstance(v, memoryview) else v for v in row) for row in cursor.fetchall()]
            found[name] = sorted(rows, key=repr)
    return found


def studies() -> dict[int, dict[str, Any]]:
    return {row["id"]: row for row in Study.objects.values()}


def trials() -> dict[int, dict[str, Any]]:
    return {row["id"]: row for row in Trial.objects.values()}


def jobs() -> dict[int, dict[str, Any]]:
    return {row["id"]: row for row in Job.objects.values()}


def curves(study_id: int, trial_id: int) -> dict[str, dict[int, float]]:
    """{metric: {step: value}} of one trial; a step that stands twice is an error."""
    found: dict[str, dict[int, float]] = {}
    for name, curve in study_curves(Study(pk=study_id), [trial_id]).get(trial_id, {}).items():
        if len(set(curve.steps)) != len(curve.steps) or curve.steps != sorted(curve.steps):
            raise AssertionError(f"trial {trial_id}: the steps of {name} are {curve.steps}")
        found[name] = dict(zip(curve.steps, curve.values, strict=True))
    return found


def summaries() -> dict[tuple[int, str], tuple[int, int | None, float | None, float | None]]:
    """{(trial, metric): (points, last step, last, best)}."""
    rows = CurveSummary.objects.values_list("trial_id", "metric__name", "n", "last_step", "last", "best")
    return {(trial, name): (n, step, last, best) for trial, name, n, step, last, best in rows}
