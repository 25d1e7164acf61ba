"""Planting sealed numbers for an audit, in a transaction that is taken back: nothing of it stays."""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F

from tuning.models import Study, Trial
from tuning.services.errors import Conflict
from tuning.services.metrics import Point
from tuning.services.sealing import seal_points
from tuning.services.tokens import create_token

PLANTED_STEP = 1


@dataclass(frozen=True)
class Planted:
    """The trial that holds the planted numbers, the study's owner, and a token of theirs."""

    trial: Trial
    owner: User
    token: str


def unusual_numbers() -> dict[str, float]:
    """Metrics of the test set with numbers that nothing else has: a score with all its digits, and one whose size alone
    gives it away, however few digits are shown.

    No digit of them is 0 or 9: rounded to any length they end on a digit that no format drops.
    """
    size = f"{_digits(1)}.{_digits(8)}e{41 + secrets.randbelow(40)}"
    return {"test/seal_audit": float(f"0.{_digits(16)}"), "test/seal_audit_size": float(size)}


def _digits(count: int) -> str:
    return "".join(secrets.choice("12345678") for _ in range(count))


@contextmanager
def planted(*, study_id: int, numbers: Mapping[str, float]) -> Iterator[Planted]:
    """Let the study's best trial, else its newest, have reported `numbers`; at the end all is as it was.

    The numbers go where those of a report go. The transaction is rolled back, with all that was done in it, so they
    are never seen from outside. Raises Conflict where the study has no trial.
    """
    with transaction.atomic():
        try:
            yield _plant(study_id, numbers)
        finally:
            transaction.set_rollback(True)


def _plant(study_id: int, numbers: Mapping[str, float]) -> Planted:
    study = Study.objects.select_related("owner", "best_trial").get(pk=study_id)
    trial = study.best_trial or Trial.objects.filter(study=study).order_by("-number").first()
    if trial is None:
        raise Conflict("This study has no trial yet, so nothing could be sealed; start it, and audit it then.")
    rest = seal_points(study, trial, trial.fence, [Point(PLANTED_STEP, dict(numbers), 0.0)])
    if rest:
        raise Conflict(f"{', '.join(rest[0].metrics)} would not be sealed; an audit plants metrics of the test set.")
    Study.objects.filter(pk=study_id).update(version=F("version") + 1)  # no page that was rendered before
    _token, secret = create_token(user=study.owner, name="seal audit")
    return Planted(trial, study.owner, secret)
