"""Samplers and schedulers by name, with the schema of their options: forms, API and docs read it here.

A new algorithm is one file in samplers/ or schedulers/ and its class in the tuple below.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuning.engine.errors import OptionError
from tuning.engine.samplers.auto import Auto
from tuning.engine.samplers.base import Sampler
from tuning.engine.samplers.gp import GP
from tuning.engine.samplers.grid import Grid
from tuning.engine.samplers.qmc import QuasiRandom
from tuning.engine.samplers.random import Random
from tuning.engine.samplers.tpe import TPE
from tuning.engine.schedulers.asha import ASHA
from tuning.engine.schedulers.base import Scheduler
from tuning.engine.schedulers.hyperband import Hyperband
from tuning.engine.schedulers.median import MedianStopping
from tuning.engine.schedulers.none import NoScheduler
from tuning.engine.schedulers.successive_halving import SuccessiveHalving
from tuning.engine.values import listed, shown

SAMPLERS: tuple[type[Sampler], ...] = (Auto, Random, Grid, QuasiRandom, TPE, GP)
SCHEDULERS: tuple[type[Scheduler], ...] = (NoScheduler, ASHA, Hyperband, SuccessiveHalving, MedianStopping)


def samplers() -> dict[str, type[Sampler]]:
    """The samplers by name, the default first."""
    return {sampler.name: sampler for sampler in SAMPLERS}


def schedulers() -> dict[str, type[Scheduler]]:
    """The schedulers by name, the default first."""
    return {scheduler.name: scheduler for scheduler in SCHEDULERS}


def make_sampler(
    name: str, options: Mapping[str, Any] | None = None, *, budget: int | None = None, parallel: int = 1
) -> Sampler:
    """The sampler of this name. Raises OptionError for an unknown name ("sampler") or option."""
    known = samplers()
    if name not in known:
        raise OptionError("sampler", f"there is no sampler {shown(name)}: write one of {listed(known)}")
    return known[name](budget=budget, parallel=parallel, **_named("sampler_options", options))


def make_scheduler(
    name: str | None,
    options: Mapping[str, Any] | None = None,
    *,
    min_resource: int = 1,
    max_resource: int | None = None,
    reduction_factor: int = 3,
    direction: str = "minimize",
) -> Scheduler:
    """The scheduler of this name (None: "none"). Raises OptionError for an unknown name or option."""
    known = schedulers()
    name = "none" if name is None else name
    if name not in known:
        raise OptionError("scheduler", f"there is no scheduler {shown(name)}: write one of {listed(known)}")
    return known[name](min_resource, max_resource, reduction_factor, direction, **_named("scheduler_options", options))


def _named(field: str, options: Any) -> dict[str, Any]:
    if options is None:
        return {}
    if not isinstance(options, Mapping) or not all(isinstance(name, str) for name in options):
        raise OptionError(field, f"{shown(options)} is not an object of options by name")
    reserved = {"budget", "parallel", "min_resource", "max_resource", "reduction_factor", "direction"}
    for name in options:
        if name in reserved:
            raise OptionError(name, f"{name} is set for the study, not among {field}")
    return dict(options)


def describe() -> dict[str, list[dict[str, Any]]]:
    """Samplers and schedulers with title, summary and option schemas, as JSON."""
    return {
        "samplers": [
            {
                "name": sampler.name,
                "title": sampler.title,
                "summary": sampler.summary,
                "options": [option.to_json() for option in sampler.options],
            }
            for sampler in SAMPLERS
        ],
        "schedulers": [
            {
                "name": scheduler.name,
                "title": scheduler.title,
                "summary": scheduler.summary,
                "needs_max_resource": scheduler.needs_max_resource,
                "uses": list(scheduler.uses),
                "options": [option.to_json() for option in scheduler.options],
            }
            for scheduler in SCHEDULERS
        ],
    }
