"""Closing a study that has nothing left to do."""

from tuning.models import Study
from tuning.services.proposing import is_exhausted
from tuning.services.scheduling import Done, Start, next_action, settle, settle_paused
from tuning.services.transitions import finish_study

EXHAUSTED = "every configuration of the grid has been tried"


def end_of(study: Study) -> str | None:
    """Why a locked study will start no trial again, in words; None where it would."""
    action = next_action(study)
    if isinstance(action, Done):
        return action.reason
    return EXHAUSTED if isinstance(action, Start) and is_exhausted(study) else None


def close_if_done(study: Study) -> bool:
    """RUNNING -> FINISHED of a locked study where nothing runs and nothing will start again; whether it is so.

    Before that the scheduler promotes and cuts paused trials, as far as it can decide; those that are paused when the
    study ends are pruned.
    """
    if study.state != Study.State.RUNNING:
        return False
    settle(study)
    if study.n_waiting or study.n_running:
        return False
    reason = end_of(study)
    if reason is not None:
        settle_paused(study)
        finish_study(study, reason)
    return study.state == Study.State.FINISHED
