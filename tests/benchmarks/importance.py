"""`manage.py bench importance`: are the shares right, and how long do they take?

On functions with known Sobol indices (Ishigami, the g-function, a sum), 1,000 configurations drawn evenly: fANOVA's
first-order shares against the exact ones and the bands around them, pairs, permutation against the total indices, and
what becomes of pure noise; and of FREEZE, on random objectives whose true shares are known (`freezes`), how often it
names a parameter that matters. The forest was chosen on seeds from 0 on; reported seeds begin at REPORT_SEED. CPU
seconds are of one thread and of everything: reading the trials, the forest, main effects, pairs, curves and maps.

Optuna's evaluators had the same trials (`importance_peers`), their shares are kept; where it is installed, a full run
times its fANOVA on one study of each function, for the ratio to be one machine's. That fANOVA grows its forest with
scikit-learn as ours does: with the same seed the trees are the same, so the errors are as large by construction, and
what is compared is whether the marginals are right, and the time. PED-ANOVA and the impurity decrease answer other
questions than first-order indices do, so no error is counted for them.
"""

import time
from collections.abc import Sequence
from statistics import median
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from tests.analysis.sobol import ADDITIVE, G8, ISHIGAMI, KNOWN, Known
from tests.benchmarks.contenders import installed
from tests.benchmarks.freezes import LEAST, tally
from tests.benchmarks.freezes import REPORT_SEED as FREEZE_SEED
from tests.benchmarks.importance_peers import EVALUATORS, PEER_SEEDS, REPORT_SEED, TRIALS, keep, kept, measured
from tests.benchmarks.report import Mark, Report, run_facts
from tuning.analysis.importance import Importance, importance

SEEDS, QUICK_SEEDS, NOISE_STUDIES, NOISE_TRIALS = 20, 3, 100, 50
FREEZE_HISTORIES = 50
PAIR = 0.2436836641  # x1 with x3 of the Ishigami function
Found = list[tuple[Importance, float]]  # with its CPU seconds, by seed


def timed(known: Known, method: str, seeds: Sequence[int]) -> Found:
    """Importances of one method, each with the CPU seconds it took."""
    found = []
    for seed in seeds:
        trials = known.trials(TRIALS, seed)
        began = time.process_time()
        result = importance(known.space, trials, method, seed=seed)
        found.append((result, time.process_time() - began))
    return found


def errors(mains: Sequence[dict[str, float]], exact: dict[str, float]) -> np.ndarray[Any, Any]:
    """The distance of each share (studies, parameters) from the exact one."""
    return np.array([[main[name] - share for name, share in exact.items()] for main in mains])


def row(known: Known, words: str, mains: Sequence[dict[str, float]], seconds: float, exact: bool) -> dict[str, Any]:
    """A row of the table: means over the seeds; the error only where first-order indices are what is estimated."""
    made: dict[str, Any] = {"function": known.name, "method": words, "studies": len(mains), "CPU s": seconds}
    made["mean error"] = float(np.abs(errors(mains, known.first)).mean()) if exact else None
    for name in list(known.first)[:4]:
        made[name] = float(np.mean([main[name] for main in mains]))
    return made


def exact_row(known: Known) -> dict[str, Any]:
    named = dict(list(known.first.items())[:4])
    return {"function": known.name, "method": "exact", "studies": None, "CPU s": None, "mean error": None, **named}


def peers(*, quick: bool) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """By function and evaluator what Optuna gave: kept, else computed where it is installed (never in a quick run)."""
    values = kept()
    found: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for known in KNOWN:
        for evaluator in EVALUATORS:
            for seed in range(REPORT_SEED, REPORT_SEED + PEER_SEEDS):
                entry = values.get(f"{evaluator} {known.name} {seed}")
                if entry is None and installed("optuna") and not quick:
                    entry = measured(known, evaluator, seed)
                    keep(entry)
                if entry is not None:
                    found.setdefault(known.name, {}).setdefault(evaluator, []).append(entry)
    return found


def peers_seconds(*, quick: bool) -> dict[str, float]:
    """By function the CPU seconds that Optuna's fANOVA takes here and now for one study."""
    if quick or not installed("optuna"):
        return {}
    return {known.name: float(measured(known, "fANOVA", REPORT_SEED)["seconds"]) for known in KNOWN}


def noise_refused(studies: int) -> int:
    """In how many studies of pure noise the forest says that it explains nothing."""
    refused = 0
    for seed in range(REPORT_SEED, REPORT_SEED + studies):
        noise = np.random.default_rng([seed, 9]).normal(size=NOISE_TRIALS)
        trials = [(p, float(y)) for (p, _), y in zip(ADDITIVE.trials(NOISE_TRIALS, seed), noise, strict=True)]
        refused += bool(importance(ADDITIVE.space, trials, seed=seed).reason)
    return refused


def run(*, quick: bool = False) -> Report:
    """Estimate, compare, time."""
    with threadpool_limits(1):
        return _run(quick)


