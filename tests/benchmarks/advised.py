"""`manage.py bench advised`: does the first advice after a verdict make validation better?

Trainings that underfit or overfit by intervention (advised_cases.py) are trained once and diagnosed as a trial's page
does it. The first advice that is a change of the configuration is then tried as one click tries it: with and without
it on the same five fresh seeds. A case counts where its verdict is underfit, overfit, or overfit and turning. Compared
is the validation loss at the best epoch, of "early_stop" that at the advised epoch against that at the last: the
checkpoint of the best epoch is kept anyhow, so beside it stands the first advice after early_stop.

Every second case was looked at while the advice was ordered and sized; the others are reported.
"""

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.advised_cases import DESIGN, QUICK, REPORTED, Case, base_of, splits_of
from tests.benchmarks.report import Mark, Report, run_facts
from tuning.analysis import diagnose_curves
from tuning.analysis.diagnosis import Advice, Comparison, Verdict, compared, difference
from tuning.analysis.diagnosis.reach import configured
from tuning.training.loop import DivergedError, Run, train

PAIRS = 5
FIRST_SEED = 1  # of the training that is diagnosed
SEEDS = range(1_000, 1_000 + PAIRS)
COUNTED = ("underfit", "overfit", "overfit_turning")
LEAST = 0.7
METRIC = "validation/loss"
IN_MEMORY = Path("/dev/shm")  # a checkpoint an epoch is waited for until it is on disk, which would be most of the time

Curves = dict[str, list[float]]


class Steps:
    """Follows a training and keeps what it reports."""

    def __init__(self) -> None:
        self.curves: Curves = {}

    def request(self) -> None:
        return None

    def step(self, step: int, metrics: Mapping[str, float]) -> None:
        for name, value in metrics.items():
            self.curves.setdefault(name, []).append(value)

    def checkpoint(self, kind: str, step: int, path: Path) -> None:
        return None


@dataclass(frozen=True)
class Tried:
    """A case, what its curves said, the advice that was tried, and what came of it; no advice where it does not count.

    beyond: the same of the first advice after early_stop, where that was the first.
    """

    case: Case
    verdict: Verdict
    advice: Advice | None = None
    found: Comparison | None = None
    beyond: "Tried | None" = None


def trained(case: Case, params: Mapping[str, Any], epochs: int, seed: int) -> tuple[Curves, bool]:
    """The curves, and whether they broke off because a loss was no number."""
    steps = Steps()
    with tempfile.TemporaryDirectory(dir=IN_MEMORY if IN_MEMORY.is_dir() else None) as folder:
        plan = Run(
            params=params,
            seed=seed,
            epochs=epochs,
            max_epochs=epochs,
            metric=METRIC,
            direction="minimize",
            checkpoint_dir=folder,
            load=lambda _workload: splits_of(case.workload, case.examples),
        )
        try:
            train(case.kind(), plan, steps)
        except DivergedError:
            return steps.curves, True
    return steps.curves, False


def diagnosed(case: Case) -> Verdict:
    """As a trial's page has it."""
    curves, diverged = trained(case, case.configuration(), case.epochs, FIRST_SEED)
    score = case.kind.scores[0].name
    return diagnose_curves(
        curves.get("train/loss", []),
        curves.get(METRIC, []),
        base=base_of(case.workload, case.examples),
        n_validation=len(splits_of(case.workload, case.examples).validation),
        train_score=curves[f"train/{score}"][-1] if score == "accuracy" and curves else None,
        validation_score=curves[f"validation/{score}"][-1] if score == "accuracy" and curves else None,
        diverged=diverged,
        params=case.configuration(),
        space=case.kind.space,
    )


def tried(case: Case) -> Tried:
    """Train, diagnose, try the first advice that is a change; and after early_stop the next."""
    verdict = diagnosed(case)
    changes = [one for one in verdict.advice if one.is_testable]
    if verdict.rule not in COUNTED or not changes:
        return Tried(case, verdict)
    plain = [trained(case, case.configuration(), case.epochs, seed) for seed in SEEDS]
    first, rest = changes[0], changes[1:]
    further = first.action == "early_stop" and bool(rest)
    beyond = Tried(case, verdict, rest[0], paired(case, rest[0], plain)) if further else None
    return Tried(case, verdict, first, paired(case, first, plain), beyond)


