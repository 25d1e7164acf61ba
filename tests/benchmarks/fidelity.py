"""`manage.py bench fidelity`: what is saved where unpromising trials end early.

Races on tabulated learning curves (see `races`): how many epochs until the incumbent is truly among the best 2 %, ours
and the peers', on the real curves, which decide the marks, and on made ones, which show where a method fails. Then many
workers on a virtual clock (see `virtual_workers`), and decisions with 10,000 trials at a rung in a database (see
`decisions`), on SQLite and on the PostgreSQL that HPWEB_TEST_POSTGRES_URL names.

Designs were chosen on seeds 0 to 9, which --quick races too; reported seeds begin at REPORT_SEED. Peers' races are
kept by version in race_peers.json; a missing one is run where the peer is installed. An interrupted run goes on where
it was.

An absolute mark is the median of five runs on a machine that is stated and has nothing else to do.
"""

import json
import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from tests.benchmarks import virtual_workers
from tests.benchmarks.contenders import installed
from tests.benchmarks.installation import POSTGRES, Installation, installation, on_postgres
from tests.benchmarks.race_contenders import BASELINE, DEAR, PEERS
from tests.benchmarks.race_contenders import OURS as CONTENDERS
from tests.benchmarks.race_scores import FINISHED, Ratio, epochs_of, never, ratio, saved
from tests.benchmarks.race_values import (
    DESIGN_SEEDS,
    PROBLEMS,
    SEEDS,
    Outcomes,
    RaceFile,
    outcomes_of,
    own_file,
    peer_outcomes,
    races_of,
)
from tests.benchmarks.races import REAL, SINGLE, SYNTHETIC
from tests.benchmarks.report import Mark, Report, run_facts
from tests.benchmarks.scores import paired_bound
from tests.benchmarks.searches import cores

OURS = "gp, Hyperband"  # the one whose marks are promised
QUICK = (BASELINE, OURS)
LUCKY = (BASELINE, OURS)  # race where a trial shows one seed
MADE_SEEDS = 10  # of our own on made curves, which decide no mark
QUICK_WORKERS = (25, 64)
TIMES, LOW = 4.0, 3.0  # times fewer epochs than random search without stopping; the interval's lower end
MOST_MS = 2.0  # of a decision
RUNS, DECISIONS = 5, 200
QUICK_DECISIONS = 50
DECISIONS_PROBE = "tests.benchmarks.decisions"
BUSY, BUSY_WORKERS, WORKERS = 0.95, 64, (1, 8, 25, 64, 500)
ORDER_WORKERS = 25  # chosen on the design's seeds; with 64, a first training of each already covers a sixth of the grid
STUDY, STUDY_WORKERS = 20, 64  # trials for each worker; a larger study than this many workers' takes too long to play


def own_outcomes(
    contenders: Sequence[str],
    seeds: Sequence[int],
    file: RaceFile,
    made: Sequence[str] = SYNTHETIC,
    single: Sequence[str] = SINGLE,
) -> Outcomes:
    """Our races; where a trial shows one seed only some, the dear ones on the real curves alone.

    Raises RuntimeError where one fails.
    """
    races = races_of(contenders, REAL, seeds)
    races += races_of([name for name in contenders if name in LUCKY], single, seeds)
    races += races_of([name for name in contenders if name not in DEAR], made, seeds[:MADE_SEEDS])
    outcomes, failed = outcomes_of(races, file, cores())
    if failed:
        raise RuntimeError("\n".join(failed))
    return outcomes


def ratio_to_random(outcomes: Outcomes, contender: str, problems: Sequence[str]) -> Ratio | None:
    theirs, ours = (epochs_of(outcomes, name, problems) for name in (BASELINE, contender))
    return None if np.isnan(ours).any() or np.isnan(theirs).any() else ratio(theirs, ours)


def rows_of(outcomes: Outcomes, contenders: Sequence[str]) -> list[dict[str, Any]]:
    """A row for each contender: mean epochs and how many times fewer than random on the real problems, mean epochs on
    the made ones, and how many races never found (on each problem in this order)."""
    rows = []
    for contender in contenders:
        row: dict[str, Any] = {"contender": contender}
        for name in PROBLEMS:
            epochs = epochs_of(outcomes, contender, [name])
            raced = epochs[~np.isnan(epochs)]
            row[name] = round(float(raced.mean())) if len(raced) else None
            if name in REAL:
                found = ratio_to_random(outcomes, contender, [name])
                row[f"{name}, times fewer"] = found.mean if found else None
        counts = [
            str(never(outcomes, contender, name)) if row[name] is not None else "-" for name in PROBLEMS
        ]
        rows.append({**row, "never": " ".join(counts)})
    return rows


