"""Versions of a study's search space. A version that a trial used never changes."""

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import AbstractBaseUser

from tuning.engine import SearchSpace as EngineSpace
from tuning.engine import SpaceError
from tuning.models import Parameter, SearchSpace, Study
from tuning.services.errors import Invalid


def parse_space(document: Any) -> EngineSpace:
    """The engine's space of a JSON document. Raises Invalid with each issue under "space.<parameter>.<field>"."""
    try:
        return EngineSpace.from_json(document)
    except SpaceError as error:
        fields: dict[str, list[str]] = {}
        for issue in error.errors:
            path = ".".join(part for part in ("space", issue.parameter, issue.field) if part)
            fields.setdefault(path, []).append(issue.message)
        raise Invalid(fields, error.errors) from error


def add_space_version(
    study: Study,
    space: EngineSpace,
    author: AbstractBaseUser | None,
    reason: str,
    assumed: Mapping[str, Any] | None = None,
) -> SearchSpace:
    """Store `space` as the study's next version, with what earlier trials are assumed to have run with of parameters
    that they lack, and make it the current one."""
    number = SearchSpace.objects.filter(study=study).count() + 1
    version = SearchSpace.objects.create(
        study=study,
        number=number,
        document=space.to_json(),
        digest=space.digest(),
        author_id=author.pk if author else None,
        reason=reason,
        assumed=dict(assumed or {}),
        first_trial=study.next_number,
    )
    rows = []
    for position, (name, form) in enumerate(space.to_json().items()):
        rows.append(
            Parameter(
                space=version,
                position=position,
                name=name,
                kind=form["type"],
                low=form.get("low"),
                high=form.get("high"),
                log=form.get("log", False),
                step=form.get("step"),
                choices=form.get("choices"),
                condition=form.get("when"),
                annotation=form.get("annotation", ""),
            )
        )
    Parameter.objects.bulk_create(rows)
    Study.objects.filter(pk=study.pk).update(space=version)
    study.space = version
    return version
