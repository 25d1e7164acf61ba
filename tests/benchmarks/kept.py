"""Our own searches of an interrupted run: kept in the state folder under a digest of all that they depend on.

A full run takes the better part of an hour. What it has played stays until the samplers, the problems or the libraries
change; then the digest is another, and everything is played anew. Nothing of it is committed.
"""

import hashlib
import json
import platform
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from tests.benchmarks.report import ROOT
from tests.benchmarks.searches import Task, Values

ENGINE, BENCHMARKS = ROOT / "tuning" / "engine", ROOT / "tests" / "benchmarks"
# Of the engine: no scheduler decides anything in a search here, none is replayed, and the registry only names things.
WITHOUT = ("schedulers", "simulation.py", "replay.py", "alternatives.py", "registry.py")
PROBLEMS = ("contenders.py", "real.py", "searches.py", "spaces.py", "synthetic.py")
PACKAGES = ("numpy", "scipy", "scikit-learn", "threadpoolctl")


def digest() -> str:
    """Of the engine's code, the problems with their tables, Python and the libraries."""
    files = [*(BENCHMARKS / name for name in PROBLEMS), *(BENCHMARKS / "tables").glob("*.npz")]
    return digest_of(without=WITHOUT, files=files)


def digest_of(*, without: Sequence[str], files: Sequence[Path]) -> str:
    """Of the engine's code but for some of it, of these files, Python and the libraries."""
    found = hashlib.sha256(f"{platform.python_version()} {platform.machine()}".encode())
    engine = [path for path in ENGINE.rglob("*.py") if path.relative_to(ENGINE).parts[0] not in without]
    for path in sorted([*engine, *files]):
        found.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    for package in PACKAGES:
        found.update(f"{package} {metadata.version(package)}".encode())
    return found.hexdigest()[:16]


class Kept:
    """The searches of one digest, in a file of a JSON line each; a line that a kill cut short is played again."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / f"samplers-{digest()}.jsonl"
        self._known: dict[tuple[str, str, int], list[float]] = {}
        if self.path.exists():
            text = self.path.read_text()
            for line in text[: text.rfind("\n") + 1].splitlines():
                entry = json.loads(line)
                self._known[entry["problem"], entry["contender"], entry["seed"]] = entry["values"]
            self.path.write_text(text[: text.rfind("\n") + 1])

    def find(self, task: Task) -> list[float] | None:
        """The kept values of a search that reached the task's last budget."""
        found = self._known.get((task.problem, task.contender, task.seed), [])
        return found if len(found) >= task.budgets else None

    def add(self, task: Task, found: list[float]) -> None:
        """Keep a search that has been played."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        entry = {"problem": task.problem, "contender": task.contender, "seed": task.seed, "values": found}
        with self.path.open("a") as file:
            file.write(json.dumps(entry) + "\n")

    def split(self, tasks: list[Task]) -> tuple[Values, list[Task]]:
        """What is kept of these searches, and those that are still to be played."""
        values: Values = {}
        missing = []
        for task in tasks:
            found = self.find(task)
            if found is None:
                missing.append(task)
            else:
                values.setdefault(task.problem, {}).setdefault(task.contender, {})[task.seed] = found
        return values, missing
