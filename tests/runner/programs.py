"""Programs and their host's file for real trial processes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuning import client

SPACE: dict[str, Any] = {"lr": {"type": "float", "low": 1e-4, "high": 1.0, "log": True}}


def write_program(folder: Path, name: str, code: str, **table: Any) -> None:
    """Write `code` as a Python program beside tuning/client.py, and add it to programs.toml."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.py").write_text(code)
    shutil.copy(client.__file__, folder / "hpweb_client.py")
    allow(folder, name, **{"command": ["{python}", f"{name}.py"], **table})


def allow(folder: Path, name: str, **table: Any) -> None:
    """Add a program to the folder's programs.toml."""
    settings = {"space": SPACE, "metric": "validation/loss", "direction": "minimize", **table}
    with (folder / "programs.toml").open("a") as file:
        file.write(f"[{name}]\n" + "".join(f"{key} = {toml(value)}\n" for key, value in settings.items()))


def toml(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(key)} = {toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    return json.dumps(value)