def details_of(outcomes: Outcomes, contenders: Sequence[str]) -> dict[str, Any]:
    """problem -> contender -> mean epochs until found and until finished, times fewer than random, races without."""
    found: dict[str, Any] = {}
    for name in PROBLEMS:
        for contender in contenders:
            if contender not in outcomes.get(name, {}):
                continue
            times = ratio_to_random(outcomes, contender, [name])
            found.setdefault(name, {})[contender] = {
                "epochs": round(float(np.nanmean(epochs_of(outcomes, contender, [name]))), 1),
                "epochs until finished": round(float(np.nanmean(epochs_of(outcomes, contender, [name], FINISHED))), 1),
                "never": never(outcomes, contender, name),
                "never finished": never(outcomes, contender, name, FINISHED),
                "times fewer than random": [round(x, 3) for x in (times.mean, times.low, times.high)]
                if times
                else None,
            }
    return found


def race_marks(outcomes: Outcomes, peers: Sequence[str]) -> list[Mark]:
    """Ours against random search and each peer: on both real problems, and on each."""
    marks = []
    for problems in (list(REAL), *([name] for name in REAL)):
        where = "both real problems" if len(problems) > 1 else problems[0]
        found = ratio_to_random(outcomes, OURS, problems)
        if found is not None:
            met = found.mean >= TIMES and found.low > LOW
            words = f"epochs of {OURS} against random without stopping, {where}"
            marks.append(Mark(words, str(found), f"at least {TIMES:g}, lower bound above {LOW:g}", met))
    for peer in peers:
        for problems in (list(REAL), *([name] for name in REAL)):
            where = "both real problems" if len(problems) > 1 else problems[0]
            theirs, ours, base = (epochs_of(outcomes, name, problems) for name in (peer, OURS, BASELINE))
            comparison = saved(problems, theirs, ours, base)
            if comparison is not None:
                words = f"epochs of {peer} beyond those of {OURS}, {where}"
                marks.append(Mark(words, str(comparison), "lower bound above 0", comparison.low > 0))
    return marks


def losing_notes(outcomes: Outcomes, contenders: Sequence[str], peers: Sequence[str]) -> list[str]:
    """Where ours trains more than somebody else, and who on the made curves never finds."""
    notes = []
    for name in PROBLEMS:
        if OURS not in outcomes.get(name, {}):
            continue
        ours = float(np.nanmean(epochs_of(outcomes, OURS, [name])))
        others = [one for one in (BASELINE, *peers) if one in outcomes.get(name, {})]
        means = {one: float(np.nanmean(epochs_of(outcomes, one, [name]))) for one in others}
        ahead = [f"{one} {mean:,.0f}" for one, mean in means.items() if mean < ours]
        if ahead:
            notes.append(f"{name}: {OURS} needs {ours:,.0f} epochs, fewer need {', '.join(ahead)}")
    for name in SYNTHETIC:
        by_contender = outcomes.get(name, {})
        lost = [
            one for one in contenders if one in by_contender and 2 * never(outcomes, one, name) > len(by_contender[one])
        ]
        if lost:
            notes.append(f"{name}: never found in most races by {', '.join(lost)}")
    return notes


def simulated(seeds: Sequence[int], workers: Sequence[int], processes: int) -> tuple[list[dict[str, Any]], list[Mark]]:
    """The simulator's rows and marks."""
    with ProcessPoolExecutor(processes) as pool:
        timed = {
            (name, count): [pool.submit(virtual_workers.time_to_target, name, count, seed) for seed in seeds]
            for count in sorted({*workers} & {ORDER_WORKERS, BUSY_WORKERS})
            for name in virtual_workers.ORDER
        }
        busy = {
            (name, count): (
                pool.submit(virtual_workers.utilisation, name, count, seeds[0]),
                pool.submit(virtual_workers.utilisation, name, count, seeds[0], trials=STUDY * count)
                if count <= STUDY_WORKERS
                else None,
            )
            for count in workers
            for name in virtual_workers.SCHEDULERS
        }
        times = {key: np.array([[future.result() for future in futures]]) for key, futures in timed.items()}
        rows = [
            {
                "simulated": f"{name}, {count} workers",
                "utilisation": whole.result(),
                f"in a study of {STUDY} trials a worker": ended.result() if ended else None,
                "time to target": float(times[name, count].mean()) if (name, count) in times else None,
            }
            for (name, count), (whole, ended) in busy.items()
        ]
        share = busy["ASHA", BUSY_WORKERS][0].result()
    return rows, [
        Mark(f"utilisation of ASHA with {BUSY_WORKERS} workers", share, f"above {BUSY:.0%}", share > BUSY),
        *order_marks({name: times[name, ORDER_WORKERS] for name in virtual_workers.ORDER}),
    ]


