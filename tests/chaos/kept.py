"""What is kept of a storm that broke a promise, for whoever has to find out why."""

import json
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.chaos.blows import Stage

if TYPE_CHECKING:
    from tests.chaos.storm import Aftermath


def keep(stage: Stage, found: "Aftermath", document: dict[str, Any]) -> Path:
    """A folder that stays: the logs of the workers and of PostgreSQL, the ledger, the blows, the tables."""
    folder = Path(tempfile.mkdtemp(prefix="hpweb-chaos-kept-"))
    logs = {f"worker-{place.host}.log": place.log for place in stage.places}
    if stage.postgres:
        logs["postgres.log"] = stage.postgres.folder / "log"
    for name, log in logs.items():
        if log.exists():
            shutil.copy(log, folder / name)
    shutil.copytree(stage.place.ledger.folder, folder / "ledger")
    told = {
        "violations": [asdict(violation) for violation in found.violations],
        "strokes": [asdict(stroke) for stroke in found.strokes + found.restarts],
        "tables": document or stage.desk.ask("tables"),
    }
    (folder / "told.json").write_text(json.dumps(told, indent=1))
    return folder
