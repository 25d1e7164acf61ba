"""`manage.py bench worth`: when a study is told that another hour is not worth it, was it?

Tabulated and synthetic problems with noise on what is told, so that true values are known. Each study is looked at
every few trials as a running one is, an hour paying HOUR of them. Truth: the best true value of all trials, and the
true value of the trial with the best told value; a look's hour was worth it where either became better by more than the
noise within the next HOUR trials. A stop is false where the hour after it was worth it. A study is exhausted from its
last hour on that was worth it; what it runs after that is wasted, and what a stop leaves out of that is saved.

"model" judges with the study's Gaussian process, whichever sampler chose the trials, and estimates the noise;
"records" judges from the values alone and is told the noise, as it would be measured from repeats. The rules were
chosen on seed 0, which --quick plays; reported seeds begin at REPORT_SEED.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from tests.benchmarks.contenders import OURS
from tests.benchmarks.real import RECIPES
from tests.benchmarks.report import Mark, Report, run_facts
from tests.benchmarks.searches import QUICK_SEED, REPORT_SEED, problem_named
from tests.benchmarks.synthetic import Problem, noisy
from tuning.analysis.worth import APART, FEWEST, Stand, Worth, worth_going_on
from tuning.engine import History, SearchSpace
from tuning.engine.surrogates.surrogate import surrogate_of
from tuning.engine.surrogates.validation import leave_one_out

Array = NDArray[np.float64]

TRIALS, HOUR = 100, 10
SHARES = (0.03, 0.1, 0.3)  # of the noise in the standard deviation of values over the space
SAMPLERS = ("random", "tpe", "gp")
METHODS = ("model", "records")
SYNTHETIC = ("branin", "hartmann3", "hartmann6", "mixed", "conditional")
SEEDS = 2
EXHAUSTED = TRIALS // 3  # wasted trials from which on a study counts as exhausted


@dataclass(frozen=True)
class Look:
    """What one method said after `trials`, the noise that it was held against, and what came of it.

    came: by how much the best true value improved within the next hour. worth: whether that hour was worth it, and
    later: whether anything until the end was.
    """

    trials: int
    said: Worth
    came: float
    worth: bool
    later: bool


@dataclass(frozen=True)
class Played:
    """One study: its sampler, what each method saw, and from which trial on it was exhausted."""

    problem: str
    share: float
    sampler: str
    seed: int
    noise: float
    exhausted_at: int
    looks: Mapping[str, Sequence[Look]]


def gains(told: Sequence[tuple[float, float]], within: int) -> tuple[Array, Array]:
    """After each trial of (told, true) losses (n,): how much better the best true value, and the true value of the best
    told one, are after `within` more."""
    seen, true = np.array(told).T
    best = np.minimum.accumulate(true)
    chosen = true[[int(np.argmin(seen[: i + 1])) for i in range(len(seen))]]
    after = np.minimum(np.arange(len(seen)) + within, len(seen) - 1)
    return best - best[after], chosen - chosen[after]


def play(problem: Problem, share: float, sampler: str, seed: int) -> Played:
    """One study of TRIALS, looked at by each method."""
    told: list[tuple[float, float]] = []
    space = SearchSpace.from_json(problem.space)
    history, said = History(space), dict[int, dict[str, Worth]]()
    rng = np.random.default_rng(np.random.SeedSequence([seed, 991]))

    def tell(params: Mapping[str, Any]) -> float:
        true = problem.value(params)
        told.append((true + problem.noise * float(rng.standard_normal()), true))
        history.append(len(told) - 1, params, "COMPLETE", told[-1][0])
        if FEWEST <= len(told) <= TRIALS - HOUR and len(told) % APART == 0:
            said[len(told)] = {"model": by_model(history), "records": by_records(history, problem.noise)}
        return told[-1][0]

    with threadpool_limits(1):
        OURS[sampler](problem.space, tell, TRIALS, seed)
    hour, rest = gains(told, HOUR), gains(told, TRIALS)
    above, later = np.maximum(*hour) > problem.noise, np.maximum(*rest) > problem.noise
    looks = {
        method: [
            Look(n, found[method], float(hour[0][n - 1]), bool(above[n - 1]), bool(later[n - 1]))
            for n, found in said.items()
        ]
        for method in METHODS
    }
    exhausted = max(FEWEST, int(np.flatnonzero(above).max(initial=-1)) + 2)
    return Played(problem.name, share, sampler, seed, problem.noise, exhausted, looks)


def by_model(history: History) -> Worth:
    surrogate = surrogate_of(history.space, history)
    validation = leave_one_out(surrogate, history) if surrogate.outputs.varied else None
    return worth_going_on(history, seconds_per_trial=3600 / HOUR, surrogate=surrogate, validation=validation)


def by_records(history: History, noise: float) -> Worth:
    """From the values alone, the noise given."""
    said = worth_going_on(history, seconds_per_trial=3600 / HOUR)
    return Worth(**{**said.to_json(), "noise": noise, "noise_of": "repeats", "problem": ""})


def stands(looks: Iterable[Look]) -> list[tuple[Look, bool]]:
    """Each look, and whether it is said after it that another hour is not worth it."""
    stand, found = Stand(), []
    for look in looks:
        stand = stand.after(look.said.not_worth)
        found.append((look, stand.not_worth))
    return found


def row_of(kind: str, method: str, played: Sequence[Played]) -> dict[str, Any]:
    """A row for these studies under one method."""
    stops, false, late, withdrawn, wasted, saved, exhausted, against = 0, 0, 0, 0, 0, 0, 0, 0
    looks = [look for study in played for look in study.looks[method]]
    for study in played:
        told = stands(study.looks[method])
        stop = next((look for look, says in told if says), None)
        against += sum(says and look.worth for look, says in told)
        withdrawn += sum(before and not after for (_, before), (_, after) in pairwise(told))
        if stop is not None:
            stops, false, late = stops + 1, false + stop.worth, late + stop.later
        if TRIALS - study.exhausted_at >= EXHAUSTED:
            exhausted, wasted = exhausted + 1, wasted + TRIALS - study.exhausted_at
            saved += TRIALS - max(stop.trials, study.exhausted_at) if stop is not None else 0
    bounds = [look.came > look.said.high for look in looks if look.said.high is not None]
    return {
        "studies": kind,
        "method": method,
        "n": len(played),
        "looks": len(looks),
        "hours worth it": sum(look.worth for look in looks),
        "spoken against": against / max(1, sum(look.worth for look in looks)),
        "stops": stops,
        "false": false,
        "false share": false / stops if stops else 0.0,
        "worth it later": late,
        "taken back": withdrawn,
        "exhausted": exhausted,
        "wasted": wasted,
        "saved": saved / wasted if wasted else 0.0,
        "above the bound": float(np.mean(bounds)) if bounds else 0.0,
    }


def noise_rows(played: Sequence[Played]) -> list[dict[str, Any]]:
    """The noise that the model sees, as a share of the true one, after 20, 50 and 90 trials: quartiles."""
    rows = []
    for n in (FEWEST, 50, TRIALS - HOUR):
        ratios = [
            look.said.noise / study.noise
            for study in played
            for look in study.looks["model"]
            if look.trials == n and look.said.noise is not None
        ]
        low, middle, high = np.quantile(ratios, [0.25, 0.5, 0.75]).tolist()
        rows.append({"model's noise after": n, "lower quartile": low, "median": middle, "upper quartile": high})
    return rows


def run(*, quick: bool = False) -> Report:
    """Play, look, count."""
    began = time.monotonic()
    names = [*list(RECIPES)[:3], "mixed"] if quick else [*RECIPES, *SYNTHETIC]
    seeds = [QUICK_SEED] if quick else [REPORT_SEED + seed for seed in range(SEEDS)]
    shares = SHARES[1:2] if quick else SHARES
    played = [
        play(noisy(problem_named(name, 0), share), share, sampler, seed)
        for name in names
        for share in shares
        for sampler in SAMPLERS
        for seed in seeds
    ]
    rows = []
    for method in METHODS:
        whole = row_of("all", method, played)
        rows.append(whole)
        rows += [row_of(sampler, method, [s for s in played if s.sampler == sampler]) for sampler in SAMPLERS]
        rows += [row_of(f"noise {share:g}", method, [s for s in played if s.share == share]) for share in shares]
    marks = []
    for method in METHODS:
        whole = next(row for row in rows if (row["studies"], row["method"]) == ("all", method))
        marks.append(Mark(f"false stops, {method}", whole["false share"], "at most 0.05", whole["false share"] <= 0.05))
        against = whole["spoken against"]
        marks.append(Mark(f"hours worth it, spoken against, {method}", against, "at most 0.05", against <= 0.05))
        bound = whole["above the bound"]
        marks.append(Mark(f"gains above their 95 % bound, {method}", bound, "at most 0.05", bound <= 0.05))
        marks.append(
            Mark(f"wasted trials saved, {method}", whole["saved"], "at least a third", whole["saved"] >= 1 / 3)
        )
    notes = [
        f"{len(played)} studies of {TRIALS} trials; an hour pays {HOUR}, a look every {APART} trials from {FEWEST} on.",
        "hours worth it: the looks, said anything or not, whose hour was worth it; spoken against: the share of these "
        "while it stood that another hour was not.",
    ]
    if quick:
        notes.append("--quick: the design's seed, few problems; it decides no mark")
    facts = run_facts(
        ["numpy", "scipy", "scikit-learn"], seeds=seeds, problems=names, seconds=round(time.monotonic() - began)
    )
    return Report("worth", [*rows, *noise_rows(played)], marks, notes, facts, {"false stops": false_stops(played)})


def false_stops(played: Sequence[Played], methods: Sequence[str] = METHODS) -> list[dict[str, Any]]:
    """Each false stop of each method: where, and by how many times the noise the hour after it was worth it."""
    found = []
    for study in played:
        for method in methods:
            stop = next((look for look, says in stands(study.looks[method]) if says), None)
            if stop is not None and stop.worth:
                where = {"problem": study.problem, "share": study.share, "sampler": study.sampler, "seed": study.seed}
                came = round(stop.came / study.noise, 2)
                found.append({**where, "method": method, "trials": stop.trials, "best true value came down by": came})
    return found
