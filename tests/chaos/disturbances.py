"""What may happen to an installation. Each kind strikes once, and says which slots must be busy anew after it.

The kinds of a second host are in second_host.py, those of clocks in clocks.py.
"""

import os
import signal
import time
from pathlib import Path
from typing import Any

from tests.chaos import clocks, second_host  # noqa: F401 - their kinds
from tests.chaos.blows import KINDS, Blow, Stage, kind
from tests.chaos.place import LEASE_SECONDS, kill
from tuning.workers.processes import children

CATCH_SECONDS = 5.0  # for which a worker is waited for that writes just then
WAL_WRITE_LOCK = "120"  # https://www.sqlite.org/walformat.html, 2.3.1


def _one(stage: Stage, pids: list[int]) -> int | None:
    return stage.chance.choice(sorted(pids)) if pids else None


def _killed(pid: int | None, doomed: set[int] | None) -> Blow | None:
    if pid is None:
        return None
    at = time.monotonic()
    return Blow(at, doomed) if kill(pid) else None


@kind("kill -9 of a trial process")
def kill_trial_process(stage: Stage) -> Blow | None:
    pid = _one(stage, stage.at_work())
    return _killed(pid, {pid} if pid else None)


@kind("kill -9 of a busy worker")
def kill_worker(stage: Stage) -> Blow | None:
    pid = _one(stage, stage.workers_at_work())
    return _killed(pid, set(children(pid)) if pid else None)


@kind("kill -9 of an idle worker, the pusher or the monitor")
def kill_idle(stage: Stage) -> Blow | None:
    busy = stage.place.workers_busy()
    return _killed(_one(stage, [pid for pid in stage.place.members() if pid not in busy]), None)


@kind("kill -9 of the sentinel", ends_cluster=True)
def kill_sentinel(stage: Stage) -> Blow | None:
    return _killed(stage.place.sentinel(), set(stage.place.trial_processes()))


@kind("kill -9 of the cluster's main", ends_cluster=True)
def kill_main(stage: Stage) -> Blow | None:
    return _killed(stage.place.main(), set(stage.place.trial_processes()))


@kind("kill -9 of the supervisor", ends_cluster=True)
def kill_supervisor(stage: Stage) -> Blow | None:
    supervisor = stage.place.supervisor
    if supervisor is None or supervisor.poll() is not None:
        return None
    return _killed(supervisor.pid, set(stage.place.trial_processes()))


@kind("kill -9 of everything at once", ends_cluster=True)
def kill_all(stage: Stage) -> Blow | None:
    found = stage.place.processes()
    if not found:
        return None
    blow = Blow(time.monotonic(), set(stage.place.trial_processes()))
    for pid in found:
        kill(pid)
    return blow


@kind("SIGSTOP of a busy worker past its lease", lease=True)
def freeze_worker(stage: Stage) -> Blow | None:
    """In half of the cases it wakes after its lease, unless its supervisor has ended it by then."""
    pid = _one(stage, stage.workers_at_work())
    if pid is None:
        return None
    blow = Blow(time.monotonic(), set(children(pid)))
    if not kill(pid, signal.SIGSTOP):
        return None
    if stage.chance.random() < 0.5:
        stage.wait(LEASE_SECONDS + stage.chance.uniform(0.5, 4.0))
        if kill(pid, signal.SIGCONT):
            blow.thawed = time.monotonic()
    return blow


@kind("SIGSTOP of a worker in the middle of a write to SQLite", lease=True)
def freeze_writer(stage: Stage) -> Blow | None:
    """It holds the lock of the whole database, and nobody but its supervisor can take that from it."""
    database = stage.place.folder / "hpweb.sqlite3"
    deadline = time.monotonic() + CATCH_SECONDS
    while time.monotonic() < deadline:
        for pid in writers(database) & set(stage.place.members()):
            blow = Blow(time.monotonic(), set(children(pid)))
            if kill(pid, signal.SIGSTOP):
                if pid in writers(database):
                    return blow
                kill(pid, signal.SIGCONT)  # it was quicker
    return None


def writers(database: Path) -> set[int]:
    """Who holds the write lock of a SQLite database in WAL mode: the byte WAL_WRITE_LOCK of its shared memory."""
    inode = Path(f"{database}-shm").stat().st_ino
    rows = (line.split() for line in Path("/proc/locks").read_text().splitlines() if "->" not in line)
    return {
        int(pid)
        for _number, _posix, _advisory, access, pid, place, first, last in rows
        if access == "WRITE" and place.endswith(f":{inode}") and first == last == WAL_WRITE_LOCK
    }


@kind("a full disk for some seconds", takes=False, fills=True)
def fill_disk(stage: Stage) -> Blow | None:
    if stage.disk is None:
        return None
    path = stage.disk / "filled"
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 65_536)
        except OSError:
            pass  # no space left on the device: that is what is wanted
    stage.wait(stage.chance.uniform(1.0, 3.0))
    path.unlink()
    return Blow(time.monotonic())


@kind("a crash and restart of PostgreSQL", takes=False)
def crash_postgres(stage: Stage) -> Blow | None:
    return _restart_postgres(stage, "immediate", 0.0)


@kind("a restart of PostgreSQL with a second of absence", takes=False)
def restart_postgres(stage: Stage) -> Blow | None:
    return _restart_postgres(stage, "fast", 1.0)


def _restart_postgres(stage: Stage, mode: str, seconds: float) -> Blow | None:
    if stage.postgres is None:
        return None
    stage.postgres.stop(mode)
    stage.wait(seconds)
    stage.postgres.start()
    return Blow(time.monotonic())


@kind("FLUSHALL of Redis", takes=False)
def flush_redis(stage: Stage) -> Blow | None:
    return _tell_redis(stage, "FLUSHALL")


@kind("CLIENT KILL of Redis's connections")
def disconnect_redis(stage: Stage) -> Blow | None:
    return _tell_redis(stage, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


@kind("a crash and restart of Redis", takes=False)
def crash_redis(stage: Stage) -> Blow | None:
    if stage.redis is None:
        return None
    stage.redis.stop()
    stage.wait(0.5)
    stage.redis.start()
    return Blow(time.monotonic())


def _tell_redis(stage: Stage, *words: str) -> Blow | None:
    if stage.redis is None:
        return None
    stage.redis.command(*words)
    return Blow(time.monotonic())


def possible(stage: Stage) -> list[str]:
    """The kinds that this stage can have."""
    needs: dict[str, Any] = {
        "PostgreSQL": stage.postgres,
        "Redis": stage.redis,
        "disk": stage.disk,
        "SQLite": stage.postgres is None,
        "host": stage.guest,
        "jumps": stage.clock,
    }
    return [name for name in KINDS if all(there for word, there in needs.items() if word in name)]


def may_mount() -> bool:
    return os.geteuid() == 0
