"""A PostgreSQL and a Redis of a storm's own, which it may kill and start again. Debian's programs, loopback only."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

POSTGRES_FOLDERS = "/usr/lib/postgresql"
START_SECONDS = 30.0


class NotInstalled(Exception):
    """A program of a server is not on this machine; the message names it."""


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def postgres_programs() -> Path:
    """The folder with initdb and pg_ctl, of the newest version. Raises NotInstalled."""
    found = sorted(Path(POSTGRES_FOLDERS).glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    if on_path := shutil.which("initdb"):
        return Path(on_path).resolve().parent
    raise NotInstalled("PostgreSQL's initdb is not installed (Debian: apt-get install postgresql)")


def redis_program() -> str:
    """Raises NotInstalled."""
    found = shutil.which("redis-server")
    if found is None:
        raise NotInstalled("redis-server is not installed (Debian: apt-get install redis-server)")
    return found


class Postgres:
    """A database server in a folder; PostgreSQL refuses root, so root runs it as Debian's user postgres."""

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.programs, self.folder, self.port = postgres_programs(), folder, free_port()
        self._environment = {**os.environ, **(environment or {})}  # such as a clock that jumps
        self.url = f"postgresql://hpweb@127.0.0.1:{self.port}/hpweb"
        folder.mkdir(parents=True)
        self._account = None
        if os.geteuid() == 0:
            self._account = pwd.getpwnam("postgres")
            os.chown(folder, self._account.pw_uid, self._account.pw_gid)
        self._call("initdb", "-D", str(folder / "data"), "-U", "hpweb", "--auth=trust", "--no-sync", "-E", "UTF8",
                   "--locale=C")  # fmt: skip
        self.start()
        self._call("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "hpweb", "hpweb")

    def start(self) -> None:
        options = f"-h 127.0.0.1 -p {self.port} -k {self.folder} -c fsync=off"
        log = str(self.folder / "log")
        self._call("pg_ctl", "-s", "-w", "-D", str(self.folder / "data"), "-l", log, "-o", options, "start")

    def stop(self, mode: str = "immediate") -> None:
        """Mode immediate: as if it had crashed; fast: in order, with its connections cut."""
        self._call("pg_ctl", "-s", "-w", "-D", str(self.folder / "data"), "-m", mode, "stop")

    def _call(self, program: str, *words: str) -> None:
        account = self._account
        who = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
        log = self.folder / "calls"
        with log.open("a") as output:  # not a pipe: the server would hold it for as long as it lives
            code = subprocess.call(
                [str(self.programs / program), *words], cwd=self.folder, env=self._environment,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, **who,
            )  # fmt: skip
        if code:
            raise RuntimeError(f"{program} ended with {code}: {log.read_text()[-2000:]}")


class Redis:
    """A Redis without a disk: whatever it held is gone when it ends."""

    def __init__(self) -> None:
        self.program, self.port = redis_program(), free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            [self.program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError("redis-server does not start")
            time.sleep(0.05)

    def stop(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def command(self, *words: str) -> str:
        """The answer to one command."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as sock:
            sock.sendall(
                f"*{len(words)}\r\n".encode() + b"".join(b"$%d\r\n%s\r\n" % (len(w), w.encode()) for w in words)
            )
            return sock.recv(4096).decode()

    def _answers(self) -> bool:
        try:
            return self.command("PING").startswith("+PONG")
        except OSError:
            return False
