"""What each host has under a workload's name, and the code and data that a study is pinned to.

A study's trials run the code that it was made with, on the data that its first host counted. A host with other code
or other data claims none of them until it has the same, or until a person lets the study take over the new code.
"""

from typing import Any

from django.db.models import Count
from django.db.models.functions import Now

from tuning.models import Host, Offering, Split, Study, Workload
from tuning.models.fields import storable
from tuning.services import hints

OPEN = (Study.State.READY, Study.State.RUNNING, Study.State.PAUSED)


def note_offerings(host: Host, entries: list[dict[str, Any]], *, partial: bool = False) -> None:
    """Make the host's rows equal to what it found; data that belong to other code count no more.

    `partial`: it has not seen all, and rows that it has not come to stay.
    """
    for entry in entries:
        name = entry["name"][:120]
        digest = "" if entry.get("error") else entry.get("digest", "")
        changes: dict[str, Any] = {"described": Now()}
        if entry.get("kind") == "command":
            changes |= {"data_digest": entry.get("data_digest") or "", "data_error": ""}
        row, created = Offering.objects.get_or_create(host=host, workload=name, defaults={"digest": digest})
        if not created and row.digest != digest:
            changes = {"digest": digest, "data_digest": "", "data_error": "", **changes}
        Offering.objects.filter(pk=row.pk).update(**changes)
    if partial:
        return
    names = [entry["name"][:120] for entry in entries]
    Offering.objects.filter(host=host).exclude(workload__in=names).delete()


def note_refusal(*, host: Host, workload: str, digest: str) -> None:
    """A trial process found other code under the name than the study is pinned to; "" for none."""
    Offering.objects.update_or_create(
        host=host, workload=workload, defaults={"digest": digest[:64], "data_digest": "", "data_error": ""}
    )


def note_data(*, host: Host, workload: str, digest: str, error: str = "") -> None:
    """What the host's split job found of the workload's data, or why it found nothing."""
    code = Workload.objects.filter(name=workload).values_list("digest", flat=True).first() or ""
    row, _created = Offering.objects.get_or_create(host=host, workload=workload, defaults={"digest": code})
    Offering.objects.filter(pk=row.pk).update(data_digest=digest, data_error=storable(error))
    if digest:
        # Studies that nobody has counted data for yet are pinned to the first that comes.
        Study.objects.filter(workload=workload, workload_digest=row.digest, data_digest="", state__in=OPEN).update(
            data_digest=digest
        )
        hints.announce()


def pin_data(study: Study) -> None:
    """Pin a study without pinned data to those that most hosts have under its code, if any has counted them."""
    if study.data_digest or not study.workload:
        return
    offered = Offering.objects.filter(workload=study.workload, digest=study.workload_digest).exclude(data_digest="")
    common = offered.values("data_digest").annotate(hosts=Count("pk")).order_by("-hosts", "data_digest").first()
    counted = Split.objects.filter(workload=study.workload).order_by("-pk").values_list("digest", flat=True).first()
    found = common["data_digest"] if common else counted
    if found and study.workload_digest == _known_digest(study.workload):
        Study.objects.filter(pk=study.pk, data_digest="").update(data_digest=found)
        study.data_digest = found


def _known_digest(workload: str) -> str:
    return Workload.objects.filter(name=workload).values_list("digest", flat=True).first() or ""
