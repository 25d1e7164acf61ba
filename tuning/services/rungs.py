"""The books of a scheduler's rungs: cohorts, counts, entries. They follow every move of a trial (services.transitions).

Callers hold the study's lock. Nothing here decides anything, and no trial's state changes.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import F, Subquery

from tuning.engine import Direction
from tuning.engine.schedulers.base import Start
from tuning.models import Cohort, Rung, RungEntry, Study, Trial
from tuning.selectors.schedulers import has_rungs
from tuning.services import rung_marks

State = Trial.State
Entry = RungEntry.State
BUSY = (State.WAITING, State.RUNNING)
AT_ONCE = 1_000  # rows of one statement


@dataclass(frozen=True)
class Member:
    """A trial's place: its cohort (primary key), and the rung that it runs to or stands at."""

    trial_id: int
    number: int
    cohort_id: int
    rung: int


def member_of(study: Study, trial_id: int) -> Member | None:
    """The trial's place; None where it competes with nobody."""
    if not has_rungs(study):
        return None
    row = Trial.objects.filter(pk=trial_id).values_list("number", "cohort_id", "rung").first()
    if row is None or row[1] is None or row[2] is None:
        return None
    return Member(trial_id, row[0], row[1], row[2])


def columns_for(study: Study, start: Start) -> dict[str, Any]:
    """The columns of a new trial that begins as `start` says; its cohort is opened where it is the first of it."""
    if start.cohort is None:
        return {"bracket": start.bracket}
    cohort, _opened = Cohort.objects.get_or_create(
        study=study, number=start.cohort, defaults={"bracket": start.bracket or 0, "planned": start.planned or 1}
    )
    Cohort.objects.filter(pk=cohort.pk).update(started=F("started") + 1, n_open=F("n_open") + 1)
    _count(cohort.pk, 0, busy=+1)
    return {"bracket": cohort.bracket, "cohort": cohort, "rung": 0}


def follow(member: Member, old: str, new: str, *, stays: bool = True) -> None:
    """The trial has moved from state `old` to `new`; `member` is its place before that. A promotion leads one up.

    `stays` False: it has ended before its first step, and its cohort has a place for another.
    """
    if old in BUSY and new not in BUSY:
        _count(member.cohort_id, member.rung, busy=-1)
    elif new in BUSY and old not in BUSY:
        _count(member.cohort_id, member.rung + 1, busy=+1)
    if new in Trial.TERMINAL and old not in Trial.TERMINAL:
        Cohort.objects.filter(pk=member.cohort_id).update(n_open=F("n_open") - 1)
    if not stays:
        Cohort.objects.filter(pk=member.cohort_id).update(started=F("started") - 1)
    elif old == State.PAUSED and new == State.WAITING:
        _enter(member, Entry.PROMOTED)
    elif new == State.FAILED:
        _fail(member)
    elif new in (State.PRUNED, State.COMPLETE):
        entry = RungEntry.objects.filter(trial_id=member.trial_id, rung=member.rung).first()
        if entry is None:
            _fail(member)
        elif new == State.PRUNED and entry.state == Entry.REACHED:
            _enter(member, Entry.CUT)
        if new == State.COMPLETE:
            _complete(member)


def leave(members: Sequence[Member], new: str) -> None:
    """These PAUSED members have moved to `new`, all together: WAITING, promoted, or PRUNED."""
    state = Entry.PROMOTED if new == State.WAITING else Entry.CUT
    groups: dict[tuple[int, int], list[Member]] = defaultdict(list)
    for member in members:
        groups[member.cohort_id, member.rung].append(member)
    for (cohort_id, rung), group in groups.items():
        _leave(cohort_id, rung, [member.trial_id for member in group], state)
        if new == State.WAITING:
            _count(cohort_id, rung + 1, busy=len(group))
        else:
            Cohort.objects.filter(pk=cohort_id).update(n_open=F("n_open") - len(group))