def order_marks(times: dict[str, NDArray[np.float64]]) -> list[Mark]:
    """That each scheduler comes to the target sooner than the next, paired by seed; times (1, seeds), in that order."""
    marks = []
    for sooner, later in pairwise(times):
        mean, low, high = paired_bound(times[later], times[sooner])
        words = f"how much later than {sooner} comes {later} to the target, with {ORDER_WORKERS} workers"
        marks.append(Mark(words, f"{mean:+.1f} [{low:+.1f}, {high:+.1f}]", "lower bound above 0", low > 0))
    return marks


def decided(
    place: Installation, database: str, runs: int, rows: list[dict[str, Any]], many: int = DECISIONS
) -> list[Mark]:
    """Rows and marks of the decisions in one database."""
    found = json.loads(place.python("-m", DECISIONS_PROBE, str(runs), str(many)))
    marks = []
    for decision, means in found.items():
        rows.append({"decision": f"{decision}, {database}", "median ms": median(means), "worst ms": max(means)})
        if not decision.endswith("once"):
            words = f"ms of a decision with 10,000 at the rung, {decision}, {database}"
            marks.append(Mark(words, median(means), f"under {MOST_MS:g}", median(means) < MOST_MS))
    return marks


def run(*, quick: bool = False) -> Report:
    """Race, simulate, decide."""
    began, load = time.monotonic(), os.getloadavg()[0]
    seeds = DESIGN_SEEDS if quick else SEEDS
    contenders = list(QUICK if quick else CONTENDERS)
    folder = Path(settings.STATE_DIR) / "benchmarks"
    if quick:
        outcomes = own_outcomes(contenders, seeds, RaceFile(None, lambda name: None), made=(), single=())
    else:
        outcomes = own_outcomes(contenders, seeds, own_file(folder))
    versions: dict[str, str] = {}
    notes: list[str] = []
    if not quick:
        theirs, versions, notes = peer_outcomes(PROBLEMS, seeds, cores())
        for name, by_contender in theirs.items():
            outcomes[name].update(by_contender)
    rows = rows_of(outcomes, [*contenders, *versions])
    marks = race_marks(outcomes, list(versions))
    notes += losing_notes(outcomes, [*contenders, *versions], list(versions))
    more, simulator_marks = simulated(seeds[:3] if quick else seeds, QUICK_WORKERS if quick else WORKERS, cores())
    rows += more
    marks += simulator_marks
    with installation() as place:
        marks += decided(place, "SQLite", RUNS, rows, QUICK_DECISIONS if quick else DECISIONS)
    server = os.environ.get(POSTGRES)
    if server and not quick:
        with on_postgres(server) as place:
            marks += decided(place, "PostgreSQL", RUNS, rows)
    elif not quick:
        notes.append(f"PostgreSQL is left out: {POSTGRES} names no server")
    facts = run_facts(
        ["numpy", "scipy", "scikit-learn", "django", "psycopg"],
        peers=sorted(set(versions.values())),
        seeds=list(seeds),
        cores=cores(),
        load_before=round(load, 1),
        seconds=round(time.monotonic() - began),
    )
    notes += notes_on(quick, versions, load)
    return Report("fidelity", rows, marks, notes, facts, {"races": details_of(outcomes, [*contenders, *versions])})


def notes_on(quick: bool, versions: dict[str, str], load: float) -> list[str]:
    """How the figures came about."""
    notes = [
        "Epochs are means over the seeds; a race that never found counts with all of its epochs, half of the grid's. "
        f'"never": such races on {", ".join(PROBLEMS)}. Over both real problems a ratio is the geometric '
        "mean of the problems' ratios of means, and a difference is in units of random search's mean on each problem; "
        "intervals are 95 %, by a bootstrap over the seeds, paired.",
        f"On made curves ours race with the first {MADE_SEEDS} seeds; left out there, since they start thousands of "
        f"trials: {', '.join(DEAR)}. With one seed of the three to a trial race {' and '.join(LUCKY)} of ours.",
        f"{cores()} cores, on which {load:.1f} processes wanted to run before",
    ]
    for package in sorted({peer.package for peer in PEERS.values() if not installed(peer.package)}):
        kept = sorted({key for name, key in versions.items() if PEERS[name].package == package})
        notes.append(
            f"not installed: {package}; " + (f"races of {kept[0]} from race_peers.json" if kept else "left out")
        )
    if quick:
        notes.append("--quick: design seeds, random search and ours alone, on the real curves; it decides no mark")
    return notes
