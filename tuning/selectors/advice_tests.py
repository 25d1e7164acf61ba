"""Reading advice that was put to the test: each pair, what they say so far, and how often which advice has helped."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Max, Q

from tuning.analysis.diagnosis import Advice, Comparison, compared, difference
from tuning.models import AdviceTest, Study, Trial
from tuning.selectors.curves import study_curves

PAIRS = 5  # where nobody asks for another number
STOP = "early_stop"
Outcome = AdviceTest.Outcome


@dataclass(frozen=True)
class Cost:
    """What trying an advice takes: runs, and the seconds of all of them on one slot; None where nobody knows."""

    runs: int
    seconds: float | None


@dataclass(frozen=True)
class Record:
    """How often advice was tried on this installation, and what came of it."""

    tried: int = 0
    helped: int = 0
    worse: int = 0

    @property
    def undecided(self) -> int:
        return self.tried - self.helped - self.worse


@dataclass(frozen=True)
class Records:
    """The records of verdicts, of actions, and of each action after each verdict."""

    by_rule: dict[str, Record]
    by_action: dict[str, Record]
    by_both: dict[tuple[str, str], Record]


def steps_of(trial: Trial) -> int | None:
    """How far the runs go that repeat a trial: as far as it came, or would have come had it not diverged."""
    if trial.state == Trial.State.FAILED:
        return trial.study.max_resource or trial.resource
    return trial.resource_done or trial.resource


def cost_of(trial: Trial, advice: Advice, pairs: int = PAIRS) -> Cost:
    """What trying the advice takes, by the trial's own time a step."""
    steps = steps_of(trial)
    if advice.action == STOP:
        runs, all_steps = pairs, pairs * (steps or 0)
    else:
        runs, all_steps = 2 * pairs, pairs * ((steps or 0) + (advice.resource or steps or 0))
    if not trial.run_seconds or not trial.resource_done or not steps:
        return Cost(runs, None)
    return Cost(runs, all_steps * trial.run_seconds / trial.resource_done)


def horizon_of(trial: Trial) -> int | None:
    """The longest training that a schedule stretches over: the study's, of a paired run that of the trial which it
    repeats, or its own where the advice is to go beyond."""
    study = trial.study
    if study.kind != Study.PAIRED:
        return study.max_resource
    horizon = AdviceTest.objects.filter(study=study).values_list("horizon", flat=True).first()
    ends = [end for end in (horizon, trial.resource) if end is not None]
    return max(ends) if ends else None


def comparison_of(test: AdviceTest) -> Comparison:
    """What the pairs say: as it was stored at the end, until then of those that have ended."""
    if test.ended is not None or test.study is None:
        mean, low, high = test.mean, test.low, test.high
        return Comparison(tuple(test.differences), mean, low, high, test.outcome or Outcome.UNDECIDED)
    return compared(_stopped(test, test.study) if test.stops else _paired(test, test.study))


def _paired(test: AdviceTest, study: Study) -> list[float | None]:
    """Trials 2 i and 2 i + 1 of the study share a seed; the second is with the change."""
    rows = {trial.number: trial for trial in _ended(study)}
    sides = [(rows.get(2 * pair), rows.get(2 * pair + 1)) for pair in range(test.pairs)]
    return [
        difference(without.value, with_it.value, study.direction) if without and with_it else None
        for without, with_it in sides
    ]


def _stopped(test: AdviceTest, study: Study) -> list[float | None]:
    """The value at the step of the advice beside that at the last, of each run; None where one is missing."""
    complete = {trial.number: trial.pk for trial in _ended(study) if trial.state == Trial.State.COMPLETE}
    curves = study_curves(study, list(complete.values()), [study.metric])
    found: list[float | None] = []
    for pair in range(test.pairs):
        curve = curves.get(complete.get(pair, -1), {}).get(study.metric)
        known = dict(zip(curve.steps, curve.values, strict=True)) if curve is not None else {}
        early = known.get(test.resource or 0)
        found.append(difference(known[max(known)], early, study.direction) if early is not None else None)
    return found


def _ended(study: Study) -> Iterable[Trial]:
    """The runs that have a value, and those that diverged and have none."""
    counts = Q(state=Trial.State.COMPLETE, value__isnull=False)
    counts |= Q(state=Trial.State.FAILED, reason_code=Trial.Reason.DIVERGED)
    rows = Trial.objects.filter(counts, study=study, excluded_at__isnull=True)
    return rows.only("number", "state", "value")


def newest_tests(trial: Trial) -> list[AdviceTest]:
    """The newest test of each advice that was tried on the trial."""
    newest: dict[str, AdviceTest] = {}
    for test in AdviceTest.objects.filter(trial=trial).select_related("study").order_by("pk"):
        newest[test.action] = test
    return list(newest.values())


def paired_for(study: Study) -> AdviceTest | None:
    """The test that a study of paired runs is for; None for another study, and where its trial is gone."""
    if study.kind != Study.PAIRED:
        return None
    return AdviceTest.objects.select_related("trial__study").filter(study=study, trial__isnull=False).first()


def mark_of_tests(tests: Sequence[AdviceTest]) -> list[Any]:
    """Changes with anything that is shown of these tests."""
    return [(test.pk, test.outcome, test.study.version if test.study and not test.ended else 0) for test in tests]


def records() -> Records:
    """Over all advice whose runs have ended here, with at least one pair that tells."""
    rows = AdviceTest.objects.filter(ended__isnull=False, counted__gt=0).values("rule", "action")
    helped, worse = Q(outcome=Outcome.HELPED), Q(outcome=Outcome.WORSE)
    counts = rows.annotate(tried=Count("pk"), good=Count("pk", filter=helped), bad=Count("pk", filter=worse))
    found = Records({}, {}, {})
    for row in counts.order_by("rule", "action"):
        one = Record(row["tried"], row["good"], row["bad"])
        found.by_both[row["rule"], row["action"]] = one
        _add(found.by_rule, row["rule"], one)
        _add(found.by_action, row["action"], one)
    return found


def _add(table: dict[str, Record], key: str, one: Record) -> None:
    old = table.get(key, Record())
    table[key] = Record(old.tried + one.tried, old.helped + one.helped, old.worse + one.worse)


def records_mark() -> Any:
    """Changes whenever a test ends."""
    return AdviceTest.objects.filter(ended__isnull=False).aggregate(n=Count("pk"), last=Max("ended"))
