"""Configurations that a person puts into the queue."""

from typing import Any

import numpy as np
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from tuning.engine import ParamsError, SearchSpace, rng_for
from tuning.models import Study, Trial
from tuning.selectors.budget import trial_limit
from tuning.selectors.studies import may_edit
from tuning.services import hints
from tuning.services.audit import record
from tuning.services.errors import Conflict, Forbidden, Invalid
from tuning.services.paired import refuse_paired
from tuning.services.proposing import engine_space
from tuning.services.scheduling import next_start, remedy_of_limit
from tuning.services.starting import create_trial
from tuning.services.transitions import lock_study


def complete_params(space: SearchSpace, given: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """`given` with every parameter that it leaves out drawn from its prior. Raises ParamsError."""
    unit = rng.random(len(space.parameters))
    for position, parameter in enumerate(space.parameters):
        if parameter.name in given:
            try:
                unit[position] = parameter.to_unit(parameter.canonical(given[parameter.name]))
            except ValueError:
                continue  # validate names it, with all other issues
    return space.validate({**space.from_unit(unit), **given})


def params_invalid(error: ParamsError) -> Invalid:
    """The engine's issues as fields "params.<name>"."""
    fields: dict[str, list[str]] = {}
    for issue in error.errors:
        fields.setdefault(f"params.{issue.parameter}" if issue.parameter else "params", []).append(issue.message)
    return Invalid(fields)


@transaction.atomic
def enqueue_trial(*, study_id: int, actor: AbstractBaseUser, params: dict[str, Any]) -> Trial:
    """Queue a configuration; parameters that are left out are sampled. It counts against the budget.

    Raises Invalid (naming parameter and remedy), Forbidden, NotFound, Conflict.
    """
    study = lock_study(study_id)
    if not may_edit(actor, study):
        raise Forbidden(f"Only {study.owner.get_username()} and administrators may add trials to {study.name!r}.")
    if not isinstance(params, dict):
        raise Invalid({"params": ['Give values by parameter, such as {"lr": 0.01}; those left out are sampled.']})
    refuse_paired(study)
    if study.state not in (Study.State.READY, Study.State.RUNNING, Study.State.PAUSED):
        raise Conflict(f"The study is {study.state.lower()}; configurations can be queued until a study ends.")
    limit = trial_limit(study)
    if limit is not None and study.n_counted >= limit:
        raise Conflict(f"All {limit:,} trials of this study are taken; {remedy_of_limit(study)} first.")
    space = engine_space(study)
    if space is None:
        complete = dict(params)
    else:
        try:
            complete = complete_params(space, params, rng_for(study.seed, study.next_number))
        except ParamsError as error:
            raise params_invalid(error) from error
    trial = create_trial(
        study,
        complete,
        origin="enqueued",
        why=f"queued by {actor.get_username()}",
        fixed_params=params,
        start=next_start(study),
    )
    record(
        actor=actor,
        verb="queued",
        kind="trial",
        object_id=trial.pk,
        name=f"{study.name} #{trial.number}",
        after={"params": params},
    )
    hints.announce()
    return trial
