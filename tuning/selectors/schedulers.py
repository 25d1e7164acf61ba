"""The engine's scheduler of a study."""

from tuning.engine import registry
from tuning.engine.schedulers.base import Scheduler
from tuning.models import Study


def has_rungs(study: Study) -> bool:
    """Whether the study's scheduler compares trials at rungs."""
    return registry.schedulers()[study.scheduler].needs_rungs


def scheduler_of(study: Study) -> Scheduler:
    """The scheduler with the study's settings."""
    return registry.make_scheduler(
        study.scheduler,
        study.scheduler_options,
        min_resource=study.min_resource,
        max_resource=study.max_resource,
        reduction_factor=study.reduction_factor,
        direction=study.direction,
    )
