"""`manage.py bench chaos`: a long seeded storm on SQLite, then on PostgreSQL with Redis, and what it broke.

Every disturbance strikes a real installation (tests/chaos): two busy slots, real supervisors and django-q clusters,
trial processes that train nothing but write checkpoints and a ledger; on PostgreSQL a second host comes and goes.
Leases are 6 s. A server that is not installed leaves its storm out, with one line. The logs of a storm that broke a
promise are kept, and their folder is named.
"""

import os
from collections import Counter
from statistics import median
from typing import Any

from tests.benchmarks.report import Mark, Report, run_facts
from tests.chaos.disturbances import KINDS
from tests.chaos.place import LEASE_SECONDS
from tests.chaos.servers import NotInstalled
from tests.chaos.storm import BUSY_SECONDS, Aftermath, storm
from tests.chaos.verdict import PROMISES

KILLS = 200  # disturbances on each database
QUICK_KILLS = 3
SEED = 1


def rows_of(found: Aftermath) -> list[dict[str, Any]]:
    """A row for each kind of disturbance: how often, and the seconds until every slot was busy again."""
    return [
        {
            "disturbance": kind,
            "database": found.database,
            "times": len(seconds),
            "median s": median(seconds),
            "worst s": max(seconds),
        }
        for kind, seconds in sorted(found.seconds.items())
    ]


def marks_of(found: Aftermath) -> list[Mark]:
    """A mark for each promise."""
    broken = Counter(violation.promise for violation in found.violations)
    marks = [
        Mark(f"{found.database}: {words}", str(broken[promise]), "0", broken[promise] == 0)
        for promise, words in PROMISES.items()
    ]
    for words, limit, lease, host in (
        ("after a kill", BUSY_SECONDS, False, False),
        ("after a freeze", BUSY_SECONDS + LEASE_SECONDS, True, False),
        ("and a lost host's trial goes on", BUSY_SECONDS + LEASE_SECONDS, True, True),
    ):
        seconds = [
            worst
            for name, times in found.seconds.items()
            if (KINDS[name].lease, KINDS[name].host) == (lease, host)
            for worst in times
        ]
        if seconds:
            mark = f"{found.database}: seconds until every slot is busy again {words}, worst"
            marks.append(Mark(mark, max(seconds), f"under {limit:g}", max(seconds) < limit))
    return marks


def note_of(found: Aftermath) -> str:
    """What the storm went over, in a line."""
    ends = ", ".join(f"{count} {word.lower()}" for word, count in sorted(found.trials.items()))
    left_out = f"; left out: {', '.join(found.left_out)}" if found.left_out else ""
    return (
        f"{found.database}: {found.blows} disturbances, {sum(found.trials.values())} trials ({ends}) in "
        f"{found.attempts} attempts, {found.steps} steps, {len(found.restarts)} new starts of a cluster that no blow "
        f"had ended{left_out}"
    )


def run(*, quick: bool = False, kills: int | None = None, seed: int = SEED) -> Report:
    """One storm on each database."""
    load = os.getloadavg()[0]
    rows: list[dict[str, Any]] = []
    marks: list[Mark] = []
    notes: list[str] = []
    violations: dict[str, list[str]] = {}
    for servers in (False, True):
        try:
            found = storm(kills or (QUICK_KILLS if quick else KILLS), seed, servers=servers, lenient=False)
        except NotInstalled as error:
            notes.append(f"the storm on PostgreSQL with Redis is left out: {error}")
            continue
        rows += rows_of(found)
        marks += marks_of(found)
        notes.append(note_of(found))
        violations[found.database] = [f"{violation.promise}: {violation.words}" for violation in found.violations]
        notes += [f"{found.database}: {line}" for line in violations[found.database]]
        if found.kept:
            notes.append(f"{found.database}: logs, ledger and tables are kept in {found.kept}")
    cores = len(os.sched_getaffinity(0))
    facts = run_facts(["django", "django-q2", "psycopg"], cores=cores, load_before=round(load, 1), seed=seed)
    notes.append(f"{cores} cores, on which {load:.1f} processes wanted to run before; leases of {LEASE_SECONDS:g} s")
    return Report("chaos", rows, marks, notes, facts, {"violations": violations})