def _run(quick: bool) -> Report:
    seeds = range(QUICK_SEEDS) if quick else range(REPORT_SEED, REPORT_SEED + SEEDS)
    timed(ADDITIVE, "fanova", [0])  # imports scikit-learn
    rows, marks, theirs, now = [], [], peers(quick=quick), peers_seconds(quick=quick)
    for known in (*KNOWN, G8):
        found = {method: timed(known, method, seeds) for method in ("fanova", "permutation", "ped_anova")}
        rows.append(exact_row(known))
        for method, results in found.items():
            mains = [dict(result.main) for result, _ in results]
            rows.append(row(known, method, mains, median(s for _, s in results), method == "fanova"))
        for evaluator, entries in theirs.get(known.name, {}).items():
            mains = [entry["main"] for entry in entries]
            seconds = median(entry["seconds"] for entry in entries)
            if evaluator == "fANOVA":
                seconds = now.get(known.name, seconds)
            rows.append(row(known, f"Optuna {evaluator}", mains, seconds, evaluator == "fANOVA"))
        marks += _marks(known, found, theirs.get(known.name, {}).get("fANOVA", []), now.get(known.name), quick=quick)
    studies = 10 if quick else NOISE_STUDIES
    refused = noise_refused(studies)
    words = f"studies of noise, {NOISE_TRIALS} trials, in which no parameter is given a share"
    marks.append(Mark(words, f"{refused} of {studies}", "at least 90 %", refused >= 0.9 * studies))
    marks += _freezes(quick)
    facts = run_facts(["numpy", "scipy", "scikit-learn"], seeds=len(seeds), trials=TRIALS, threads=1)
    return Report("importance", rows, marks, _notes(theirs, bool(now), quick=quick), facts)


def _freezes(quick: bool) -> list[Mark]:
    """Of histories after few and many trials: how often a parameter that matters is named, and how many idle ones."""
    marks = []
    for trials in (60, 200):
        found = tally(range(2) if quick else range(FREEZE_SEED, FREEZE_SEED + FREEZE_HISTORIES), trials)
        words = (
            f"histories of {trials} trials in which FREEZE names a parameter with {LEAST:.0%} or more of the variance"
        )
        limit = 0.05 * found.histories
        marks.append(Mark(words, f"{found.with_false} of {found.histories}", "at most 5 %", found.with_false <= limit))
        if trials > 60:
            words = f"idle parameters that it names after {trials} trials"
            share = found.named / found.idle
            marks.append(Mark(words, f"{found.named} of {found.idle}", "at least half", share >= 0.5 or quick))
    return marks


def _marks(
    known: Known, found: dict[str, Found], peer: Sequence[dict[str, Any]], now: float | None, *, quick: bool
) -> list[Mark]:
    results = [result for result, _ in found["fanova"]]
    seconds = [taken for _, taken in found["fanova"]]
    mains = [dict(result.main) for result in results]
    inside = sum(all(low <= main[name] <= high for name, (low, high) in known.bands.items()) for main in mains)
    words = f"{known.name}: studies whose first-order shares all lie in their bands"
    marks = [Mark(words, f"{inside} of {len(mains)}", "all", inside == len(mains))]
    if known is G8:
        words = "eight parameters, 1,000 trials, 64 trees: median CPU seconds, pairs and curves included"
        return [*marks, Mark(words, median(seconds), "under 1", median(seconds) < 1.0)]
    total = errors([dict(result.main) for result, _ in found["permutation"]], known.total)
    worst = float(np.abs(total.mean(axis=0)).max())
    words = f"{known.name}: permutation against total indices, the farthest parameter's mean"
    marks.append(Mark(words, worst, "at most 0.08", worst <= 0.08))
    if known is ISHIGAMI:
        pair = float(np.mean([result.pairs["x1", "x3"] for result in results]))
        words = "Ishigami: the share of x1 with x3, exactly 0.244"
        marks.append(Mark(words, pair, "within 0.06", abs(pair - PAIR) <= 0.06))
    if peer and not quick:  # whose trials are others
        by_seed = dict(zip((REPORT_SEED + place for place in range(len(mains))), mains, strict=True))
        apart = [abs(by_seed[e["seed"]][name] - share) for e in peer for name, share in e["main"].items()]
        words = f"{known.name}: farthest share from that of Optuna's fANOVA, of the same trials by the same trees"
        marks.append(Mark(words, max(apart), "at most 0.00001", max(apart) <= 1e-5))
    if now is not None:
        times = now / median(seconds)
        words = f"{known.name}: how many times as long Optuna's fANOVA takes, which gives no pairs"
        marks.append(Mark(words, times, "at least 20", times >= 20))
    return marks


def _notes(theirs: dict[str, Any], timed_now: bool, *, quick: bool) -> list[str]:
    notes = ["Shares of Optuna's fANOVA are not normalised; its PED-ANOVA is a divergence, ours adds up to 1."]
    if theirs:
        versions = {entry["version"] for by in theirs.values() for entries in by.values() for entry in entries}
        when = "fANOVA of this run, others kept" if timed_now else "kept; not installed here, so there is no ratio"
        notes.append(f"Optuna {', '.join(sorted(versions))}: CPU seconds on one thread, {when}")
        notes.append("Its fANOVA grows the same scikit-learn forest: the errors are as large by construction")
    else:
        notes.append("left out, not installed and nothing kept: optuna")
    if quick:
        notes.append("--quick: seeds of the design, of which nothing of Optuna is kept; decides no mark")
    return notes