def _leave(cohort_id: int, rung: int, trials: Sequence[int], state: str) -> None:
    """The entries of trials that waited at a rung for a decision are in `state` now."""
    waiting = RungEntry.objects.filter(cohort_id=cohort_id, rung=rung, state=Entry.REACHED)
    n = sum(
        waiting.filter(trial_id__in=trials[start : start + AT_ONCE]).update(state=state)
        for start in range(0, len(trials), AT_ONCE)
    )
    _count(cohort_id, rung, None, reached=-n, **{state: n})


def arrive(study: Study, member: Member, step: int, value: float) -> None:
    """The trial has come to its rung, which is at `step`, with this finite value of the metric.

    The same again changes nothing.
    """
    loss = Direction.of(study.direction).sign * value
    _entry, new = RungEntry.objects.get_or_create(
        trial_id=member.trial_id,
        rung=member.rung,
        defaults={
            "cohort_id": member.cohort_id,
            "number": member.number,
            "step": step,
            "loss": loss,
            "state": Entry.REACHED,
        },
    )
    if new:
        _count(member.cohort_id, member.rung, rung_marks.joined(rung_marks.ALL, loss, member.number), reached=+1)


def cut(member: Member) -> None:
    """The trial is to end at this rung; it runs until its process has heard of it."""
    _enter(member, Entry.CUT)


def climb(member: Member, rung: int) -> None:
    """A running trial goes on to a higher rung without a pause."""
    _enter(member, Entry.PROMOTED)
    _count(member.cohort_id, member.rung, busy=-1)
    _count(member.cohort_id, rung, busy=+1)


def _enter(member: Member, state: str) -> None:
    """Another state of the trial's entry at its rung, where it has one."""
    _change(RungEntry.objects.filter(trial_id=member.trial_id, rung=member.rung).first(), state)


def _change(entry: RungEntry | None, state: str, **columns: Any) -> None:
    if entry is None or entry.state == state:
        return
    RungEntry.objects.filter(pk=entry.pk).update(state=state, **columns)
    mark: dict[str, Any] = {}
    if state == Entry.FAILED and entry.loss is not None:
        mark = rung_marks.LOST
    elif state == Entry.COMPLETE and entry.loss is not None:
        mark = rung_marks.joined(rung_marks.COMPLETE, entry.loss, entry.number)
    _count(entry.cohort_id, entry.rung, mark, **{entry.state: -1, state: +1})


def _fail(member: Member) -> None:
    entry, new = RungEntry.objects.get_or_create(
        trial_id=member.trial_id,
        rung=member.rung,
        defaults={"cohort_id": member.cohort_id, "number": member.number, "state": Entry.FAILED},
    )
    if new:
        _count(member.cohort_id, member.rung, failed=+1)
    else:
        _change(entry, Entry.FAILED, loss=None)


def _complete(member: Member) -> None:
    for entry in RungEntry.objects.filter(trial_id=member.trial_id, loss__isnull=False):
        _change(entry, Entry.COMPLETE)


def _count(cohort_id: int, rung: int, mark: dict[str, Any] | None = None, **changes: int) -> None:
    """Add to the counts of a rung; where somebody came to wait there, or waits no more, also note the best who does.

    mark: what becomes of the rung's mark by this.
    """
    columns: dict[str, Any] = {name: F(name) + change for name, change in changes.items()} | (mark or {})
    best: dict[str, Any] = {}
    if "reached" in changes:
        waiting = RungEntry.objects.filter(cohort_id=cohort_id, rung=rung, state=Entry.REACHED)
        first = waiting.filter(loss__isnull=False).order_by("loss", "number")
        best = {"best_number": Subquery(first.values("number")[:1]), "best_loss": Subquery(first.values("loss")[:1])}
    if not Rung.objects.filter(cohort_id=cohort_id, number=rung).update(**columns, **best):
        Rung.objects.create(cohort_id=cohort_id, number=rung, **changes, **best)
