"""Whether a sampler and a scheduler can serve a study."""

from typing import Any

from tuning.engine import OptionError, SearchSpace, SpaceError, registry
from tuning.services.problems import Problems

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
) -> None:
    """Note where a method does not exist, does not take its options, or cannot serve the space or end the study.

    What is wrong with a field already is not said again in the method's words.
    """
    size: int | None = None
    problems.one_of("sampler", sampler, sorted(registry.samplers()))
    problems.one_of("scheduler", scheduler, sorted(registry.schedulers()))
    if not problems.about("sampler"):
        size = _check_sampler(problems, sampler, sampler_options, space, n_trials)
    if not problems.about("scheduler", *STUDY_FIELDS):
        try:
            registry.make_scheduler(
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
    if n_trials is None and size is None and not problems.about("space", "workload", "sampler"):
        problems.add("n_trials", "Say how many trials to run; only a grid ends by itself.")


def check_space(
    problems: Problems, sampler: str, options: dict[str, Any], space: SearchSpace, n_trials: int | None
) -> None:
    """Note where the sampler of a study that exists cannot serve this space."""
    size = _check_sampler(problems, sampler, options, space, n_trials)
    if n_trials is None and size is None and not problems.fields:
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