def paired(case: Case, advice: Advice, plain: Sequence[tuple[Curves, bool]]) -> Comparison:
    """With the advice, and without it (`plain`), on the same seeds."""
    differences = []
    for seed, (curves, diverged) in zip(SEEDS, plain, strict=True):
        if advice.action == "early_stop" and advice.resource is not None:
            losses = curves[METRIC]
            differences.append(None if diverged else difference(losses[-1], losses[advice.resource - 1], "minimize"))
            continue
        params = configured(case.kind.space or {}, case.configuration(), advice.change)
        other, other_diverged = trained(case, params, advice.resource or case.epochs, seed)
        without = None if diverged else min(curves[METRIC])
        differences.append(difference(without, None if other_diverged else min(other[METRIC]), "minimize"))
    return compared(differences)


def row_of(half: str, one: Tried, kind: str = "") -> dict[str, Any]:
    found = one.found
    return {
        "case": f"{one.case.workload}: {one.case.done}",
        "half": half,
        "verdict": one.verdict.rule,
        "advice": f"{one.advice.action}{kind}" if one.advice else "",
        "mean": found.mean if found else None,
        "low": found.low if found else None,
        "high": found.high if found else None,
        "better seeds": found.better if found else None,
        "outcome": found.outcome if found else "not counted",
    }


def is_better(found: Comparison | None) -> bool:
    """On average; where a side diverged, unanimously."""
    return found is not None and (found.mean > 0 if found.mean is not None else found.outcome == "helped")


def share_of(rows: Sequence[Tried]) -> dict[str, Any]:
    n = len(rows)
    better = sum(is_better(one.found) for one in rows)
    return {
        "cases": n,
        "better": better,
        "share": better / n if n else 0.0,
        "helped": sum(one.found is not None and one.found.outcome == "helped" for one in rows),
        "undecided": sum(one.found is not None and one.found.outcome == "undecided" for one in rows),
        "worse": sum(one.found is not None and one.found.outcome == "worse" for one in rows),
    }


def summaries(half: str, found: Sequence[Tried]) -> list[dict[str, Any]]:
    """How often the first advice made validation better: of all, by verdict, and past early_stop."""
    counted = [one for one in found if one.found is not None]
    over = [one for one in counted if one.verdict.rule != "underfit"]
    under = [one for one in counted if one.verdict.rule == "underfit"]
    past = [one.beyond or one for one in counted if one.beyond or (one.advice and one.advice.action != "early_stop")]
    groups = {"over- and underfit": counted, "underfit": under, "overfit": over, "early_stop set aside": past}
    return [{"first advice": name, "half": half, **share_of(rows)} for name, rows in groups.items()]


def run(*, quick: bool = False) -> Report:
    """Train, diagnose, try, count."""
    began = time.monotonic()
    halves = {"design": QUICK} if quick else {"design": DESIGN, "reported": REPORTED}
    found = {half: [tried(case) for case in cases] for half, cases in halves.items()}
    rows: list[dict[str, Any]] = []
    for half, cases in found.items():
        for one in cases:
            rows.append(row_of(half, one))
            rows += [row_of(half, one.beyond, " (best epoch)")] if one.beyond is not None else []
    summary = [row for half, cases in found.items() for row in summaries(half, cases)]
    told = next(row for row in summary if row["half"] == ("design" if quick else "reported"))
    words = f"{told['better']} of {told['cases']}"
    marks = [Mark("first advice betters validation", words, f"at least {LEAST:.0%}", told["share"] >= LEAST)]
    notes = [
        f"{PAIRS} pairs of seeds each; better: the mean paired difference is above 0; helped and worse: its 95 % "
        "interval leaves out 0.",
        "early_stop set aside: the next advice in its place, by the best epoch.",
    ]
    if quick:
        notes.append("--quick: three cases of the design's half; it decides no mark")
    facts = run_facts(
        ["torch", "numpy", "scipy"], seeds=[FIRST_SEED, *SEEDS], seconds=round(time.monotonic() - began)
    )
    return Report("advised", [*rows, *summary], marks, notes, facts)
