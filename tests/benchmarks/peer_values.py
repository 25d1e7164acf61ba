"""The peers' values, kept in peers.json, so that nobody waits hours for them again.

`python -m tests.benchmarks.peer_values` computes what is missing for the peers that are installed (cheap ones first,
two processes unless `--processes N` says otherwise; `--contender` and `--problem`, both repeatable, restrict it) and
writes after every search, so a run that is interrupted is resumed by the same command.

The file: "problems" has a fingerprint of each problem; "values" has, by package and version, by contender, by problem
and by seed, the true value of the incumbent after 25, 50 and 100 trials. Values of a problem whose fingerprint is
another by now are never used, and are dropped by the next write.
"""

import argparse
import fcntl
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib import metadata
from pathlib import Path

import numpy as np

from tests.benchmarks.contenders import PEERS, installed
from tests.benchmarks.real import table_of
from tests.benchmarks.searches import (
    REPORT_SEED,
    Task,
    Values,
    is_real,
    play,
    play_each,
    problem_named,
    problem_names,
    tasks_for,
)
from tuning.engine import SearchSpace

PATH = Path(__file__).with_name("peers.json")
Stored = dict[str, dict[str, dict[str, dict[str, list[float]]]]]  # "package version" -> contender -> problem -> seed


@cache
def fingerprint(name: str) -> str:
    """A hash of what a value of this problem depends on: its space, its noise, its values at sixteen fixed points (in
    the box of the first reported seed where boxes move) and, of a real one, its table."""
    problem = problem_named(name, REPORT_SEED)
    space = SearchSpace.from_json(problem.space)
    rng = np.random.default_rng(0)
    points = [problem.value(space.from_unit(rng.random(len(space)))) for _ in range(16)]
    digest = hashlib.sha256(space.digest().encode())
    digest.update(" ".join(f"{number:.9g}" for number in (problem.best, problem.noise, *points)).encode())
    if is_real(name):
        table = table_of(name)
        digest.update(repr(table.shape).encode() + table.astype("<f4").tobytes())
    return digest.hexdigest()[:16]


def _mark_of(name: str) -> str | None:
    return fingerprint(name) if name in problem_names(quick=False) else None


def load(path: Path, mark_of: Callable[[str], str | None] = _mark_of) -> Stored:
    """The stored values whose problem is still the same by its mark; None: it is unknown here and left out."""
    if not path.exists():
        return {}
    document = json.loads(path.read_text())
    fresh = {name for name, mark in document["problems"].items() if mark == mark_of(name)}
    return {
        key: {
            contender: {name: seeds for name, seeds in by_problem.items() if name in fresh}
            for contender, by_problem in by_contender.items()
        }
        for key, by_contender in document["values"].items()
    }


def dump(stored: Stored, mark_of: Callable[[str], str | None] = fingerprint) -> str:
    """The file's text: a line for each contender and problem, so that a change is a readable one."""
    names = sorted({name for by in stored.values() for problems in by.values() for name in problems})
    marks = ",\n".join(f"  {json.dumps(name)}: {json.dumps(mark_of(name))}" for name in names)
    blocks = []
    for key, by_contender in sorted(stored.items()):
        inner = []
        for contender, by_problem in sorted(by_contender.items()):
            lines = ",\n".join(
                f"    {json.dumps(name)}: "
                + json.dumps({seed: seeds[seed] for seed in sorted(seeds, key=int)}, separators=(",", ":"))
                for name, seeds in sorted(by_problem.items())
            )
            inner.append(f"   {json.dumps(contender)}: {{\n{lines}\n   }}")
        blocks.append(f"  {json.dumps(key)}: {{\n" + ",\n".join(inner) + "\n  }")
    return '{\n "problems": {\n' + marks + '\n },\n "values": {\n' + ",\n".join(blocks) + "\n }\n}\n"


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """One writer at a time; the lock is on the folder, so nothing is left behind."""
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def keep(path: Path, key: str, task: Task, found: Sequence[float]) -> None:
    """Add the values of one search; a reader sees the file before or after, never between."""
    with alone(path):
        stored = load(path)
        seeds = stored.setdefault(key, {}).setdefault(task.contender, {}).setdefault(task.problem, {})
        seeds[str(task.seed)] = [float(f"{value:.9g}") for value in found]
        fresh = path.with_suffix(".new")
        fresh.write_text(dump(stored))
        fresh.replace(path)


