"""What each host has under a workload's name, and the code and data that a study is pinned to.

A study's trials run the code that it was made with, on the data that its first trial, or a count before that, found. A
host with other code or other data claims none of them until it has the same, or until a person lets the study take over
what the workers have now. Each trial process looks at its data itself before it trains: what is noted here only saves a
host from trying in vain.
"""

from typing import Any

from django.db.models.functions import Now

from tuning.models import Host, Offering, Study, Workload
from tuning.models.fields import storable
from tuning.selectors.offerings import present_data
from tuning.services import hints

UNCOUNTED: dict[str, Any] = {"data_digest": "", "data_error": "", "counted": None}
OPEN = (Study.State.READY, Study.State.RUNNING, Study.State.PAUSED)


def note_offerings(host: Host, entries: list[dict[str, Any]], *, partial: bool = False) -> None:
    """Make the host's rows equal to what it found; data that belong to other code count no more.

    Data that a process has to load are not looked at here; those that keep the host from a study are counted again.
    `partial`: it has not seen all, and rows that it has not come to stay.
    """
    for entry in entries:
        name = entry["name"][:120]
        digest = "" if entry.get("error") else entry.get("digest", "")
        changes: dict[str, Any] = {"described": Now()}
        if entry.get("kind") in ("command", "objective"):
            changes |= {"data_digest": entry.get("data_digest") or "", "data_error": "", "counted": Now()}
        row, created = Offering.objects.get_or_create(host=host, workload=name, defaults={"digest": digest})
        if not created and row.digest != digest:
            changes = {"digest": digest, **UNCOUNTED, **changes}
        Offering.objects.filter(pk=row.pk).update(**changes)
    if partial:
        return
    names = [entry["name"][:120] for entry in entries]
    Offering.objects.filter(host=host).exclude(workload__in=names).delete()


def note_refusal(*, host: Host, workload: str, digest: str) -> None:
    """A trial process found other code under the name than the study is pinned to; "" for none."""
    Offering.objects.update_or_create(host=host, workload=workload, defaults={"digest": digest[:64], **UNCOUNTED})


def note_data(*, host: Host, workload: str, digest: str, error: str = "") -> None:
    """What the host's split job found of the workload's data, or why it found nothing."""
    code = Offering.objects.filter(host=host, workload=workload).values_list("digest", flat=True).first()
    code = _known_digest(workload) if code is None else code
    note_found(host=host, workload=workload, code=code, digest=digest, error=error)
    if digest:
        # Studies that nobody has counted data for yet are pinned to the first that comes.
        Study.objects.filter(workload=workload, workload_digest=code, data_digest="", state__in=OPEN).update(
            data_digest=digest
        )
        hints.announce()


def note_found(*, host: Host, workload: str, code: str, digest: str, error: str = "") -> None:
    """Which data a process of the host has found beside this code; no digest: `error` says why."""
    found = {"digest": code, "data_digest": digest[:64], "data_error": storable(error), "counted": Now()}
    Offering.objects.update_or_create(host=host, workload=workload, defaults=found)


def pin_data(study: Study, prefer: str = "") -> None:
    """Pin a study without pinned data to those that most hosts have under its code, if any has counted them."""
    if study.data_digest or not study.workload or study.workload_digest != _known_digest(study.workload):
        return
    if found := present_data(study.workload, study.workload_digest, prefer):
        Study.objects.filter(pk=study.pk, data_digest="").update(data_digest=found)
        study.data_digest = found


def _known_digest(workload: str) -> str:
    return Workload.objects.filter(name=workload).values_list("digest", flat=True).first() or ""
