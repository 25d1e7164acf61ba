"""Closing a study that has nothing left to do."""

from tuning.models import Study
from tuning.services.proposing import is_exhausted
from tuning.services.scheduling import Done, Start, next_action
from tuning.services.transitions import finish_study

EXHAUSTED = "every configuration of the grid has been tried"


def end_of(study: Study) -> str | None:
    """Why a locked study will start no trial again, in words; None where it would."""
    action = next_action(study)
    if isinstance(action, Done):
        return action.reason
    return EXHAUSTED if isinstance(action, Start) and is_exhausted(study) else None


def close_if_done(study: Study) -> bool:
    """RUNNING -> FINISHED of a locked study where nothing is open and nothing will start again; whether it is so."""
    if study.state != Study.State.RUNNING or study.n_open > 0:
        return False
    reason = end_of(study)
    if reason is not None:
        finish_study(study, reason)
    return study.state == Study.State.FINISHED
