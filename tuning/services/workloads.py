"""Storing what trial processes described: workloads, their errors, and data splits."""

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from tuning.engine import SearchSpace as EngineSpace
from tuning.engine import SpaceError
from tuning.models import Host, Offering, Split, Workload
from tuning.models.fields import storable
from tuning.selectors.artifacts import stored
from tuning.services.offerings import note_data, note_offerings


@transaction.atomic
def store_descriptions(
    *, entries: list[dict[str, Any]], host: Host | None = None, partial: bool = False
) -> list[Workload]:
    """Make the list equal to what a worker found, and to what other hosts have beside it.

    Where hosts differ, the list has the code of the most hosts, and of several the newest. A space that the engine
    refuses is the workload's error. Without a host, the list is made anew from `entries` and other hosts' rows.
    `partial`: the worker had to stop before it had seen all; what it has not seen stays as it was.
    """
    found = [{**entry, "error": _error_of(entry) or None} for entry in entries]
    if host is not None:
        note_offerings(host, found, partial=partial)
    rows = []
    for entry in found:
        name, digest = entry["name"][:120], entry.get("digest", "")
        known = Workload.objects.filter(name=name).first()
        if known is not None and host is not None and _outvoted(known, digest, host):
            rows.append(known)
            continue
        if known is None or known.digest != digest:
            Split.objects.filter(workload=name).delete()  # its code has changed, so its data may have
        row, _created = Workload.objects.update_or_create(
            name=name,
            defaults={
                "digest": digest,
                "document": entry,
                "error": storable(entry["error"] or ""),
                "memory": entry.get("memory"),
                "labels": entry.get("labels") or [],
            },
        )
        rows.append(row)
    if partial:
        return rows
    others = Offering.objects.exclude(host=host) if host else Offering.objects.all()
    gone = Workload.objects.exclude(pk__in=[row.pk for row in rows])
    gone.exclude(name__in=others.values_list("workload", flat=True)).delete()
    return rows


def _error_of(entry: dict[str, Any]) -> str:
    error = entry.get("error") or ""
    if not error and entry.get("space") is not None:
        try:
            EngineSpace.from_json(entry["space"])
        except SpaceError as problem:
            error = f"The default space is not valid: {problem}"
    return error


def _outvoted(known: Workload, digest: str, host: Host) -> bool:
    """Whether more hosts have the code of the list than have the code that this host found."""
    offered = Offering.objects.filter(workload=known.name)
    listed = offered.filter(digest=known.digest).exclude(host=host).count()
    return known.digest != digest and not known.error and listed > offered.filter(digest=digest).count()


@transaction.atomic
def store_split(*, workload: str, result: dict[str, Any], host: Host | None = None) -> Split:
    """Keep sizes in the table and the keyed hashes of each example in a file, readable by the workers only.

    With a host, its data are noted, and studies of this code that nobody has counted data for are pinned to them.
    """
    folder = Path(settings.ARTIFACT_DIR) / "splits"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{workload}-{result['digest'][:16]}.json"
    path.write_text(json.dumps(result["hashes"]))
    path.chmod(0o600)
    split, _created = Split.objects.update_or_create(
        workload=workload, digest=result["digest"], defaults={"sizes": result["sizes"], "artifact": stored(path)}
    )
    if host is not None:
        note_data(host=host, workload=workload, digest=result["data_digest"], error=result.get("data_error") or "")
    return split
