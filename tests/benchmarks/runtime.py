"""`manage.py bench runtime`: what a trial costs beside its training, on one CPU slot of this machine with SQLite.

The gap is measured inside the trial processes, from the last step that one trial reports to the first that the next
reports: its checkpoint's write, the database, the scheduler, the sampler (random), the next trial's data, model and
first epoch are all in it. Ingestion runs on SQLite, and on the PostgreSQL that HPWEB_TEST_POSTGRES_URL names, in a
database of its own.

An absolute mark is the median of five runs on a machine that is stated and has nothing else to do.
"""

import json
import os
import time
from itertools import pairwise
from statistics import median, quantiles
from typing import Any

import numpy as np

from tests.benchmarks.installation import POSTGRES, Installation, installation, on_postgres
from tests.benchmarks.report import Mark, Report, run_facts
from tests.workers.workloads import NAME, write_workload

GAP_SECONDS = 0.150
EPOCHS = 3
PARABOLA = """
SPACE = {"x": {"type": "float", "low": -2.0, "high": 2.0}}
MAX_RESOURCE = 1


def objective(trial):
    value = (trial.suggest_float("x", -2.0, 2.0) - 1) ** 2
    trial.report(value, 1)
    return value
"""
PROBE = "tests.benchmarks.runtime_probe"
LONG = 100_000
INGESTION = "tests.benchmarks.ingestion"
TRIALS, RATE, PARTS = 32, 50, 4  # trials, steps that each reports a second, processes that attend to them
NEEDED = TRIALS * RATE


def finished(place: Installation, study: str, worker: Any, seconds: float) -> None:
    """Wait until the study has finished. Raises TimeoutError, RuntimeError."""
    deadline = time.monotonic() + seconds
    while not place.ask("SELECT 1 FROM tuning_study WHERE name = ? AND state = 'FINISHED'", study):
        if worker.poll() is not None:
            raise RuntimeError(f"the workers have ended with {worker.returncode}")
        if time.monotonic() > deadline:
            raise TimeoutError(f"the study {study} has not finished within {seconds:g} seconds")
        time.sleep(0.2)


def gaps(place: Installation, study: str) -> list[float]:
    """Seconds between the last step of each trial and the first of the next, by the trial processes' clock."""
    rows = place.ask(
        "SELECT t.number, c.wall_times FROM tuning_metricchunk c JOIN tuning_trial t ON t.id = c.trial_id "
        "JOIN tuning_study s ON s.id = t.study_id WHERE s.name = ? AND t.state = 'COMPLETE' ORDER BY t.number",
        study,
    )
    spans: dict[int, tuple[float, float]] = {}
    for number, blob in rows:
        times = np.frombuffer(blob, "<f8")
        low, high = spans.get(number, (np.inf, -np.inf))
        spans[number] = (min(low, float(times.min())), max(high, float(times.max())))
    numbers = sorted(spans)
    return [spans[after][0] - spans[before][1] for before, after in pairwise(numbers)]


def trials_a_minute(place: Installation, study: str) -> float:
    """Finished trials per minute, from the first's end to the last's."""
    rows = place.ask(
        "SELECT COUNT(*), (julianday(MAX(t.completed)) - julianday(MIN(t.completed))) * 1440 FROM tuning_trial t "
        "JOIN tuning_study s ON s.id = t.study_id WHERE s.name = ? AND t.state = 'COMPLETE'",
        study,
    )
    count, minutes = rows[0]
    return (count - 1) / minutes


def series(what: str, seconds: list[float]) -> dict[str, Any]:
    high = quantiles(seconds, n=20)[-1] if len(seconds) > 1 else seconds[0]
    return {"what": what, "median s": median(seconds), "p95 s": high, "n": len(seconds)}


