"""`manage.py bench samplers`: what each sampler finds, on real and synthetic problems, against the peers.

Score at a budget: 1 is the best known value, 0 the median of random search at the same budget, floor -1. The value of a
run is the true value of the configuration with the best value that was told (noise can mislead). Designs were chosen
on seeds 0 to 9, which --quick plays too; reported seeds begin at REPORT_SEED. Peers' values are kept by version in
peers.json, so that nobody waits hours for them again; a missing one is computed where the peer is installed. An
interrupted run goes on where it was (see `kept`).
"""

import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings

from tests.benchmarks.contenders import OURS, PEERS, installed
from tests.benchmarks.kept import Kept
from tests.benchmarks.peer_values import peer_values
from tests.benchmarks.report import Mark, Report, run_facts
from tests.benchmarks.scores import Comparison, compared, mean_of, paired_bound, score, scores_of
from tests.benchmarks.searches import (
    BUDGETS,
    Task,
    Values,
    cores,
    is_real,
    play,
    play_all,
    problem_named,
    problem_names,
    tasks_for,
)

__all__ = [
    "Task",
    "Values",
    "paired_bound",
    "play",
    "play_all",
    "problem_named",
    "problem_names",
    "run",
    "score",
    "scores_of",
    "tasks_for",
]
DEAREST_FIRST = ("auto", "auto, 8 pending", "gp", "tpe", "qmc", "random")  # so that no process is left alone at the end


def or_none(number: float) -> float | None:
    """JSON has no NaN."""
    return None if math.isnan(number) else number


def rows_of(values: Values, contenders: Sequence[str], budgets: Sequence[int]) -> list[dict[str, Any]]:
    """A row for each contender: its mean score on real and on synthetic problems at each budget."""
    rows = []
    for contender in contenders:
        row: dict[str, Any] = {"contender": contender}
        for kind in ("real", "synthetic"):
            chosen = {name: found for name, found in values.items() if is_real(name) == (kind == "real")}
            for budget in budgets:
                row[f"{kind} {budget}"] = or_none(mean_of(scores_of(chosen, contender, budget)))
        rows.append(row)
    return rows


def scores_by_problem(values: Values, contenders: Sequence[str], budgets: Sequence[int]) -> dict[str, Any]:
    """problem -> contender -> budget -> mean score, where there is one."""
    found: dict[str, Any] = {}
    for name, by_contender in values.items():
        for contender in contenders:
            for budget in budgets:
                mean = mean_of(scores_of({name: by_contender}, contender, budget))
                if not math.isnan(mean):
                    found.setdefault(name, {}).setdefault(contender, {})[str(budget)] = round(mean, 4)
    return found


def best_of(values: Values, contenders: Sequence[str], budget: int) -> str | None:
    """The contender with the highest mean score over the problems that all of them played; None if nobody played."""
    scores = {name: scores_of(values, name, budget) for name in contenders}
    scores = {name: found for name, found in scores.items() if not np.isnan(found).all()}
    if not scores:
        return None
    common = np.logical_and.reduce([~np.isnan(found).all(axis=1) for found in scores.values()])
    return max(scores, key=lambda name: float(np.nan_to_num(mean_of(scores[name][common]), nan=-2.0)))


def rivals(values: Values, peers: Sequence[str], budget: int) -> Iterator[tuple[str, str, str]]:
    """Who is compared with whom at a budget: our contender, the peer's, and the mark's words. auto meets each peer's
    best sampler at this budget."""
    for package in dict.fromkeys(PEERS[name].package for name in peers):
        best = best_of(values, [name for name in peers if PEERS[name].package == package], budget)
        if best is not None:
            yield "auto", best, f"auto against {best} ({package}'s best) at {budget} trials"
    for ours, theirs in (("tpe", "optuna TPE"), ("tpe", "optuna TPE, group"), ("gp", "optuna GP")):
        if theirs in peers:
            yield ours, theirs, f"{ours} against {theirs} at {budget} trials"


