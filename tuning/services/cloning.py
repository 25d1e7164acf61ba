"""A new study with the settings of another one, and what is to be different in it."""

from typing import Any

from django.contrib.auth.models import AbstractBaseUser

from tuning.engine import SearchSpace, SpaceError
from tuning.models import Study
from tuning.selectors.clones import clone_name, settings_of
from tuning.selectors.studies import study_for
from tuning.services.limiting import checked_constraints
from tuning.services.problems import Problems
from tuning.services.studies import create_study


def clone_study(*, study_id: int, actor: AbstractBaseUser, name: str | None = None, **changes: Any) -> Study:
    """A READY study of the person's own, with the source's settings and `changes` (fields of create_study).

    The same again returns the study that there is: a clone of this source by this person with that name and those
    settings. Raises Invalid, NotFound.
    """
    source = study_for(actor, study_id)
    name = clone_name(source) if name is None else name.strip()
    settings = settings_of(actor, source)
    for method in ("sampler", "scheduler"):
        if changes.get(method, settings[method]) != settings[method]:
            settings[f"{method}_options"] = {}  # they were the other method's
    settings |= changes
    there = (
        Study.objects.select_related("owner", "best_trial", "space")
        .filter(owner_id=actor.pk, clone_of=source, name=name)
        .first()
    )
    if there is not None and _same(settings_of(actor, there), settings):
        return there
    study = create_study(owner=actor, name=name, clone_of=source, **settings)
    return study_for(actor, study.pk)


def _same(there: dict[str, Any], wanted: dict[str, Any]) -> bool:
    given = {field: value for field, value in wanted.items() if value is not None}
    return all(_plain(field, there[field]) == _plain(field, value) for field, value in given.items())


def _plain(field: str, value: Any) -> Any:
    """A setting so that two ways to write it are equal."""
    if field == "space" and value is not None:
        try:
            return SearchSpace.from_json(value).digest()
        except SpaceError:
            return value  # create_study says what is wrong with it
    if field == "constraints":
        return checked_constraints(Problems(), value, "pytorch")  # create_study says what is wrong with them
    if field == "warm_start":
        return [{"study": entry.get("study"), "assumed": dict(entry.get("assumed") or {})} for entry in value]
    return value
