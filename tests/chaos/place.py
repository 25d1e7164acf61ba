"""An installation that a storm may strike: a folder, a supervisor that is restarted as by systemd, and its ledger."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from tests.benchmarks.installation import Installation
from tests.benchmarks.report import ROOT
from tests.chaos.ledger import Ledger
from tuning.workers.processes import children, end_session, session_members

RESTART_SECONDS = 0.5  # systemd's RestartSec
STOP_SECONDS = 30.0
LEASE_SECONDS = 6.0
STEP_SECONDS = 0.1
SETTINGS = {
    "DJANGO_SETTINGS_MODULE": "tests.chaos.settings",
    "HPWEB_LEASE_SECONDS": f"{LEASE_SECONDS:g}",
    "HPWEB_HEARTBEAT_SECONDS": "1",
    "HPWEB_CONTROL_SECONDS": "0.2",
    "HPWEB_FLUSH_SECONDS": "0.2",
    "HPWEB_WARM_SECONDS": "20",
    "HPWEB_LOG_LEVEL": "WARNING",
    "HPWEB_FREE_DISK_MB": "0",  # its disk is smaller than what is usual, and is filled under running trials
    "CHAOS_STEP_SECONDS": f"{STEP_SECONDS:g}",
}


class Place(Installation):
    """One host of an installation; several share a database, an artifact folder and a ledger."""

    def __init__(self, folder: Path, *, host: str = "here", slots: int = 2, ledger: Path, **settings: str) -> None:
        self.ledger = Ledger(ledger)
        super().__init__(
            folder,
            **{**SETTINGS, "HPWEB_HOST": host, "HPWEB_SLOTS": str(slots), "CHAOS_LEDGER": str(ledger), **settings},
        )
        self.host, self.slots = host, slots
        self.log = folder / "worker.log"
        self.supervisor: subprocess.Popen[bytes] | None = None
        self.wanted = False
        self.restarts = 0
        self._extra: dict[str, str] = {}
        self._died: float | None = None
        self.new_starts: list[tuple[float, float]] = []  # when the old cluster was last known, and the new one seen
        self._session, self._session_seen = 0, 0.0

    # --- the supervisor, as systemd keeps it ----------------------------------------------------------------------
    def start(self, **extra: str) -> None:
        """Start the supervisor; `extra` environment holds for this start alone."""
        self.wanted, self._died = True, None
        with self.log.open("ab") as log:
            self.supervisor = subprocess.Popen(
                [sys.executable, "manage.py", "worker"],
                cwd=ROOT, env={**self.environment, **self._extra, **extra}, stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        self._extra = {}

    def next_start(self, **extra: str) -> None:
        """What the next restart has in its environment besides."""
        self._extra = extra

    def tend(self) -> None:
        """Start the supervisor again where it has died RESTART_SECONDS ago, and notice a cluster that is a new one."""
        self._look_at_session()
        if not self.wanted or self.supervisor is None or self.supervisor.poll() is None:
            return
        now = time.monotonic()
        if self._died is None:
            self._died = now
        elif now - self._died >= RESTART_SECONDS:
            self.restarts += 1
            self.start()

    def stop(self) -> int | None:
        """SIGTERM, and its exit code; None where it has to be killed."""
        self.wanted = False
        if self.supervisor is None:
            return 0
        self.supervisor.terminate()
        try:
            return self.supervisor.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            return None

    def vanish(self) -> None:
        """End everything of this host at one blow, as a power cut does, and have nobody restart it."""
        self.wanted = False
        for _ in range(50):
            if not (left := self.processes()):
                break
            for pid in left:
                kill(pid)
            time.sleep(0.05)
        if self.supervisor is not None:
            self.supervisor.wait()

    # --- who is who -----------------------------------------------------------------------------------------------
    def processes(self) -> dict[int, str]:
        """Every process of this host, zombies left out, by its command line."""
        mark = f"HPWEB_HOME={self.folder}".encode()
        found = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue  # it ended while we looked
        return {pid: line for pid, line in found.items() if line and "tests.chaos.desk" not in line}

    def trial_processes(self) -> list[int]:
        return sorted(pid for pid, line in self.processes().items() if "tests.chaos.runner" in line)

    def main(self) -> int | None:
        """The cluster's main process."""
        session = self._noted_session()
        return session if session in session_members(session) else None

    def _noted_session(self) -> int:
        """The session of the cluster by its supervisor's note; 0 before it is written."""
        try:
            return int(json.loads((self.folder / "locks" / f"cluster-{self.host}.json").read_text())["session"])
        except (OSError, ValueError):
            return 0

    def _look_at_session(self) -> None:
        session, now = self._noted_session(), time.monotonic()
        if session and session != self._session:
            if self._session:
                self.new_starts.append((self._session_seen, now))
            self._session = session
        if session:
            self._session_seen = now

    def sentinel(self) -> int | None:
        main = self.main()
        found = children(main) if main else []
        return found[0] if found else None

    def members(self) -> list[int]:
        """The sentinel's children: workers, pusher and monitor."""
        sentinel = self.sentinel()
        return children(sentinel) if sentinel else []

    def workers_busy(self) -> list[int]:
        """Workers that have a trial process."""
        return [pid for pid in self.members() if children(pid)]

    def clear(self) -> None:
        """After a failure: leave nothing behind."""
        self.wanted = False
        for pid in self.processes():
            end_session(pid, grace=0.0)
            kill(pid)
        if self.supervisor is not None and self.supervisor.poll() is None:
            self.supervisor.kill()
            self.supervisor.wait()


class Desk:
    """The process at the desk, and its answers."""

    def __init__(self, place: Place) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.desk"],
            cwd=ROOT, env=place.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.communicate()

    def ask(self, call: str, **words: Any) -> Any:
        """Raises RuntimeError where the desk has ended with an error, which it has printed."""
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the desk is started with pipes")
        self._process.stdin.write(json.dumps({"call": call, **words}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the desk has ended with {self._process.wait()}")
        return json.loads(line)


def kill(pid: int, number: signal.Signals = signal.SIGKILL) -> bool:
    """Whether there was such a process."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def wait_for(what: Callable[[], Any], seconds: float, words: str) -> Any:
    """The first true answer. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not (answer := what()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{words}: not within {seconds:.0f} seconds")
        time.sleep(0.05)
    return answer