def key_of(package: str, stored: Stored) -> str | None:
    """ "package version": the installed one, else the newest that has stored values, else None."""
    if installed(package):
        return f"{package} {metadata.version(package)}"
    versions = [key for key in stored if key.split()[0] == package]
    return max(
        versions, key=lambda key: [int(part) for part in key.split()[1].split(".") if part.isdigit()], default=None
    )


def find(stored: Stored, task: Task) -> list[float] | None:
    """The stored values of a search of the installed or newest version, if it reached the task's last budget."""
    known = stored.get(key_of(PEERS[task.contender].package, stored) or "", {})
    found = known.get(task.contender, {}).get(task.problem, {}).get(str(task.seed), [])
    return found if len(found) >= task.budgets else None


def compute(tasks: Sequence[Task], *, processes: int, path: Path | None) -> tuple[Values, list[str]]:
    """Play searches of installed peers, keeping each as it ends (path None: keeping none); the values, and a line for
    each search that failed."""
    values: Values = {}
    failed: list[str] = []
    began = time.monotonic()
    done = 0

    def ended(task: Task, found: list[float] | BaseException) -> None:
        nonlocal done
        done += 1
        if isinstance(found, BaseException):
            failed.append(f"{task.contender} failed on {task.problem}, seed {task.seed}: {found!r}")
            print(failed[-1], file=sys.stderr, flush=True)
            return
        values.setdefault(task.problem, {}).setdefault(task.contender, {})[task.seed] = found
        if path is not None:
            package = PEERS[task.contender].package
            keep(path, f"{package} {metadata.version(package)}", task, found)
        if path is not None and (done % 20 == 0 or PEERS[task.contender].slow):
            seconds = time.monotonic() - began
            print(f"{done}/{len(tasks)} {seconds:.0f} s: {task.contender}, {task.problem}, {task.seed}", flush=True)

    play_each(play, tasks, processes, ended)
    return values, failed


def peer_values(
    names: Sequence[str], *, quick: bool, processes: int, path: Path = PATH
) -> tuple[Values, dict[str, str], list[str]]:
    """What the peers found: from the file where it has it, else computed where the peer is installed. A quick run
    plays other seeds, computes no slow peer and keeps nothing. Also "package version" of each contender that has
    values, and a line for each search that failed."""
    stored = load(path)
    values: Values = {}
    missing = []
    for task in tasks_for(names, list(PEERS), quick=quick):
        peer = PEERS[task.contender]
        found = find(stored, task)
        if found is not None:
            values.setdefault(task.problem, {}).setdefault(task.contender, {})[task.seed] = found
        elif installed(peer.package) and not (quick and peer.slow):
            missing.append(task)
    computed, failed = compute(missing, processes=processes, path=None if quick else path)
    for name, by_contender in computed.items():
        for contender, by_seed in by_contender.items():
            values.setdefault(name, {}).setdefault(contender, {}).update(by_seed)
    have = {contender for by_contender in values.values() for contender in by_contender}
    return values, {name: key_of(PEERS[name].package, stored) or "" for name in PEERS if name in have}, failed


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.peer_values", description="Fill peers.json.")
    parser.add_argument("--contender", action="append", choices=list(PEERS))
    parser.add_argument("--problem", action="append", choices=problem_names(quick=False))
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args(arguments)
    contenders = [name for name in options.contender or PEERS if installed(PEERS[name].package)]
    stored = load(PATH)
    tasks = tasks_for(options.problem or problem_names(quick=False), contenders, quick=False)
    missing = [task for task in tasks if find(stored, task) is None]
    print(f"{len(missing)} of {len(tasks)} searches are missing", flush=True)
    _values, failed = compute(missing, processes=options.processes, path=PATH)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
