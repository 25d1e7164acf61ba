"""Define-by-run: answering one suggestion of a running objective, and remembering the distribution it asked for."""

import zlib
from typing import Any

import numpy as np
from django.db import transaction

from tuning.engine import ParamsError, SearchSpace
from tuning.models import Distribution, Trial
from tuning.services.errors import Invalid, StaleLease
from tuning.services.spaces import parse_space


@transaction.atomic
def answer_suggestion(*, trial_id: int, fence: int, name: str, distribution: Any) -> Any:
    """The value of parameter `name` in this trial: as already given or queued, else drawn for this trial and name.

    `distribution` is the JSON form of one parameter (without conditions). The draw depends on the study's seed, the
    trial's number and the name alone, so the same code asks for the same values again after a restart.
    Raises Invalid for a bad distribution or a value that does not fit it, StaleLease.
    """
    trial = (
        Trial.objects.select_for_update(of=("self",), no_key=True)
        .select_related("study")
        .filter(pk=trial_id, fence=fence, state=Trial.State.RUNNING)
        .first()
    )
    if trial is None:
        raise StaleLease("This trial is no longer held by this claim: it was stopped, paused, or given to another.")
    space = _read_distribution(name, distribution)
    _check_known(trial, name, space)
    given = {**(trial.fixed_params or {}), **trial.params}
    if name in given:
        try:
            value = space.validate({name: given[name]})[name]
        except ParamsError as error:
            raise Invalid({f"params.{name}": [f"{error}; the objective asks for {distribution}"]}) from error
    else:
        seed = np.random.SeedSequence([trial.study.seed, trial.number, zlib.crc32(name.encode())])
        value = space.from_unit(np.random.default_rng(seed).random(len(space.parameters)))[name]
    digest = space.digest()
    if trial.distributions.get(name) != digest or name not in trial.params:
        Distribution.objects.get_or_create(
            study_id=trial.study_id, name=name, digest=digest, defaults={"document": space.to_json()[name]}
        )
        Trial.objects.filter(pk=trial.pk).update(
            params={**trial.params, name: value}, distributions={**trial.distributions, name: digest}
        )
    return value


def _read_distribution(name: str, distribution: Any) -> SearchSpace:
    try:
        return parse_space({name: distribution})
    except Invalid as error:
        places = {field: field.removeprefix("space").removeprefix(f".{name}") for field in error.fields}
        fields = {f"distribution{places[field]}": words for field, words in error.fields.items()}
        raise Invalid(fields, error.space_issues) from error


def _check_known(trial: Trial, name: str, space: SearchSpace) -> None:
    """Within a study a name keeps its kind, and a categorical its choices: models could not learn from it otherwise."""
    known = Distribution.objects.filter(study_id=trial.study_id, name=name).first()
    if known is None:
        return
    new, old = space.to_json()[name], known.document
    if new["type"] != old["type"]:
        raise Invalid(
            {
                f"params.{name}": [
                    f"{name} was {old['type']} in an earlier trial and is {new['type']} now; "
                    "give the new kind another name."
                ]
            }
        )
    if new["type"] == "categorical" and new["choices"] != old["choices"]:
        raise Invalid(
            {
                f"params.{name}": [
                    f"The choices of {name} were {old['choices']} in an earlier trial and are {new['choices']} now; "
                    "keep them the same in every trial, or give the parameter another name."
                ]
            }
        )
