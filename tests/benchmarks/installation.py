"""An installation of its own in a temporary folder: database, workloads, workers. No benchmark touches the real one.

Whatever runs in it ends with the process that began it: in order on SIGTERM and Ctrl-C, and by the kernel's hand where
that process is killed (then the folder stays).
"""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg

from tests.benchmarks.processes import dying_with_us
from tests.benchmarks.report import ROOT

STOP_SECONDS = 60.0  # for the supervisor to shut down; its own grace is 1 s
POSTGRES = "HPWEB_TEST_POSTGRES_URL"  # names a server where benchmarks may make databases
LEFT_OUT = ("DATABASE_URL", "HPWEB_REDIS_URL", "HPWEB_ARTIFACT_DIR", "HPWEB_WORKLOADS", "HPWEB_PROGRAMS")


class Installation:
    """A folder, and the environment in which hpweb's commands use it; one CPU slot on SQLite."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        (folder / "workloads").mkdir(parents=True, exist_ok=True)
        self.environment = {
            **{name: value for name, value in os.environ.items() if name not in LEFT_OUT},
            "DJANGO_SETTINGS_MODULE": "hpweb.settings",
            "HPWEB_HOME": str(folder),
            "HPWEB_HOST": "here",
            "HPWEB_SLOTS": "1",
            "HPWEB_GRACE_SECONDS": "1",
            "HPWEB_WORKLOAD_DIR": str(folder / "workloads"),
            "HPWEB_LOG_LEVEL": "ERROR",
            **settings,
        }

    def write(self, name: str, code: str) -> None:
        """Put a workload's file there."""
        (self.folder / "workloads" / f"{name}.py").write_text(code)

    def python(self, *words: str) -> str:
        """Run a program of this repository in it and return what it printed. Raises RuntimeError with its errors."""
        result = subprocess.run(
            [sys.executable, *words],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=dying_with_us(signal.SIGKILL),
        )
        if result.returncode != 0:
            raise RuntimeError(f"{' '.join(words)} ended with {result.returncode}:\n{result.stderr[-3000:]}")
        return result.stdout

    @contextmanager
    def workers(self, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run `manage.py worker` inside the block."""
        worker = subprocess.Popen(
            [sys.executable, "manage.py", "worker"],
            cwd=ROOT,
            env={**self.environment, **settings},
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            preexec_fn=dying_with_us(signal.SIGTERM),  # it shuts down in order
        )
        try:
            yield worker
        finally:
            worker.send_signal(signal.SIGTERM)
            try:
                worker.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                worker.kill()
                self._end_cluster()
                raise

    def _end_cluster(self) -> None:
        """Kill the workers of a supervisor that did not end."""
        session = json.loads((self.folder / "locks" / "cluster-here.json").read_text())["session"]
        os.killpg(session, signal.SIGKILL)

    def ask(self, query: str, *values: Any) -> list[Any]:
        """The rows of a query."""
        with closing(sqlite3.connect(self.folder / "hpweb.sqlite3", timeout=20)) as connection:
            return connection.execute(query, values).fetchall()


@contextmanager
def installation(**settings: str) -> Iterator[Installation]:
    """A migrated installation that is gone after the block, and after a SIGTERM in it."""
    former = signal.signal(signal.SIGTERM, _leave)
    try:
        with _migrated(settings) as found:
            yield found
    finally:
        signal.signal(signal.SIGTERM, former)


@contextmanager
def on_postgres(server: str) -> Iterator[Installation]:
    """An installation on a database of its own of the PostgreSQL server at this address; both are gone after it."""
    name = f"hpweb_bench_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    try:
        with installation(DATABASE_URL=urlunsplit(urlsplit(server)._replace(path=f"/{name}"))) as place:
            yield place
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


@contextmanager
def _migrated(settings: dict[str, str]) -> Iterator[Installation]:
    with tempfile.TemporaryDirectory(prefix="hpweb-bench-") as folder:
        found = Installation(Path(folder), **settings)
        found.python("manage.py", "migrate", "--skip-checks", "--verbosity", "0")
        yield found
