"""`manage.py bench samplers`: what each sampler finds, on real and synthetic problems, against the peers.

Score at a budget: 1 is the best known value, 0 the median of random search at the same budget, floor -1. The value of a
run is the true value of the configuration with the best value that was told (noise can mislead). Designs were chosen
on seeds 0 to 9; reported seeds begin at REPORT_SEED. Peers' values are kept by version in peers.json, so that nobody
waits hours for them again; a missing one is computed where the peer is installed.
"""

import json
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from tests.benchmarks.contenders import OURS, PEERS, installed
from tests.benchmarks.real import RECIPES, TABLES
from tests.benchmarks.real import problem as real_problem
from tests.benchmarks.report import Mark, Report, run_facts
from tests.benchmarks.synthetic import PLAIN, Problem, moved, noisy

BUDGETS = (25, 50, 100)
REPORT_SEED = 1000
SEEDS = {25: 20, 50: 20, 100: 8}
RANDOM_SEEDS = 101
PEER_VALUES = Path(__file__).with_name("peers.json")
Values = dict[str, dict[str, dict[int, list[float]]]]  # problem -> contender -> seed -> value at each budget


@dataclass(frozen=True)
class Task:
    problem: str
    contender: str
    seed: int
    trials: int


def problem_named(name: str, seed: int) -> Problem:
    """The problem of this name; "+moved" ones lie in another box for each seed."""
    base, *changes = name.split("+")
    found = real_problem(base) if base in RECIPES else next(plain for plain in PLAIN if plain.name == base)
    if "noise" in changes:
        found = noisy(found)
    return moved(found, seed) if "moved" in changes else found


def problem_names(*, quick: bool) -> list[str]:
    real = [name for name in RECIPES if (TABLES / f"{name}.npz").exists()]
    plain = [problem.name for problem in PLAIN]
    if quick:
        return [*real[:2], "branin", "mixed", "conditional"]
    return [*real, *plain, *(f"{name}+noise" for name in plain), *(f"{name}+moved" for name in plain)]


def play(task: Task) -> list[float]:
    """One search: the true value of the incumbent after each budget of BUDGETS up to the task's trials."""
    problem = problem_named(task.problem, task.seed)
    rng = np.random.default_rng(np.random.SeedSequence([task.seed, 991]))
    told: list[tuple[float, float]] = []

    def tell(params: Mapping[str, Any]) -> float:
        true = problem.value(params)
        observed = true + problem.noise * float(rng.standard_normal())
        told.append((observed, true))
        return observed

    run = OURS[task.contender] if task.contender in OURS else PEERS[task.contender][1]
    with threadpool_limits(1):
        run(problem.space, tell, task.trials, task.seed)
    return [min(told[:budget])[1] for budget in BUDGETS if budget <= task.trials]


def play_all(tasks: Sequence[Task], workers: int) -> Values:
    """Every search, on `workers` processes."""
    values: Values = {}
    with ProcessPoolExecutor(workers) as pool:
        for task, found in zip(tasks, pool.map(play, tasks, chunksize=4), strict=True):
            values.setdefault(task.problem, {}).setdefault(task.contender, {})[task.seed] = found
    return values


def score(value: float, best: float, random_median: float) -> float:
    """1 at the best known, 0 at the median of random search, floor -1."""
    return max(-1.0, (random_median - value) / max(random_median - best, 1e-12))


def scores_of(values: Values, contender: str, budget: int) -> NDArray[np.float64]:
    """Scores (problems, seeds), NaN where a run is missing."""
    index = BUDGETS.index(budget)
    seeds = range(REPORT_SEED, REPORT_SEED + SEEDS[budget])
    rows = []
    for name, by_contender in values.items():
        medians = [run[index] for run in by_contender["random"].values() if len(run) > index]
        random_median = float(np.median(medians))
        row = []
        for seed in seeds:
            run = by_contender.get(contender, {}).get(seed, [])
            best = problem_named(name, seed).best
            row.append(score(run[index], best, random_median) if len(run) > index else np.nan)
        rows.append(row)
    return np.array(rows)


def paired_bound(
    ours: NDArray[np.float64], theirs: NDArray[np.float64], draws: int = 2000
) -> tuple[float, float, float]:
    """Mean difference of scores (problems, seeds), and its 95 % interval by a bootstrap over each problem's seeds."""
    difference = ours - theirs
    kept = difference[~np.isnan(difference).all(axis=1)]
    rng = np.random.default_rng(0)
    means = []
    for _ in range(draws):
        columns = rng.integers(0, kept.shape[1], (kept.shape[0], kept.shape[1]))
        means.append(np.nanmean(np.take_along_axis(kept, columns, axis=1)))
    low, high = np.quantile(means, [0.025, 0.975])
    return float(np.nanmean(kept)), float(low), float(high)