def judged(
    values: Values, peers: Sequence[str], budgets: Sequence[int]
) -> tuple[list[Mark], list[str], dict[str, Any]]:
    """The marks against peers, a note for each that is not won with the problems that cost it, and each difference."""
    marks, notes, differences = [], [], {}
    for budget in budgets:
        for ours, theirs, words in rivals(values, peers, budget):
            comparison: Comparison | None = compared(
                list(values), scores_of(values, ours, budget), scores_of(values, theirs, budget)
            )
            if comparison is None:
                continue
            marks.append(Mark(words, str(comparison), "lower bound above 0", comparison.low > 0))
            differences[words] = {
                "mean": comparison.mean,
                "low": comparison.low,
                "high": comparison.high,
                "verdict": comparison.verdict,
                "by problem": {name: round(mean, 4) for name, mean in comparison.by_problem.items()},
            }
            if comparison.verdict != "won" and comparison.worst():
                notes.append(f"{words}: {comparison.verdict}; most behind on {comparison.worst()}")
    return marks, notes, differences


def pending_marks(values: Values, budgets: Sequence[int]) -> list[Mark]:
    """What eight trials at a time lose of the score of one at a time."""
    marks = []
    for budget in budgets:
        alone = mean_of(scores_of(values, "auto", budget))
        together = mean_of(scores_of(values, "auto, 8 pending", budget))
        lost = (alone - together) / max(alone, 1e-9)
        marks.append(Mark(f"score that 8 pending lose at {budget} trials", lost, "under 0.10", lost < 0.10))
    return marks


def run(*, quick: bool = False) -> Report:
    """Play what is not stored, score, compare."""
    began = time.monotonic()
    names = problem_names(quick=quick)
    tasks = tasks_for(names, DEAREST_FIRST, quick=quick)
    if quick:
        values = play_all(tasks, cores())
        earlier = 0
    else:
        own = Kept(Path(settings.STATE_DIR) / "benchmarks")
        values, missing = own.split(tasks)
        earlier = len(tasks) - len(missing)
        for name, played in play_all(missing, cores(), own.add).items():
            for contender, by_seed in played.items():
                values.setdefault(name, {}).setdefault(contender, {}).update(by_seed)
        values = {name: values[name] for name in names}
    theirs, versions, failed = peer_values(names, quick=quick, processes=cores())
    for name, by_contender in theirs.items():
        values[name].update(by_contender)
    budgets = BUDGETS[:1] if quick else BUDGETS
    contenders = [*OURS, *versions]
    marks, reasons, differences = judged(values, list(versions), budgets)
    notes = [*failed, *reasons]
    for package in sorted({peer.package for peer in PEERS.values() if not installed(peer.package)}):
        kept = sorted({key for name, key in versions.items() if PEERS[name].package == package})
        notes.append(f"not installed: {package}; " + (f"values of {kept[0]} from peers.json" if kept else "left out"))
    notes.append(
        "Differences are paired by seed, 95 % intervals by a bootstrap over seeds; problems are not resampled: an "
        "interval speaks of these problems."
    )
    if earlier:
        notes.append(
            f"{earlier} of our {len(tasks)} searches were played by an interrupted run of the same code, problems and "
            f"libraries ({own.path.stem.split('-')[1]})."
        )
    if quick:
        notes.append(
            "--quick: two of the design's seeds, five problems; it decides no mark, and slow peers are left out"
        )
    facts = run_facts(
        ["numpy", "scipy", "scikit-learn"],
        peers=sorted(set(versions.values())),
        seeds=sorted({seed for found in values.values() for seed in found["auto"]}),
        problems=names,
        seconds=round(time.monotonic() - began),
    )
    details = {"scores": scores_by_problem(values, contenders, budgets), "differences": differences}
    rows = rows_of(values, contenders, budgets)
    return Report("samplers", rows, [*marks, *pending_marks(values, budgets)], notes, facts, details)