def run(*, quick: bool = False) -> Report:
    """Run tiny studies and read from the database what happened."""
    n = 10 if quick else 60
    rows: list[dict[str, Any]] = []
    notes: list[str] = []
    load = os.getloadavg()[0]
    with installation() as place:
        write_workload(place.folder / "workloads", seconds=0.0, epochs=EPOCHS)
        place.write("parabola", PARABOLA)
        for study, workload, trials, resource, warm in (
            ("warm", NAME, n, EPOCHS, "30"),
            ("cold", NAME, 4 if quick else 8, EPOCHS, "0"),
            ("function", "parabola", n, 1, "30"),
        ):
            place.python("-m", PROBE, "start", study, workload, str(trials), str(resource))
            with place.workers(HPWEB_WARM_SECONDS=warm) as worker:
                finished(place, study, worker, 60.0 + 20.0 * trials)
        warm_gaps = gaps(place, "warm")
        rows.append(series("gap between trainings, warm", warm_gaps))
        rows.append(series("gap between trainings, cold", gaps(place, "cold")))
        rows.append(series("gap between functions, warm", gaps(place, "function")))
        for study, words in (("warm", "trainings of 3 tiny epochs"), ("function", "functions of one step")):
            rows.append({"what": f"{words}, per minute and slot", "rate": trials_a_minute(place, study)})
        marks = [
            Mark(
                "median seconds from the end of one trial to the first step of the next",
                median(warm_gaps),
                f"under {GAP_SECONDS}",
                median(warm_gaps) < GAP_SECONDS,
            )
        ]
        if not quick:
            marks += disturbances(place, rows)
            marks += ingestion(place, "SQLite", rows)
    if not quick:
        marks += ingestion_on_postgres(rows, notes)
    facts = run_facts(["torch", "django", "django-q2"], cores=len(os.sched_getaffinity(0)), load_before=round(load, 1))
    note = f"one slot on SQLite; {facts['cores']} cores, on which {load:.1f} processes wanted to run before"
    return Report("runtime", rows, marks, [note, *notes], facts)


def disturbances(place: Installation, rows: list[dict[str, Any]]) -> list[Mark]:
    """Cancels and kills."""
    write_workload(place.folder / "workloads", seconds=0.005, epochs=LONG)
    found: dict[str, list[float]] = {}
    for study, words in (
        ("cancelled", ("cancel", "5")),
        ("killed", ("recover", "5", "process")),
        ("orphaned", ("recover", "5", "worker")),
    ):
        place.python("-m", PROBE, "start", study, NAME, "6", str(LONG))
        with place.workers():
            found[study] = json.loads(place.python("-m", PROBE, words[0], study, *words[1:]))
        place.python("-m", PROBE, "stop", study)
    rows.append(series("from a cancel to the process's end", found["cancelled"]))
    rows.append(series("from kill -9 of a trial process to its next step", found["killed"]))
    rows.append(series("from kill -9 of a worker to the trial's next step", found["orphaned"]))
    return [
        Mark("median seconds of a cancel", median(found["cancelled"]), "under 1", median(found["cancelled"]) < 1.0),
        Mark("median seconds of a recovery", median(found["orphaned"]), "under 10", median(found["orphaned"]) < 10.0),
    ]


def ingestion(place: Installation, database: str, rows: list[dict[str, Any]]) -> list[Mark]:
    """A flood of steps at the promised pace, then as fast as they are taken."""
    words = ("-m", INGESTION, "whole", str(TRIALS))
    paced = json.loads(place.python(*words, "20", str(RATE), str(PARTS)))
    full = json.loads(place.python(*words, "40", "0", str(PARTS)))
    rows.append(
        {
            "what": f"from a report to its row, {TRIALS} trials with {RATE} steps a second, {database}",
            "median s": paced["median_seconds"],
            "p95 s": paced["p95_seconds"],
            "worst s": paced["worst_seconds"],
            "n": paced["stored"],
        }
    )
    rows.append({"what": f"steps stored per second, as fast as they are taken, {database}", "rate": full["per_second"]})
    lost = sum(told["sent"] - told["stored"] for told in (paced, full)) + paced["wrong"] + full["wrong"]
    return [
        Mark(
            f"steps stored per second, {database}",
            full["per_second"],
            f"at least {NEEDED}",
            full["per_second"] >= NEEDED,
        ),
        Mark(f"steps lost of {paced['sent'] + full['sent']:,}, {database}", lost, "0", lost == 0),
    ]


def ingestion_on_postgres(rows: list[dict[str, Any]], notes: list[str]) -> list[Mark]:
    """The same on a database of its own of the server that the environment names; left out with a line without one."""
    server = os.environ.get(POSTGRES)
    if not server:
        notes.append(f"PostgreSQL is left out: {POSTGRES} names no server")
        return []
    with on_postgres(server) as place:
        return ingestion(place, "PostgreSQL", rows)
