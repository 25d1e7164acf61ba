"""Storing what the trial process described: workloads, their errors, and data splits."""

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from tuning.engine import SearchSpace as EngineSpace
from tuning.engine import SpaceError
from tuning.models import Split, Workload
from tuning.models.fields import storable
from tuning.selectors.artifacts import stored


@transaction.atomic
def store_descriptions(*, entries: list[dict[str, Any]]) -> list[Workload]:
    """Make the table equal to what a worker found. A space that the engine refuses is the workload's error."""
    rows = []
    for entry in entries:
        error = entry.get("error") or ""
        if not error and entry.get("space") is not None:
            try:
                EngineSpace.from_json(entry["space"])
            except SpaceError as problem:
                error = f"The default space is not valid: {problem}"
        name = entry["name"][:120]
        if not Workload.objects.filter(name=name, digest=entry.get("digest", "")).exists():
            Split.objects.filter(workload=name).delete()  # its code has changed, so its data may have
        row, _created = Workload.objects.update_or_create(
            name=name,
            defaults={"digest": entry.get("digest", ""), "document": entry, "error": storable(error)},
        )
        rows.append(row)
    Workload.objects.exclude(pk__in=[row.pk for row in rows]).delete()
    return rows


@transaction.atomic
def store_split(*, workload: str, result: dict[str, Any]) -> Split:
    """Keep sizes in the table and the keyed hashes of each example in a file, readable by the workers only."""
    folder = Path(settings.ARTIFACT_DIR) / "splits"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{workload}-{result['digest'][:16]}.json"
    path.write_text(json.dumps(result["hashes"]))
    path.chmod(0o600)
    split, _created = Split.objects.update_or_create(
        workload=workload, digest=result["digest"], defaults={"sizes": result["sizes"], "artifact": stored(path)}
    )
    return split
