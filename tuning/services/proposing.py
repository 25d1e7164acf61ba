"""Asking the sampler: which configuration should a new trial of this study have?

The suggestion is computed outside any lock, because a model may need seconds; the caller commits it only if the study's
history has not moved meanwhile (services.starting).
"""

from dataclasses import dataclass
from typing import Any

from tuning.engine import History, SearchSpace, registry, rng_for
from tuning.models import Study
from tuning.services.history import study_history


@dataclass(frozen=True)
class Proposal:
    """A configuration for trial `number`, and the history version that the sampler saw."""

    number: int
    history_version: int
    params: dict[str, Any]
    why: str
    sampler: str


def engine_space(study: Study) -> SearchSpace | None:
    """The newest version of the study's space, or None for a define-by-run objective without one."""
    return SearchSpace.from_json(study.space.document) if study.space else None


def propose(study: Study) -> Proposal:
    """The sampler's configuration for the study's next trial. Raises tuning.engine.SpaceExhausted."""
    space = engine_space(study)
    number, version = study.next_number, study.history_version
    if space is None:
        return Proposal(number, version, {}, "parameters are suggested while the objective runs", study.sampler)
    sampler = registry.make_sampler(
        study.sampler, study.sampler_options, budget=study.budget_total, parallel=study.parallel
    )
    history = study_history(study, space) if sampler.needs_history else History(space, study.direction)
    suggestion = sampler.suggest(space, history, rng_for(study.seed, number))
    return Proposal(number, version, suggestion.params, suggestion.why, study.sampler)
