"""Facts about processes of this host, read from /proc: who is who after a crash, when a pid may be somebody else's."""

import os
import signal
import time
from pathlib import Path

from tuning.models import Attempt

TERM_SECONDS = 0.5


def boot_id() -> str:
    """The kernel's id of this boot; a pid from another boot is nobody's."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def start_time(pid: int) -> str:
    """When the process started, in clock ticks since boot; empty where there is no such process (or it is a zombie)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    fields = stat[stat.rindex(")") + 2 :].split()
    return "" if fields[0] == "Z" else fields[19]


def is_stopped(pid: int) -> bool:
    """Whether the process is frozen by a signal or a debugger."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat[stat.rindex(")") + 2] in "Tt"


def children(pid: int) -> list[int]:
    """The direct children of a process."""
    found: list[int] = []
    for listing in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(word) for word in listing.read_text().split()]
        except OSError:
            continue  # the thread ended while we looked
    return found


def family(pid: int) -> list[int]:
    """A process and everything below it, it itself first."""
    found = [pid]
    for member in found:  # the list grows while it is walked
        found += [child for child in children(member) if child not in found]
    return found


def attempt_alive(attempt: Attempt) -> bool:
    """Whether the process that ran this attempt still runs on this host."""
    return bool(
        attempt.pid
        and attempt.boot_id == boot_id()
        and attempt.process_started
        and start_time(attempt.pid) == attempt.process_started
    )


def session_members(session: int) -> list[int]:
    """Every process of a session, zombies left out."""
    members = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text()
        except OSError:
            continue  # it ended while we looked
        fields = stat[stat.rindex(")") + 2 :].split()
        if int(fields[3]) == session and fields[0] != "Z":
            members.append(int(entry.name))
    return members


def is_cluster(pid: int) -> bool:
    """Whether the process belongs to a django-q cluster, by its command line."""
    try:
        return b"qcluster" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def marked(mark: dict[str, str]) -> list[int]:
    """Every process of ours in whose environment the mark stands, zombies (which have none) left out."""
    words = {f"{name}={value}".encode() for name, value in mark.items()}
    if not words:
        return []
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            environment = (entry / "environ").read_bytes()
        except OSError:
            continue  # another person's, or it ended while we looked
        if words <= set(environment.split(b"\0")):
            found.append(int(entry.name))
    return found


def carries(pid: int, name: str, prefix: str) -> bool:
    """Whether the process's environment has the variable, with a value that begins so."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
    return any(word.startswith(f"{name}={prefix}".encode()) for word in environment.split(b"\0"))


def end_marked(mark: dict[str, str]) -> int:
    """Kill every process with the mark; returns how many there were."""
    found = marked(mark)
    for pid in found:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue  # it ended by itself
    return len(found)


def end_session(session: int, *, grace: float = TERM_SECONDS) -> None:
    """End every process of a session: SIGTERM, then SIGKILL to what is left after `grace` seconds."""
    deadline = time.monotonic() + grace
    signalled = signal.SIGTERM if grace > 0 else signal.SIGKILL
    while members := session_members(session):
        for pid in members:
            try:
                os.kill(pid, signalled)
            except ProcessLookupError:
                continue  # it ended by itself
        if signalled == signal.SIGKILL and time.monotonic() > deadline + 5:
            return  # in uninterruptible sleep: the kernel ends it when it wakes
        time.sleep(0.02)
        if time.monotonic() > deadline:
            signalled = signal.SIGKILL
