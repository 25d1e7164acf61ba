"""An installation of a benchmark ends with the process that began it, however that ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.benchmarks.report import ROOT
from tests.workers.workloads import overload

SCRIPT = """
import time
from tests.benchmarks.installation import installation
with installation() as place, place.workers():
    while not place.ask("SELECT 1 FROM tuning_host WHERE last_seen IS NOT NULL"):
        time.sleep(0.1)
    print(place.folder, flush=True)
    time.sleep(600)
"""


def members(folder: str) -> list[int]:
    mark, found = f"HPWEB_HOME={folder}".encode(), []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
            except OSError:
                continue  # another person's, or it ended while we looked
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_nothing_of_an_installation_lives_on(number, tmp_path):
    bench = subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell may have started us ignoring it
    )
    folder = bench.stdout.readline().strip()
    assert folder and members(folder), "the installation has come up"
    bench.send_signal(number)
    bench.communicate(timeout=60 * overload())
    deadline = time.monotonic() + 30 * overload()
    while (left := members(folder)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left == []
    assert Path(folder).exists() == (number == signal.SIGKILL), "who is killed cannot tidy"
