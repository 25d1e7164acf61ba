"""What a benchmark returns: rows for a table, and marks that are met or not."""

import json
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import metadata
from itertools import groupby
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Mark:
    """One promise: what was measured, its limit in words, and whether it is met."""

    mark: str
    measured: float | str
    limit: str
    met: bool


@dataclass
class Report:
    """The outcome of a benchmark; `facts` say where, when and with what it ran, `details` are for the JSON alone."""

    bench: str
    rows: list[dict[str, Any]]
    marks: list[Mark]
    notes: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def met(self) -> bool:
        return all(mark.met for mark in self.marks)

    def to_json(self) -> str:
        marks = [vars(mark) for mark in self.marks]
        document = {"bench": self.bench, "rows": self.rows, "marks": marks, "notes": self.notes, "facts": self.facts}
        if self.details:
            document["details"] = self.details
        return json.dumps(document, indent=1, allow_nan=False)

    def to_text(self) -> str:
        """A table for each kind of rows, then the marks, each with what was measured, the limit and met or not."""
        lines: list[str] = []
        for _kind, rows in groupby(self.rows, key=lambda row: next(iter(row))):  # told by the name of its first column
            lines += [""] if lines else []
            lines += table(list(rows))
        lines += ["", *self.notes, ""] if self.notes else [""]
        for mark in self.marks:
            measured = f"{mark.measured:.3g}" if isinstance(mark.measured, float) else str(mark.measured)
            lines.append(f"{'met   ' if mark.met else 'MISSED'}  {mark.mark}: {measured} ({mark.limit})")
        return "\n".join(lines)


def table(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Rows as aligned text, columns in order of first appearance; numbers to three digits."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    cells = [columns] + [[shown(row.get(name)) for name in columns] for row in rows]
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
    return [
        "  ".join(
            word.ljust(width) if index == 0 else word.rjust(width)
            for index, (word, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in cells
    ]


def shown(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def run_facts(packages: Sequence[str], **more: Any) -> dict[str, Any]:
    """Commit, machine and versions, for the JSON that is kept."""
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    versions = {}
    for package in packages:
        try:
            versions[package] = metadata.version(package).split("+")[0]  # without the kind of the build
        except metadata.PackageNotFoundError:
            continue
    return {
        "commit": commit,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "versions": versions,
        **more,
    }
