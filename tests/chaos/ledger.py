"""Reading the ledger that the trial processes of the storm write outside of the database."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Record = dict[str, Any]


@dataclass
class Run:
    """What one process did for one attempt of one trial, by its own words; times of the machine's monotonic clock."""

    trial: int
    fence: int
    slot: str
    pid: int
    seed: int
    first_step: int  # it went on after this one
    source: str  # the file's name of the checkpoint that it was told to go on from
    began: float
    last: float
    steps: dict[int, float] = field(default_factory=dict)  # step -> when it was reported
    checkpoints: dict[int, float] = field(default_factory=dict)
    ended: str = ""  # "result", "stopped", "error", or "": it was killed


def runs_of(records: Iterable[Record]) -> list[Run]:
    """Every run, in order of their beginnings; `records` of one process must be in its order."""
    found: list[Run] = []
    current: dict[int, Run] = {}
    for record in records:
        event, pid = record["event"], record["pid"]
        if event == "start":
            run = Run(
                record["trial"], record["fence"], record["slot"], pid, record["seed"], record["step"],
                record["source"], record["at"], record["at"],
            )  # fmt: skip
            found.append(run)
            current[pid] = run
            continue
        run = current.get(pid)
        if run is None or (run.trial, run.fence) != (record["trial"], record["fence"]):
            if event == "error":
                continue  # it failed before it could begin
            raise ValueError(f"the ledger has {record} without a start")
        run.last = record["at"]
        if event == "step":
            run.steps[record["step"]] = record["at"]
        elif event == "checkpoint":
            run.checkpoints[record["step"]] = record["at"]
        else:
            run.ended = event
    return sorted(found, key=lambda run: run.began)


class Ledger:
    """The folder of the ledger, read on from where the last look ended."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.records: list[Record] = []
        self._read: dict[str, int] = {}

    def look(self) -> list[Record]:
        """The records that have come since the last look; a line that is not whole yet waits for the next."""
        fresh = []
        for path in sorted(self.folder.iterdir()):
            offset = self._read.get(path.name, 0)
            if path.stat().st_size == offset:
                continue
            with path.open("rb") as file:
                file.seek(offset)
                data = file.read()
            end = data.rfind(b"\n") + 1
            self._read[path.name] = offset + end
            fresh += [json.loads(line) for line in data[:end].splitlines()]
        self.records += fresh
        return fresh

    def runs(self) -> list[Run]:
        self.look()
        return runs_of(self.records)
