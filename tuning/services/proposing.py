"""Asking the sampler: which configuration should a new trial of this study have?

The suggestion is computed outside any lock, because a model may need seconds; the caller commits it only if the study's
history has not moved meanwhile (services.starting).
"""

from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError

from tuning.engine import History, SearchSpace, SpaceExhausted, registry, rng_for
from tuning.engine.samplers.base import Sampler
from tuning.models import Study
from tuning.selectors.budget import expected_trials
from tuning.services.errors import SamplerFailed
from tuning.services.history import fresh_history, study_history


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
    """The sampler's configuration for the study's next trial. Raises tuning.engine.SpaceExhausted, SamplerFailed."""
    space = engine_space(study)
    number, version = study.next_number, study.history_version
    if space is None:
        return Proposal(number, version, {}, "parameters are suggested while the objective runs", study.sampler)
    try:
        sampler = _sampler_of(study)
        history = study_history(study, space) if sampler.needs_history else History(space, study.direction)
        suggestion = sampler.suggest(space, history, rng_for(study.seed, number))
    except (SpaceExhausted, DatabaseError):
        raise
    except Exception as error:  # one study's sampler must not take the workers away from all others
        raise SamplerFailed(f"The sampler {study.sampler} failed: {type(error).__name__}: {error}") from error
    return Proposal(number, version, suggestion.params, suggestion.why, study.sampler)


def grid_size(study: Study) -> int | None:
    """How many configurations the study's sampler tries before it has tried all; None where it never has."""
    space = engine_space(study)
    return None if space is None else _sampler_of(study).plan_size(space)


def is_exhausted(study: Study) -> bool:
    """Whether every configuration of a finite plan has been handed out, seen from inside the present transaction."""
    space, size = engine_space(study), grid_size(study)
    if space is None or size is None or study.n_created < size:
        return False
    try:
        _sampler_of(study).suggest(space, fresh_history(study, space), rng_for(study.seed, study.next_number))
    except SpaceExhausted:
        return True
    return False


def _sampler_of(study: Study) -> Sampler:
    return registry.make_sampler(
        study.sampler, study.sampler_options, budget=expected_trials(study), parallel=study.parallel
    )
