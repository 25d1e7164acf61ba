"""A pilot: a handful of trials that run to their ends before a study is planned, to see whether early results rank as
late ones do. It is a study like others: the one that it is for may learn from it, and nothing of it is wasted."""

from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.utils import timezone

from tuning.models import Study
from tuning.services.lifecycle import start_study
from tuning.services.studies import create_study

TRIALS = 8


def start_pilot(
    *, owner: AbstractBaseUser, workload: str, space: dict[str, Any] | None, parallel: int, **settings: Any
) -> Study:
    """A study of TRIALS quasi-random trials, none ended early, started or waiting for its preflight.

    settings: metric, direction, objective and max_resource, as in create_study. Raises Invalid, Conflict.
    """
    now = timezone.localtime()
    study = create_study(
        owner=owner,
        name=f"pilot of {workload}, {now.day} {now:%b, %H:%M:%S}"[:120],
        description="A handful of whole trials, to see whether early results rank as late ones do.",
        workload=workload,
        space=space,
        sampler="qmc",
        scheduler="none",
        n_trials=TRIALS,
        parallel=parallel,
        **settings,
    )
    return start_study(study_id=study.pk, actor=owner)
