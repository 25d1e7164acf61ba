"""The versions of a study's search space, and what of its trials fits them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Count

from tuning.engine import SearchSpace as EngineSpace
from tuning.engine.transfer import Misfit, fitted
from tuning.models import SearchSpace, Study, Trial
from tuning.selectors.sources import Offer, offer_of


@dataclass(frozen=True)
class SpaceVersion:
    """One version, with the number of trials that were proposed in it."""

    row: SearchSpace
    n_trials: int
    is_current: bool


def space_versions(study: Study) -> list[SpaceVersion]:
    """The study's versions, the newest first, in two queries."""
    counts = dict(
        Trial.objects.filter(study=study).values_list("space_id").annotate(n=Count("pk")).values_list("space_id", "n")
    )
    rows = SearchSpace.objects.filter(study=study).select_related("author").order_by("-number")
    return [SpaceVersion(row, counts.get(row.pk, 0), row.pk == study.space_id) for row in rows]


def fit_of(study: Study, space: EngineSpace | None = None, assumed: Mapping[str, Any] | None = None) -> Offer | None:
    """How many of the study's finished trials fit its space, or another one; None without a space.

    assumed: as `usable_assumptions` returns it; by default what the study's own version assumes.
    """
    if space is None:
        if study.space is None:
            return None
        space = EngineSpace.from_json(study.space.document)
    if assumed is None:
        assumed = study.space.assumed if study.space is not None else {}
    return offer_of(study, space, assumed)


def misfits_waiting(study: Study, space: EngineSpace, assumed: Mapping[str, Any]) -> tuple[list[int], set[str]]:
    """The numbers of the waiting trials that do not fit `space`, and the parameters that some of them lack."""
    numbers: list[int] = []
    lacking: set[str] = set()
    waiting = Trial.objects.filter(study=study, state=Trial.State.WAITING).order_by("number")
    for number, params in waiting.values_list("number", "params"):
        try:
            fitted(space, params, assumed)
        except Misfit as misfit:
            numbers.append(number)
            lacking.update(misfit.missing)
    return numbers, lacking
