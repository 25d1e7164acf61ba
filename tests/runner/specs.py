"""Jobs for the trial process."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from tests.training import problems

BLOBS = Path(inspect.getfile(problems)).read_text()
MLP = {"lr": 0.003, "weight_decay": 0.01, "dropout": 0.2, "batch_size": 32, "layers": 2, "units": 64}


def train_spec(folder: Path, **changes: Any) -> dict[str, Any]:
    """Three epochs of digits_mlp."""
    return {
        "workload": "digits_mlp",
        "params": MLP,
        "seed": 3,
        "epochs": 3,
        "max_epochs": 6,
        "metric": "validation/loss",
        "direction": "minimize",
        "objective": "best",
        "resume_from": None,
        "checkpoint_dir": str(folder),
        "fence": 1,
        "trial": 0,
        "device": "cpu",
        "threads": 1,
        "deterministic": True,
    } | changes


def steps(messages: list[dict[str, Any]]) -> dict[int, dict[str, float]]:
    """The metrics by step."""
    return {m["step"]: m["metrics"] for m in messages if m["type"] == "step"}


def write_workload(folder: Path, name: str, methods: str = "", base: str = BLOBS) -> str:
    """Write a file with one workload of that name, Blobs with other methods, and return the name."""
    indented = "".join(f"    {line}\n" if line else "\n" for line in methods.strip("\n").split("\n"))
    code = base.replace('    name = "blobs"\n', "", 1)
    (folder / f"{name}.py").write_text(f"{code}\n\nclass Changed(Blobs):\n    name = {name!r}\n{indented}")
    return name
