"""A batch system of one machine, and the launcher that would use one: the proof that Slurm can come next.

A job is nobody's child and known by a name alone. It starts some time after it was submitted, on a node that connects
to whoever waits for it, and goes on when the worker that wanted it is dead. What `Queue` does by a folder and /proc,
sbatch, squeue and scancel do there; `python -m tests.workers.batch FOLDER PORT RUNNER` is the job on its node.
"""

import fcntl
import os
import select
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from tuning.runner.protocol import Channel

JOB = "BATCH_JOB"  # in the environment of a job and of all that it starts, where a real one has a control group
LOST = -9  # a job that ended without a word: it was cancelled, or its node is gone


class Queue:
    """Jobs by name, each with a folder: `running` is locked while its node lives, `code` says how it ended."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def submit(self, name: str, port: int, runner: str, log: Path, environment: dict[str, str]) -> None:
        """Hand a job over and return before it runs. Raises OSError."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as out:
            (self.folder / name).mkdir(parents=True)
            subprocess.run(
                ["setsid", "--fork", sys.executable, "-m", __name__, str(self.folder / name), str(port), runner],
                env={**environment, JOB: name},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                check=True,
            )

    def names(self, prefix: str) -> list[str]:
        return [path.name for path in self.folder.glob(f"{prefix}*")]

    def code(self, name: str) -> int | None:
        """None while it waits or runs, else how it ended."""
        job = self.folder / name
        if not name or not job.is_dir():
            return LOST
        if not (job / "running").exists():
            return LOST if (job / "cancelled").exists() else None
        with (job / "running").open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return None
        return int((job / "code").read_text()) if (job / "code").exists() else LOST

    def cancel(self, name: str) -> None:
        """End it, if it has not ended, and all that it has started."""
        from tuning.workers.processes import end_marked

        if not name or not (self.folder / name).is_dir():
            return
        (self.folder / name / "cancelled").touch()
        while end_marked({JOB: name}) or self.code(name) is None:
            time.sleep(0.01)


class Line:
    """The worker's end of a channel whose other end is not there yet: what is sent before waits."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        ours, self._far = socket.socketpair()
        self.channel = Channel(ours, send_timeout=5.0)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._connect, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closed.set()
        self.channel.close()
        self._thread.join()

    def _connect(self) -> None:
        with self._listener, self._far:
            while not select.select([self._listener], [], [], 0.05)[0]:
                if self._closed.is_set():
                    return
            with self._listener.accept()[0] as near:
                back = threading.Thread(target=carry, args=(near, self._far), daemon=True)
                back.start()
                carry(self._far, near)
                back.join()


def carry(source: socket.socket, target: socket.socket) -> None:
    """Everything from one socket to another until either is gone."""
    try:
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return  # the end of a job is what the queue says


def node(folder: Path, port: int, runner: str) -> None:
    """Run one job: connect to whoever waits for it, start the trial process, write down how it ended."""
    time.sleep(float(os.environ.get("BATCH_WAIT", 0)))  # in the queue
    lock = os.open(folder / "starting", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.rename(folder / "starting", folder / "running")
    with socket.create_connection(("127.0.0.1", port)) as line:
        words = ["--channel", str(line.fileno()), "--parent", str(os.getpid())]
        process = subprocess.Popen([sys.executable, "-m", runner, *words], pass_fds=(line.fileno(),))
    (folder / "writing").write_text(str(process.wait()))
    os.rename(folder / "writing", folder / "code")


if __name__ == "__main__":
    node(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
