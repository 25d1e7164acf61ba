"""The real trial process at the other end of a socketpair."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tuning.runner.protocol import Channel, Message

ROOT = Path(__file__).parents[2]
ANSWER_SECONDS = 120.0
ANSWERS = ("result", "error", "refused")


class TrialProcess:
    """A worker's view of one trial process."""

    def __init__(self, workloads: Path, log: Path, *arguments: str, parent: int | None = None) -> None:
        ours, theirs = socket.socketpair()
        self.log = log
        environment = os.environ | {
            "HPWEB_WORKLOAD_DIR": str(workloads),
            "HPWEB_WORKLOADS": "",
            "HPWEB_DATA_DIR": str(workloads),
            "HPWEB_PROGRAMS": str(workloads / "programs" / "programs.toml"),
            "OMP_NUM_THREADS": "1",
        }
        descriptor = str(theirs.fileno())
        command = [sys.executable, "-m", "tuning.runner", "--channel", descriptor]
        command += ["--parent", str(parent or os.getpid()), *arguments]
        with theirs, log.open("wb") as output:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.channel = Channel(ours, send_timeout=10.0)
        self.seen: list[Message] = []

    def send(self, type_: str, **fields: Any) -> None:
        self.channel.send({"type": type_, **fields})

    def start(self, kind: str, **spec: Any) -> None:
        self.send("start", kind=kind, spec=spec)

    def until(self, *types: str) -> list[Message]:
        """Return the messages up to and with the first of one of `types`."""
        found: list[Message] = []
        deadline = time.monotonic() + ANSWER_SECONDS
        while time.monotonic() < deadline:
            while self.seen:
                found.append(self.seen.pop(0))
                if found[-1]["type"] in types:
                    return found
            self.seen += self.channel.poll(0.5)
            if self.channel.eof and not self.seen:
                raise AssertionError(f"the process ended after {found}:\n{self.log.read_text()}")
        raise AssertionError(f"no {types} within {ANSWER_SECONDS} s, but {found}")

    def answer(self) -> Message:
        """Return the result, the error or the refusal of the running job."""
        return self.until(*ANSWERS)[-1]

    def run(self, kind: str, **spec: Any) -> list[Message]:
        """Start a job and return its messages, the answer last."""
        self.start(kind, **spec)
        return self.until(*ANSWERS)

    def close(self) -> None:
        self.channel.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@pytest.fixture(scope="session")
def workloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that HPWEB_WORKLOAD_DIR names for every process of these tests."""
    return tmp_path_factory.mktemp("workloads")


@pytest.fixture
def launch(workloads: Path, tmp_path: Path) -> Iterator[Any]:
    """Start processes that end with the test."""
    processes: list[TrialProcess] = []

    def start(*arguments: str, **options: Any) -> TrialProcess:
        processes.append(TrialProcess(workloads, tmp_path / f"{len(processes)}.log", *arguments, **options))
        return processes[-1]

    yield start
    for process in processes:
        process.close()


@pytest.fixture(scope="session")
def shared_process(workloads: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrialProcess]:
    process = TrialProcess(workloads, tmp_path_factory.mktemp("runner") / "log")
    process.until("hello")
    yield process
    process.close()


@pytest.fixture
def runner(shared_process: TrialProcess) -> TrialProcess:
    """One warm process for all tests that leave it alive, as a worker may keep one for many trials."""
    assert shared_process.process.poll() is None, shared_process.log.read_text()
    shared_process.seen.clear()
    return shared_process
