"""The settings of a study as a new one takes them."""

from typing import Any

from django.contrib.auth.models import AbstractBaseUser

from tuning.analysis.diagnosis import STRENGTH_TRIALS, strength_space
from tuning.models import Study
from tuning.selectors.errors import NotFound
from tuning.selectors.sources import visible_sources
from tuning.selectors.studies import visible_studies

PLAIN = (
    "workload",
    "metric",
    "direction",
    "objective",
    "sampler",
    "scheduler",
    "parallel",
    "max_resource",
    "min_resource",
    "reduction_factor",
    "seed",
    "visibility",
    "description",
    "deterministic",
    "total_resource",
    "device_seconds",
    "study_seconds",
    "trial_seconds",
    "priority",
    "stop_when_not_worth",
)


def settings_of(user: AbstractBaseUser, study: Study) -> dict[str, Any]:
    """Keyword arguments for services.studies.create_study that make a study like this one, but for its name.

    Of the earlier studies that it learns from, those that the person may look at.
    """
    settings: dict[str, Any] = {name: getattr(study, name) for name in PLAIN}
    return settings | {
        "n_trials": study.budget_total,
        "space": study.space.document if study.space else None,
        "sampler_options": dict(study.sampler_options),
        "scheduler_options": dict(study.scheduler_options),
        "constraints": dict(study.constraints),
        "warm_start": [
            {"study": source.source_id, "assumed": dict(source.assumed)}
            for source, visible in visible_sources(user, study)
            if visible
        ],
    }


def strength_settings(user: AbstractBaseUser, study: Study, parameter: str, axis: str) -> dict[str, Any]:
    """Settings of a study that measures how the best strength of a regulariser moves with a size, as `settings_of`.

    All else stays at the study's best trial. Values are those of the last epoch, since stopping early regularises, too.
    Raises NotFound with why there is no such study.
    """
    if study.best_trial is None or study.space is None:
        raise NotFound("A study that measures this starts from the best trial, and none is complete yet.")
    space = strength_space(study.space.document, study.best_trial.params, parameter, axis)
    if isinstance(space, str):
        raise NotFound(space)
    return settings_of(user, study) | {
        "space": space,
        "sampler": "qmc",
        "sampler_options": {},
        "scheduler": "none",
        "scheduler_options": {},
        "objective": Study.Objective.LAST.value,
        "n_trials": STRENGTH_TRIALS,
        "total_resource": None,
        "stop_when_not_worth": False,
        "warm_start": [],
    }


def clone_name(study: Study) -> str:
    """The name that a clone gets where nobody gives it one."""
    return f"{study.name[:110]}, clone"


def clone_source(user: AbstractBaseUser, study: Study) -> Study | None:
    """The study that this one is a clone of, if the person may look at it."""
    return visible_studies(user).filter(clones=study).first()
