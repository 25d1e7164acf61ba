"""A study whose trials fail one after the other is paused, before it spends its budget on the same error.

In a study that time alone limits, a workload with a mistake in it would else make failed trials without end, several a
second. Ten in a row, with no trial between them that came to a rung or to its end: an error that only some
configurations meet (too large a batch) is left to the sampler, which learns to keep away from it. Vertex AI and
KerasTuner stop at such a number too, Determined and Ray Tune go on.
"""

from tuning.models import Study, Trial
from tuning.services.lifecycle import pause_study
from tuning.services.transitions import ERRORS

State = Trial.State
IN_A_ROW = 10
WHOLE = 200  # characters of an error that stand in the study's reason


def pause_if_failing(study: Study) -> bool:
    """RUNNING -> PAUSED of a locked study in which IN_A_ROW trials have failed in a row; whether it is so."""
    if study.state != Study.State.RUNNING or study.failed_in_a_row < IN_A_ROW:
        return False
    last = Trial.objects.filter(study=study, state=State.FAILED, reason_code__in=ERRORS).order_by("-finish_seq").first()
    pause_study(study_id=study.pk, actor=None, reason=_words(study, last))
    study.refresh_from_db()
    return True


def _words(study: Study, last: Trial | None) -> str:
    error = "" if last is None else f", the last one, trial {last.number}, with: {_first_line(last.reason)}"
    whose = "the workload" if study.workload else "the script"
    return (
        f"{study.failed_in_a_row} trials in a row have failed{error}. Look at a failed trial's error and log, correct "
        f"{whose}, or take out of the search space what it cannot run, then resume the study"
    )


def _first_line(reason: str) -> str:
    lines = reason.strip().splitlines() or ["no reason given"]
    return lines[0][:WHOLE].rstrip(".")
