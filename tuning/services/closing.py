"""Closing a study that has nothing left to do."""

from tuning.models import Study
from tuning.services.proposing import is_exhausted
from tuning.services.scheduling import Done, Start, next_action
from tuning.services.transitions import finish_study

EXHAUSTED = "every configuration of the grid has been tried"


def close_if_done(study: Study) -> bool:
    """RUNNING -> FINISHED of a locked study where nothing is open and nothing will start again; whether it is so."""
    if study.state != Study.State.RUNNING or study.n_open > 0:
        return False
    action = next_action(study)
    if isinstance(action, Done):
        finish_study(study, action.reason)
    elif isinstance(action, Start) and is_exhausted(study):
        finish_study(study, EXHAUSTED)
    return study.state == Study.State.FINISHED
