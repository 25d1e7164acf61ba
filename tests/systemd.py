"""systemd as the first process of namespaces of its own: units run under it as on a machine of theirs.

It has its own /etc (a copy in memory over ours), /run, /srv, processes, network and control groups; it sees our files.
The targets of a Debian that a unit waits for are empty here, so that nothing is started but the units.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

from tuning.workers.processes import children

PROGRAM = Path("/lib/systemd/systemd")
TARGETS = ("sysinit", "basic", "shutdown", "multi-user", "network-online", "umount")
BOOT_SECONDS = 120.0
USER = 64_321  # the number of the user hpweb there
BOOT = """
set -e
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/above /run/work /run/code
mount -t overlay -o lowerdir=/etc,upperdir=/run/above,workdir=/run/work overlay /etc
mount --bind "$CODE" /run/code
mount -t tmpfs -o mode=755 tmpfs /srv
mkdir /srv/hpweb
mount --move /run/code /srv/hpweb
mount -t cgroup2 cgroup2 /sys/fs/cgroup
rm -f /etc/machine-id
echo 0123456789abcdef0123456789abcdef > /etc/machine-id
echo "hpweb:x:$NUMBER:$NUMBER::/nonexistent:/usr/sbin/nologin" >> /etc/passwd
echo "hpweb:x:$NUMBER:" >> /etc/group
install -m 600 "$FOLDER/hpweb.env" /etc/hpweb.env
rm -rf /etc/systemd/system
cp -r "$FOLDER/units" /etc/systemd/system
exec env -i container=hpweb PATH="$PATH" SYSTEMD_UNIT_PATH=/etc/systemd/system \
    "$PROGRAM" --system --unit=multi-user.target --log-target=console --log-level=notice --show-status=no
"""
NAMESPACES = ("--pid", "--fork", "--kill-child", "--mount", "--mount-proc", "--cgroup", "--ipc", "--uts", "--net")


class NoNamespaces(Exception):
    """This account or machine cannot give systemd namespaces of its own; the message says what failed."""


class Systemd:
    """Boots with `start`; the units' text as it would lie in /etc/systemd/system, and /etc/hpweb.env."""

    def __init__(self, folder: Path, code: Path, units: dict[str, str], environment: dict[str, str]) -> None:
        self.folder, self.code = folder, code
        written = folder / "units"
        written.mkdir(parents=True)
        for target in TARGETS:
            (written / f"{target}.target").write_text("[Unit]\nDefaultDependencies=no\n")
        for name, text in units.items():
            (written / name).write_text(text)
            (written / f"{name}.d").mkdir()
            log = f"[Service]\nStandardOutput=append:{self.log_of(name)}\nStandardError=inherit\n"
            (written / f"{name}.d" / "log.conf").write_text(log)
        lines = "".join(f"{name}={value}\n" for name, value in environment.items())
        (folder / "hpweb.env").write_text(lines)
        self._group: Path | None = None
        self._unshare: subprocess.Popen[bytes] | None = None

    def log_of(self, unit: str) -> Path:
        return self.folder / f"{unit}.log"

    def start(self) -> None:
        """Boot. Raises NoNamespaces."""
        mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
        found = [words[1] for words in mounts if words[2] == "cgroup2"]
        if os.getuid() != 0 or not found:
            raise NoNamespaces("it takes root and control groups of the second version")
        try:
            self._group = Path(found[0]) / f"hpweb-test-{uuid.uuid4().hex[:8]}"
            self._group.mkdir()
        except OSError as error:
            self._group = None
            raise NoNamespaces(str(error)) from error
        facts = {"CODE": self.code, "FOLDER": self.folder, "PROGRAM": PROGRAM, "NUMBER": USER, "GROUP": self._group}
        words = ["bash", "-c", 'echo $$ > "$GROUP/cgroup.procs"; exec "$@"', "bash", "unshare", *NAMESPACES]
        with (self.folder / "systemd.log").open("wb") as log:
            self._unshare = subprocess.Popen(
                [*words, "bash", "-c", BOOT],
                env={"PATH": os.environ["PATH"], **{name: str(value) for name, value in facts.items()}},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + BOOT_SECONDS
        while self._first() is None or self.inside("systemctl", "show", "--property=Version").returncode:
            words = (self.folder / "systemd.log").read_text().strip()[-300:]
            if self._unshare.poll() is not None:
                raise NoNamespaces(words)
            if time.monotonic() > deadline:
                raise TimeoutError(f"systemd has not booted within {BOOT_SECONDS:g} seconds: {words}")
            time.sleep(0.1)

    def stop(self) -> None:
        """The kernel ends all that ran in it."""
        if self._unshare is not None:
            first = self._first()
            if first is not None:
                os.kill(first, signal.SIGKILL)
            self._unshare.wait()
        if self._group is not None:
            for folder, _, _ in os.walk(self._group, topdown=False):
                _remove(Path(folder))

    def inside(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run a program there, as root."""
        command = ["nsenter", "-t", str(self._first()), "-m", "-p", "-C", "-n", "--", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def systemctl(self, *words: str) -> str:
        answer = self.inside("systemctl", *words)
        if answer.returncode:
            raise RuntimeError(f"systemctl {' '.join(words)}: {answer.stderr}")
        return answer.stdout.strip()

    def show(self, unit: str, name: str) -> str:
        """A property of a unit."""
        return self.systemctl("show", "--value", f"--property={name}", unit)

    def answers(self, address: str) -> bool:
        """Whether a web server there answers with 200."""
        code = f"import urllib.request as r; assert r.urlopen({address!r}, timeout=10).status == 200"
        return self.inside(sys.executable, "-c", code).returncode == 0

    def _first(self) -> int | None:
        """Its process, by our numbers; None until it is there."""
        below = children(self._unshare.pid) if self._unshare is not None else []
        return below[0] if below else None


def installed() -> bool:
    return PROGRAM.exists() and shutil.which("systemctl") is not None


def _remove(group: Path, seconds: float = 5.0) -> None:
    """Remove a control group; its last processes may take a moment to go."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return group.rmdir()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
