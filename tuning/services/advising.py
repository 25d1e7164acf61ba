"""What the budget advisor says of a study that is not created yet: from the space, what may be spent, and what is known
of the workload: the seconds of an epoch by its checks, and whether its trials rank early as at their end."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AbstractBaseUser

from tuning.engine import Direction, SearchSpace
from tuning.engine.agreement import Agreement, agreements
from tuning.engine.errors import BudgetError
from tuning.engine.purse import Budget
from tuning.engine.recommendation import Recommendation, recommend
from tuning.engine.speed import Speed
from tuning.models import Study, Trial
from tuning.selectors.curves import study_curves
from tuning.selectors.preflights import seconds_per_epoch
from tuning.selectors.studies import visible_studies
from tuning.services.errors import Invalid
from tuning.services.spaces import parse_space

__all__ = ["Budget", "EarlyOrder", "advice_for", "early_order", "speed_of"]

FEWEST_TRIALS = 4  # that ran to their ends, for an order to be compared
MOST_TRIALS = 60  # whose curves are compared
LOOKS = 5  # early steps at which they are


@dataclass(frozen=True)
class EarlyOrder:
    """How far the order of a study's trials at early steps is that at their end."""

    study: Study
    n_trials: int
    agreements: list[Agreement]


def advice_for(
    space: Mapping[str, Any],
    budget: Budget,
    *,
    workload: Mapping[str, Any] | None,
    max_resource: int | None,
    slots: int,
    early: EarlyOrder | None = None,
) -> Recommendation:
    """How to spend the budget. Raises Invalid where it is none or pays for nothing, and for the space."""
    engine_space = parse_space(space)
    speed = speed_of(workload, engine_space)
    found = early.agreements if early is not None else []
    try:
        return recommend(engine_space, budget, max_resource=max_resource, speed=speed, slots=slots, agreements=found)
    except BudgetError as error:
        raise Invalid({"budget": [str(error)]}) from error


def speed_of(workload: Mapping[str, Any] | None, space: SearchSpace) -> Speed | None:
    """Of an epoch, as the checks have measured it; None where they have not."""
    if workload is None:
        return None
    seconds = seconds_per_epoch(str(workload["name"]), str(workload.get("digest", "")))
    return Speed.of_middle([seconds], space) if seconds else None


def early_order(person: AbstractBaseUser, workload: str, max_resource: int | None) -> EarlyOrder | None:
    """Of the newest study of the workload whose trials all run to so many steps, and FEWEST_TRIALS of which have.

    A pilot (services.pilots) is made to be that study.
    """
    if not workload or not max_resource:
        return None
    rows = visible_studies(person).filter(workload=workload, scheduler="none", max_resource=max_resource)
    rows = rows.exclude(kind=Study.PAIRED)  # two configurations have no order
    study = rows.filter(n_complete__gte=FEWEST_TRIALS).order_by("-pk").first()
    if study is None:
        return None
    curves = _losses(study)
    looks = sorted({max(1, max_resource // 3**power) for power in range(1, LOOKS + 1)})
    return EarlyOrder(study, len(curves), agreements(curves, looks))


def _losses(study: Study) -> list[dict[int, float]]:
    """The metric of complete trials by step, turned so that smaller is better."""
    complete = Trial.objects.filter(study=study, state=Trial.State.COMPLETE, excluded_at=None).order_by("number")
    ids = list(complete.values_list("pk", flat=True)[:MOST_TRIALS])
    sign = Direction.of(study.direction).sign
    found = []
    for curves in study_curves(study, ids, [study.metric]).values():
        curve = curves[study.metric]
        found.append({step: sign * value for step, value in zip(curve.steps, curve.values, strict=True)})
    return found
