"""Looking, while a study runs, at what another hour of it promises; and its end where that is not worth it.

Supervisors look, one study at a time, outside any lock: a model may need a second. What is stored is what the page and
scripts read, so none of them waits for a model, and all see the same statement. A look takes its turn by a conditional
update, so that of several supervisors one looks.
"""

import logging
from typing import Any

from django.db import DatabaseError, transaction
from django.db.models.functions import Now

from tuning.analysis.worth import APART, Stand, Worth, reason, worth_going_on
from tuning.models import Study, WorthLook
from tuning.selectors.worth import complete_values, due_for_a_look, is_of, seconds_per_trial
from tuning.services.budget import cut_short
from tuning.services.errors import NotFound
from tuning.services.surrogates import study_model
from tuning.services.transitions import count_change, lock_study

logger = logging.getLogger(__name__)


def look_at_next() -> bool:
    """Look at the running study that has waited longest for it; False where none is due."""
    study = due_for_a_look()
    if study is None or not _take_turn(study):
        return False
    try:
        said = next_hour(study)
    except DatabaseError:
        raise
    except Exception as error:  # one study's model must not take the supervisor away from all others
        logger.exception("another hour of study %s could not be judged", study.pk)
        said = Worth(study.n_complete, problem=f"It could not be judged: {type(error).__name__}: {error}.")
    try:
        store_look(study_id=study.pk, seen=study, said=said)
    except NotFound:
        return False  # it was deleted meanwhile
    return True


def next_hour(study: Study) -> Worth:
    """What the study's next hour of device time promises. Changes nothing."""
    model, seconds = study_model(study), seconds_per_trial(study)
    if model.history is None:
        pairs = complete_values(study)
        return worth_going_on(pairs, direction=study.direction, seconds_per_trial=seconds, seed=study.seed)
    return worth_going_on(
        model.history,
        seconds_per_trial=seconds,
        surrogate=model.surrogate,
        validation=model.validation,
        seed=study.seed,
    )


@transaction.atomic
def store_look(*, study_id: int, seen: Study, said: Worth) -> None:
    """Store what a look at the study, as it was `seen`, has said; a study that ends for it, ends.

    Nothing is stored where the study runs no more, or where its ranges or its past have changed since. Raises NotFound.
    """
    study = lock_study(study_id)
    row = WorthLook.objects.filter(study=study).first()
    if study.state != Study.State.RUNNING or row is None or not is_of(row, study) or not is_of(row, seen):
        return
    stand = Stand(row.not_worth, row.contrary).after(said.not_worth)
    ends = study.stop_when_not_worth and stand.not_worth and said.not_worth
    if ends:
        stand = Stand()  # whoever extends the study has two looks at it before it ends again
    row.document, row.not_worth, row.contrary = said.to_json(), stand.not_worth, stand.contrary
    row.save(update_fields=["document", "not_worth", "contrary", "looked"])
    count_change(study, {}, historical=0)
    if ends:
        brief = "another hour is not worth it"
        cut_short(study, f"{brief}: {reason(said)}", brief)


def _take_turn(study: Study) -> bool:
    """Whether this look at the study is ours. Looks at other ranges, or at another past, are forgotten."""
    row, created = WorthLook.objects.get_or_create(study_id=study.pk, defaults=_start(study))
    if created:
        return True
    if is_of(row, study) and study.n_complete < row.complete + APART:
        return False  # another supervisor was quicker
    same = {"complete": row.complete, "space_id": row.space_id, "history_epoch": row.history_epoch}
    changes = {"complete": study.n_complete} if is_of(row, study) else _start(study)
    return WorthLook.objects.filter(pk=row.pk, **same).update(looked=Now(), **changes) == 1


def _start(study: Study) -> dict[str, Any]:
    fresh = {"document": None, "not_worth": False, "contrary": 0}
    return {**fresh, "complete": study.n_complete, "space_id": study.space_id, "history_epoch": study.history_epoch}
