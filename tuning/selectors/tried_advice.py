"""The advice after a trial's verdict as pages and scripts show it: what trying it costs, what its pairs have shown, how
often it has helped here, and the study that would search where it points."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuning.analysis.diagnosis import Advice, Comparison, Verdict
from tuning.analysis.diagnosis.reach import followed_up
from tuning.models import AdviceTest, Study, Trial
from tuning.selectors.advice_tests import (
    STOP,
    Cost,
    Record,
    comparison_of,
    cost_of,
    newest_tests,
    records,
)
from tuning.selectors.curves import Curve
from tuning.selectors.diagnostics import reach_of


@dataclass(frozen=True)
class OwnCurve:
    """What the trial's own curve says of an early stop: the value at the step, at the last, and how much better that
    is. The step was chosen by the same curve: the difference cannot be below 0, and one curve has no interval."""

    early: float
    last: float
    difference: float


@dataclass(frozen=True)
class AdviceRow:
    """One advice.

    Attributes:
        untested: why it cannot be tried, in a sentence; empty where it can.
        cost: of trying it; None where it cannot be.
        test, comparison: the newest test of it on this trial, and what that says.
        record: of the advice after this verdict, on the whole installation.
        follow_up: what a study that searches where the advice points has else than this one, as create_study takes it;
            empty where nothing would be different.
        own: of an early stop.
    """

    advice: Advice
    untested: str
    cost: Cost | None
    test: AdviceTest | None
    comparison: Comparison | None
    record: Record
    follow_up: Mapping[str, Any]
    own: OwnCurve | None

    @property
    def is_open(self) -> bool:
        return self.test is not None and self.test.ended is None

    @property
    def says(self) -> str:
        """What the pairs have shown, in a sentence; empty without a test."""
        return "" if self.test is None or self.comparison is None else result_words(self.test, self.comparison)

    @property
    def record_says(self) -> str:
        return record_words(self.record)


def advice_rows(trial: Trial, verdict: Verdict, curves: Mapping[str, Curve]) -> list[AdviceRow]:
    """A row for each advice of the verdict, in its order."""
    tests = {test.action: test for test in newest_tests(trial)}
    known, closed = records().by_both, _closed(trial)
    rows = []
    for advice in verdict.advice:
        test = tests.get(advice.action)
        untested = advice.untested or closed
        rows.append(
            AdviceRow(
                advice,
                untested,
                None if untested else cost_of(trial, advice),
                test,
                comparison_of(test) if test is not None else None,
                known.get((verdict.rule, advice.action), Record()),
                follow_up_of(trial, advice),
                _own_curve(trial, advice, curves) if advice.action == STOP else None,
            )
        )
    return rows


def follow_up_of(trial: Trial, advice: Advice) -> dict[str, Any]:
    """The settings of a study that searches where the advice points: its space, its longest training; empty where the
    study's ranges have room around the advised values already."""
    study, settings = trial.study, dict[str, Any]()
    values = advice.change or advice.beyond
    if values and study.space is not None:
        reach = reach_of(study, study.space.document)
        space = followed_up(study.space.document, reach, trial.params, values)
        if space != study.space.document:
            settings["space"] = space
    if advice.resource is not None and study.max_resource and advice.resource > study.max_resource:
        settings["max_resource"] = advice.resource
    return settings


def _closed(trial: Trial) -> str:
    """Why no advice on this trial can be tried; empty where it can."""
    if trial.study.kind == Study.PAIRED:
        return "This is itself a run of an advice."
    if not trial.study.workload:
        return "The trials of this study run in a script's own process, which hpweb cannot start."
    return "It can be tried once the trial has ended." if trial.is_open else ""


def _own_curve(trial: Trial, advice: Advice, curves: Mapping[str, Curve]) -> OwnCurve | None:
    curve = curves.get(trial.study.metric)
    known = dict(zip(curve.steps, curve.values, strict=True)) if curve is not None else {}
    if advice.resource not in known:
        return None
    early, last = known[advice.resource], known[max(known)]
    better = last - early if trial.study.direction == "minimize" else early - last
    return OwnCurve(early, last, better) if math.isfinite(better) else None


def record_words(record: Record) -> str:
    """ "tried 7 times here, helped 5"; empty where nobody has tried."""
    if not record.tried:
        return ""
    times = "once" if record.tried == 1 else f"{record.tried:,} times"
    worse = f", made it worse {record.worse:,}" if record.worse else ""
    return f"tried {times} here, helped {record.helped:,}{worse}"


def result_words(test: AdviceTest, found: Comparison) -> str:
    """What the pairs have shown so far, or at their end."""
    if test.ended is None and found.n < test.pairs:
        started = f"{found.n} of {test.pairs} pairs are done"
        return f"{started}: {_difference(found)}." if found.n else f"{started}."
    if not found.n:
        return "No pair has run to its end."
    verdict = {"helped": "It helped", "worse": "It made it worse", "undecided": "Undecided"}[found.outcome]
    contains = " The interval contains 0." if found.outcome == "undecided" and found.low is not None else ""
    return f"{verdict}: {_difference(found)}, over {found.n} seed{'s' if found.n != 1 else ''}.{contains}"


def _difference(found: Comparison) -> str:
    if found.mean is None:
        return f"better with it on {found.better} of {found.n}, where one side alone diverged"
    way = "better" if found.mean >= 0 else "worse"
    mean = f"{way} by {abs(found.mean):.3g} on average" if found.mean else "no difference on average"
    if found.low is None or found.high is None:
        return mean
    low, high = sorted((found.low, found.high)) if found.mean >= 0 else sorted((-found.low, -found.high))
    return f"{mean} (95 %: {low:.3g} to {high:.3g})"
