"""What each trial of a study was after: exploring, exploiting, starting up; and whether it improved the best."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tuning.engine.intents import Intent, intent_of
from tuning.models import Study, Trial
from tuning.selectors.history import evenly

MOST = 2000


@dataclass(frozen=True)
class IntentMark:
    """One trial: its intent's name, its state, and whether it was the best when it ended."""

    number: int
    intent: str
    state: str
    improved: bool


@dataclass(frozen=True)
class StudyIntents:
    """The trials by number, at most MOST of them, and counts over all: of trials and of improvements by intent."""

    marks: Sequence[IntentMark]
    counts: Mapping[str, int]
    improved: Mapping[str, int]


def study_intents(study: Study) -> StudyIntents:
    """The intents of all trials that count, in one query. Those that improved the best are always among the marks."""
    rows = (
        Trial.objects.filter(study=study, excluded_at__isnull=True)
        .order_by("number")
        .values_list("number", "why", "origin", "state", "value", "finish_seq")
    )
    found = [
        (number, intent_of(why, origin), state, value, finished) for number, why, origin, state, value, finished in rows
    ]
    records = _records(found, 1.0 if study.direction == "minimize" else -1.0)
    marks = [IntentMark(number, str(intent), state, number in records) for number, intent, state, _, _ in found]
    shown: Sequence[IntentMark] = marks
    if len(marks) > MOST:
        keep = set(evenly([i for i, mark in enumerate(marks) if mark.improved], MOST // 2))
        keep.update(evenly(range(len(marks)), MOST - len(keep)))
        shown = [marks[i] for i in sorted(keep)]
    return StudyIntents(
        shown,
        Counter(mark.intent for mark in marks),
        Counter(mark.intent for mark in marks if mark.improved),
    )


def _records(found: Sequence[tuple[int, Intent, str, float | None, int | None]], sign: float) -> set[int]:
    """The numbers of the complete trials that were the best when they ended, the first one not among them."""
    ended = sorted(
        (finished, number, sign * value)
        for number, _, state, value, finished in found
        if state == Trial.State.COMPLETE and value is not None and finished is not None
    )
    records, best = set(), float("inf")
    for place, (_, number, loss) in enumerate(ended):
        if loss < best:
            best = loss
            if place:
                records.add(number)
    return records
