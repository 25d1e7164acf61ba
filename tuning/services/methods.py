"""Whether a sampler and a scheduler can serve a study."""

from collections.abc import Mapping
from typing import Any

from tuning.engine import OptionError, SearchSpace, SpaceError, registry
from tuning.engine.schedulers.base import Scheduler
from tuning.services.problems import Problems

NO_MAX_RESOURCE = "Say how many steps a whole trial has (max_resource): without it nobody knows what a trial takes."
STUDY_FIELDS = ("direction", "min_resource", "max_resource", "reduction_factor")


def check_methods(
    problems: Problems,
    sampler: str,
    sampler_options: dict[str, Any],
    scheduler: str,
    scheduler_options: dict[str, Any],
    space: SearchSpace | None,
    n_trials: int | None,
    min_resource: int,
    max_resource: int | None,
    reduction_factor: int,
    direction: str,
    limits: Mapping[str, int | None],
) -> None:
    """Note where a method does not exist, does not take its options, or cannot serve the space or end the study.

    limits: what else may end it (selectors.budget.LIMITS).

    What is wrong with a field already is not said again in the method's words.
    """
    size: int | None = None
    problems.one_of("sampler", sampler, sorted(registry.samplers()))
    problems.one_of("scheduler", scheduler, sorted(registry.schedulers()))
    if not problems.about("sampler"):
        size = _check_sampler(problems, sampler, sampler_options, space, n_trials)
    if not problems.about("scheduler", *STUDY_FIELDS):
        try:
            method = registry.make_scheduler(
                scheduler,
                scheduler_options,
                min_resource=min_resource,
                max_resource=max_resource,
                reduction_factor=reduction_factor,
                direction=direction,
            )
        except OptionError as error:
            own = error.option in STUDY_FIELDS
            problems.add(error.option if own else "scheduler_options", error.message if own else str(error))
        else:
            _check_steps(problems, method, limits.get("total_resource"))
    endless = n_trials is None and size is None and all(limit is None for limit in limits.values())
    if endless and not problems.about("space", "workload", "sampler"):
        words = "Say how many trials to run, or limit the steps or the time; only a grid ends by itself."
        problems.add("n_trials", words)


def _check_steps(problems: Problems, scheduler: Scheduler, steps: int | None) -> None:
    """Note where a study's steps do not pay a single trial."""
    if steps is None or problems.about("total_resource"):
        return
    if scheduler.max_resource is None:
        problems.add("total_resource", NO_MAX_RESOURCE)
    elif scheduler.trials_for(steps) == 0:
        least = scheduler.plan(1).resource or scheduler.max_resource
        problems.add("total_resource", f"A single trial takes {least:,} of them: allow at least {least:,}.")


def check_space(
    problems: Problems, sampler: str, options: dict[str, Any], space: SearchSpace, n_trials: int | None, *, ends: bool
) -> None:
    """Note where the sampler of a study that exists cannot serve this space.

    ends: whether the study has a limit that ends it in any case.
    """
    size = _check_sampler(problems, sampler, options, space, n_trials)
    if not ends and size is None and not problems.fields:
        problems.add("space", "The study has no number of trials and would never end; extend it to one first.")


def _check_sampler(
    problems: Problems, sampler: str, options: dict[str, Any], space: SearchSpace | None, n_trials: int | None
) -> int | None:
    """The number of configurations that the sampler will try, where it knows."""
    try:
        method = registry.make_sampler(sampler, options, budget=None if problems.about("n_trials") else n_trials)
    except OptionError as error:
        problems.add("sampler_options", str(error))
        return None
    if space is None:
        if sampler == "grid" and not problems.about("space", "workload"):
            problems.add(
                "sampler",
                "A grid needs a declared search space; this workload suggests its parameters as it "
                "runs. Choose another sampler, or declare SPACE in the workload.",
            )
        return None
    try:
        method.check(space)
        return method.plan_size(space)
    except SpaceError as error:
        for issue in error.errors:
            problems.add(".".join(part for part in ("space", issue.parameter, issue.field) if part), issue.message)
        problems.space_issues.extend(error.errors)
        return None
