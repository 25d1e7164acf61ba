"""A real installation for the browser tests, started as a person starts it: `dev.py demo`, in a folder of its own."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 90


class Installation:
    """`dev.py demo` as a child process; `address`, and the one-time `password` of `admin`."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.log = folder / "demo.log"
        ours = ("HPWEB_", "DATABASE_")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        environment |= {"HPWEB_HOME": str(folder / "state"), "HPWEB_HOST": "browser-tests", **settings}
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "dev.py"), "demo", "--port", "8700"],
            cwd=ROOT, env=environment, stdout=self.log.open("wb"), stderr=subprocess.STDOUT, start_new_session=True,
        )
        self.password = self._wait_for(r"as admin with the password (\S+)")
        self.address = self._wait_for(r"hpweb answers at (http://\S+/)")
        self._wait_for(r"trained,? by this machine's (workers)")

    def words(self) -> str:
        return self.log.read_text(errors="replace")

    def _wait_for(self, pattern: str) -> str:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if found := re.search(pattern, self.words()):
                return found[1]
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise RuntimeError(f"dev.py demo did not say {pattern!r}; it said:\n{self.words()}")

    def members(self) -> list[str]:
        """The command lines of every process that was started below this installation and still runs."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    environment = (entry / "environ").read_bytes()
                    command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                except OSError:
                    continue  # it ended while we looked
                if f"HPWEB_HOME={self.folder / 'state'}".encode() in environment.split(b"\0"):
                    found.append(command)
        return found

    def healthy(self) -> bool:
        with urllib.request.urlopen(f"{self.address}healthz/", timeout=5) as answer:
            return bool(answer.status == 200)

    def interrupt(self) -> float:
        """Ctrl-C; returns the seconds until dev.py has left."""
        began = time.monotonic()
        os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait(30)
        return time.monotonic() - began