def tasks_for(names: Sequence[str], contenders: Sequence[str], *, quick: bool) -> list[Task]:
    tasks = []
    for name in names:
        for contender in contenders:
            if contender == "random":
                count = 21 if quick else RANDOM_SEEDS
                tasks += [Task(name, contender, REPORT_SEED + i, 25 if quick else 100) for i in range(count)]
                continue
            for i in range(2 if quick else SEEDS[50]):
                trials = 25 if quick else 100 if i < SEEDS[100] else 50
                tasks.append(Task(name, contender, REPORT_SEED + i, trials))
    return tasks


def peer_values(names: Sequence[str], peers: Sequence[str], *, quick: bool, workers: int) -> Values:
    """The peers' values: from peers.json where their version is there, else computed and (in a full run) kept."""
    stored = json.loads(PEER_VALUES.read_text()) if PEER_VALUES.exists() else {}
    values: Values = {}
    missing = []
    for task in tasks_for(names, peers, quick=quick):
        key = f"{PEERS[task.contender][0]} {metadata.version(PEERS[task.contender][0])}"
        known = stored.get(key, {}).get(task.contender, {}).get(task.problem, {}).get(str(task.seed))
        if known is not None and len(known) >= len([b for b in BUDGETS if b <= task.trials]):
            values.setdefault(task.problem, {}).setdefault(task.contender, {})[task.seed] = known
        else:
            missing.append(task)
    for name, by_contender in play_all(missing, workers).items():
        for contender, by_seed in by_contender.items():
            values.setdefault(name, {}).setdefault(contender, {}).update(by_seed)
            key = f"{PEERS[contender][0]} {metadata.version(PEERS[contender][0])}"
            place = stored.setdefault(key, {}).setdefault(contender, {}).setdefault(name, {})
            place.update({str(seed): [round(value, 8) for value in run] for seed, run in by_seed.items()})
    if missing and not quick:
        PEER_VALUES.write_text(json.dumps(stored, separators=(",", ":"), sort_keys=True) + "\n")
    return values


def run(*, quick: bool = False) -> Report:
    """Play, score, compare."""
    began = time.monotonic()
    workers = min(8, len(os.sched_getaffinity(0)))
    names = problem_names(quick=quick)
    peers = [name for name, (package, _run) in PEERS.items() if installed(package)]
    absent = sorted({package for package, _run in PEERS.values() if not installed(package)})
    values = play_all(tasks_for(names, list(OURS), quick=quick), workers)
    for name, by_contender in peer_values(names, peers, quick=quick, workers=workers).items():
        values[name].update(by_contender)
    budgets = (25,) if quick else BUDGETS
    rows = []
    for contender in [*OURS, *peers]:
        row: dict[str, Any] = {"contender": contender}
        for kind in ("real", "synthetic"):
            chosen = {
                name: found for name, found in values.items() if (name.split("+")[0] in RECIPES) == (kind == "real")
            }
            for budget in budgets:
                if chosen:
                    row[f"{kind} {budget}"] = float(np.nanmean(scores_of(chosen, contender, budget)))
        rows.append(row)
    pairs = [("auto", peer) for peer in peers]
    pairs += [("tpe", peer) for peer in peers if peer.startswith("optuna TPE")]
    pairs += [("gp", peer) for peer in peers if peer == "optuna GP"]
    marks = []
    for ours, theirs in pairs:
        for budget in budgets:
            mean, low, high = paired_bound(scores_of(values, ours, budget), scores_of(values, theirs, budget))
            words = f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]"
            marks.append(Mark(f"{ours} against {theirs} at {budget} trials", words, "lower bound above 0", low > 0))
    for budget in budgets:
        alone = float(np.nanmean(scores_of(values, "auto", budget)))
        together = float(np.nanmean(scores_of(values, "auto, 8 pending", budget)))
        lost = (alone - together) / max(alone, 1e-9)
        marks.append(Mark(f"score that 8 pending lose at {budget} trials", lost, "under 0.10", lost < 0.10))
    notes = [f"left out, not installed: {', '.join(absent)}"] if absent else []
    if quick:
        notes.append("--quick: two seeds and five problems; it decides no mark")
    facts = run_facts(
        ["hpweb", "optuna", "hyperopt", "smac", "HEBO", "numpy", "scipy", "scikit-learn"],
        seeds=[REPORT_SEED, REPORT_SEED + SEEDS[50] - 1],
        problems=names,
        seconds=round(time.monotonic() - began),
    )
    return Report("samplers", rows, marks, notes, facts)
