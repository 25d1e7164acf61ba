"""More trials for a study: its limits are raised, and one that has finished runs again."""

from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from tuning.models import Study
from tuning.selectors.budget import LIMITS
from tuning.services import hints
from tuning.services.audit import record
from tuning.services.closing import EXHAUSTED, close_if_done, end_of
from tuning.services.errors import Conflict, Invalid
from tuning.services.paired import refuse_paired
from tuning.services.permissions import study_for_change
from tuning.services.problems import Problems
from tuning.services.studies import MAX_PARALLEL, check_new_limits
from tuning.services.transitions import count_change, reopen_study

State = Study.State


@transaction.atomic
def extend_study(*, study_id: int, actor: AbstractBaseUser, parallel: int | None = None, **limits: int | None) -> Study:
    """Set limits of the study (n_trials, LIMITS) and how many run at once; a FINISHED one that may go on runs again.

    None leaves a limit as it is.

    The same again changes nothing. Raises Invalid (with the remedy where fewer are asked for than there are),
    Forbidden, NotFound, Conflict.
    """
    study = study_for_change(study_id, actor)
    refuse_paired(study)
    if study.state not in (State.READY, State.RUNNING, State.PAUSED, State.FINISHED):
        raise Conflict(f"The study is {study.state.lower()} for good; clone it to go on with the same settings.")
    problems = Problems()
    columns: dict[str, Any] = {}
    if unknown := limits.keys() - {"n_trials", *LIMITS}:
        raise TypeError(f"a study has no limit named {', '.join(sorted(unknown))}")
    wanted = {name: limit for name, limit in limits.items() if limit is not None}
    if not wanted and parallel is None:
        problems.add("n_trials", "Say how many trials the study is to have in all, or raise another limit.")
    columns |= {("budget_total" if name == "n_trials" else name): limit for name, limit in wanted.items()}
    check_new_limits(problems, study, wanted)
    if parallel is not None:
        columns["parallel"] = parallel
        problems.whole("parallel", parallel, 1, MAX_PARALLEL)
    problems.raise_if_any()
    columns = {name: value for name, value in columns.items() if getattr(study, name) != value}
    before: dict[str, Any] = {name: getattr(study, name) for name in columns}
    if columns:
        count_change(study, {}, historical=False, **columns)
    after = dict(columns)
    if study.state == State.FINISHED:
        ended = end_of(study)
        if ended is None:
            before["state"], after["state"] = study.state, State.RUNNING
            reopen_study(study)
        elif ended == EXHAUSTED and "budget_total" in columns:
            raise Invalid({"n_trials": [f"Nothing would run: {EXHAUSTED}. Change the ranges first."]})
    if after:
        record(
            actor=actor, verb="extended", kind="study", object_id=study.pk, name=study.name, before=before, after=after
        )
        close_if_done(study)
        hints.announce()
        study.refresh_from_db()
    return study
