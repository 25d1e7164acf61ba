"""Another version of a study's search space while it runs.

Trials so far that fit the new version keep counting for the sampler (services.history carries them over), the others
stay in the tables and charts. What waits and no longer fits is cancelled; what runs goes on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from tuning.engine import SearchSpace as EngineSpace
from tuning.engine.transfer import Misfit, fitted, usable_assumptions
from tuning.models import SearchSpace, Study, Trial
from tuning.models.fields import storable
from tuning.selectors.budget import has_limit
from tuning.services import hints
from tuning.services.audit import record
from tuning.services.closing import close_if_done
from tuning.services.errors import Conflict
from tuning.services.methods import check_space
from tuning.services.paired import refuse_paired
from tuning.services.permissions import study_for_change
from tuning.services.problems import Problems
from tuning.services.spaces import add_space_version, parse_space
from tuning.services.transitions import count_change, move_trial

State = Study.State
LONGEST_REASON = 500


@dataclass(frozen=True)
class RangeChange:
    """The version that now holds, and the numbers of the waiting trials that were cancelled for it."""

    version: SearchSpace
    cancelled: tuple[int, ...]


@transaction.atomic
def change_ranges(
    *,
    study_id: int,
    actor: AbstractBaseUser,
    space: Any,
    assumed: Mapping[str, Any] | None = None,
    reason: str = "",
) -> RangeChange:
    """Make `space` the study's next version; the space that it has already changes nothing.

    assumed: what earlier trials ran with of parameters that only the new version has; what was assumed for earlier
    versions stands where it is not given anew. Raises Invalid, Forbidden, NotFound, Conflict.
    """
    study = study_for_change(study_id, actor)
    refuse_paired(study)
    if study.state not in (State.READY, State.RUNNING, State.PAUSED, State.FINISHED):
        raise Conflict(f"The study is {study.state.lower()}, so its space stands; clone it with the ranges you want.")
    if study.space is None:
        raise Conflict("This study's parameters are suggested while its objective runs: change their ranges there.")
    new = parse_space(space)
    problems = Problems()
    check_space(problems, study.sampler, study.sampler_options, new, study.budget_total, ends=has_limit(study))
    given, issues = usable_assumptions(new, assumed or {})
    for issue in issues:
        problems.add(f"assumed.{issue.parameter}", f"{issue.message}.")
    words = storable(reason).strip()
    if len(words) > LONGEST_REASON:
        problems.add("reason", f"Use at most {LONGEST_REASON} characters.")
    problems.raise_if_any()
    kept, _no_longer = usable_assumptions(new, study.space.assumed)
    assumptions = {**kept, **given}
    old = study.space
    if new.digest() == old.digest and assumptions == old.assumed:
        return RangeChange(old, ())
    version = add_space_version(study, new, actor, words, assumptions)
    count_change(study, {}, historical=True)
    cancelled = _cancel_misfits(study, new, assumptions, version.number)
    record(
        actor=actor,
        verb="changed the ranges of",
        kind="study",
        object_id=study.pk,
        name=study.name,
        before={"version": old.number},
        after={"version": version.number, **({"reason": words} if words else {}), **_cancelled_words(cancelled)},
    )
    close_if_done(study)
    hints.announce()
    return RangeChange(version, cancelled)


def _cancelled_words(cancelled: tuple[int, ...]) -> dict[str, Any]:
    return {"cancelled trials": len(cancelled)} if cancelled else {}


def _cancel_misfits(study: Study, space: EngineSpace, assumed: Mapping[str, Any], version: int) -> tuple[int, ...]:
    """Waiting trials that do not fit `space` end as FAILED (cancelled); the others run as they were proposed."""
    cancelled = []
    waiting = Trial.objects.filter(study=study, state=Trial.State.WAITING).order_by("number")
    for trial_id, number, params in list(waiting.values_list("pk", "number", "params")):
        try:
            fitted(space, params, assumed)
        except Misfit as misfit:
            move_trial(
                study,
                trial_id,
                Trial.State.WAITING,
                Trial.State.FAILED,
                reason_code=Trial.Reason.CANCELLED,
                reason=f"The ranges were changed (version {version}) and it does not fit: {misfit}.",
            )
            cancelled.append(number)
    return tuple(cancelled)
