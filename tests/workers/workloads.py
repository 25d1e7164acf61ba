"""A workload file for real trial processes: everything random at once, and slow enough to be interrupted."""

import inspect
import os
from pathlib import Path

from tests.training import problems

NAME = "slow_blobs"
SPACE = {
    "lr": {"type": "float", "low": 0.01, "high": 0.5, "log": True},
    "dropout": {"type": "float", "low": 0.0, "high": 0.5},
    "l1": {"type": "constant", "value": 0.0001},
    "batch_size": {"type": "categorical", "choices": [8, 16]},
}


def write_workload(folder: Path, *, seconds: float = 0.01, epochs: int = 5) -> str:
    """Write the file and return the workload's name; each loss takes `seconds`."""
    folder.mkdir(parents=True, exist_ok=True)
    code = Path(inspect.getfile(problems)).read_text().replace('    name = "blobs"\n', "", 1)
    (folder / f"{NAME}.py").write_text(
        f"""{code}

import time

class Slow(Blobs):
    name = "{NAME}"
    max_epochs = {epochs}
    space = {SPACE!r}

    def loss(self, output, target):
        time.sleep({seconds})
        return super().loss(output, target)
"""
    )
    return NAME


def overload() -> float:
    """How many processes want each core, at least 1: promises in seconds are made for a machine with time to spare."""
    return max(1.0, os.getloadavg()[0] / len(os.sched_getaffinity(0)))
