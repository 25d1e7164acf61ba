"""The settings of a study as a new one takes them."""

from typing import Any

from django.contrib.auth.models import AbstractBaseUser

from tuning.models import Study
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


def clone_name(study: Study) -> str:
    """The name that a clone gets where nobody gives it one."""
    return f"{study.name[:110]}, clone"


def clone_source(user: AbstractBaseUser, study: Study) -> Study | None:
    """The study that this one is a clone of, if the person may look at it."""
    return visible_studies(user).filter(clones=study).first()
