"""Reading what hosts have of workloads: who may claim which study, and why not."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from tuning.models import Host, Offering, Study, Workload
from tuning.selectors.clock import before

ALIVE_SECONDS = 15.0


@dataclass(frozen=True)
class Difference:
    """A study that a host does not run, and why, in words."""

    study: Study
    words: str
    adoptable: bool  # the study could take over what the workers have now
    subject: str = "code"  # or "data": what it would take over


def fits(host: Host) -> Q:
    """Studies whose pinned code and data this host has, as a filter on Study.

    A host that has never looked for workloads may try what nothing is known of: its trial process looks first. So it
    does with data that nobody has counted, or that have changed since.
    """
    offered = Offering.objects.filter(host=host, workload=OuterRef("workload"))
    code = offered.filter(digest=OuterRef("workload_digest"))
    data = code.filter(data_digest=OuterRef("data_digest"))
    allowed = Q(workload_digest="") | Q(Exists(data)) | (Q(data_digest="") & Q(Exists(code)))
    if not Offering.objects.filter(host=host, described__isnull=False).exists():
        allowed |= ~Q(Exists(offered))
    return allowed


def differences(among: QuerySet[Study] | None = None) -> dict[int, list[Difference]]:
    """What each live host does not run of the running studies (`among` some): {host id: [Difference]}, in 4 queries."""
    studies = list(
        (Study.objects.all() if among is None else among)
        .filter(state=Study.State.RUNNING)
        .exclude(workload="")
        .exclude(workload_digest="")
        .select_related("owner")
        .order_by("pk")
    )
    hosts = list(_live())
    if not studies or not hosts:
        return {}
    rows = {(row.host_id, row.workload): row for row in Offering.objects.filter(host__in=hosts)}
    looked = {host_id for (host_id, _), row in rows.items() if row.described is not None}
    present = dict(Workload.objects.filter(error="").values_list("name", "digest"))
    found: dict[int, list[Difference]] = {}
    for host in hosts:
        for study in studies:
            row = rows.get((host.pk, study.workload))
            if row is None and host.pk not in looked:
                continue
            if words := _difference(study, row):
                adoptable, subject = _adoptable(study, present, rows.values())
                found.setdefault(host.pk, []).append(Difference(study, words, adoptable, subject))
    return found


def _adoptable(study: Study, present: dict[str, str], rows: Iterable[Offering]) -> tuple[bool, str]:
    """Whether the study could take over what the live hosts of `rows` have now, and whether that is code or data."""
    code = present.get(study.workload, study.workload_digest)
    if code != study.workload_digest:
        return True, "code"
    data = _most_common((row for row in rows if row.workload == study.workload), code, study.data_digest)
    return bool(data) and data != study.data_digest, "data"


def present_data(workload: str, code: str, prefer: str = "") -> str:
    """The data that the most live hosts have under this code, of several `prefer`; "" where none has looked.

    Where no host that is alive has looked, those that are gone count.
    """
    rows = Offering.objects.filter(workload=workload)
    return _most_common(rows.filter(host__in=_live()), code, prefer) or _most_common(rows, code, prefer)


def _most_common(rows: Iterable[Offering], code: str, prefer: str) -> str:
    counts = Counter(row.data_digest for row in rows if row.digest == code and row.data_digest)
    return min(counts, key=lambda data: (-counts[data], data != prefer, data), default="")


def _difference(study: Study, row: Offering | None) -> str:
    """Why the host of this row does not run the study; empty where it does."""
    if row is None or not row.digest:
        return f"has no working {study.workload}"
    if row.digest != study.workload_digest:
        return (
            f"has other code of {study.workload} ({row.digest[:12]}) than the study was made with "
            f"({study.workload_digest[:12]})"
        )
    if study.data_digest and not row.data_digest:
        if row.data_error:
            return f"could not read the data of {study.workload}: {row.data_error.strip().splitlines()[-1][:300]}"
        return f"has not counted the data of {study.workload} yet"
    if study.data_digest and row.data_digest != study.data_digest:
        return (
            f"has other data of {study.workload} ({row.data_digest[:12]}) than the study was made with "
            f"({study.data_digest[:12]})"
        )
    return ""


def hosts_offering() -> dict[str, list[tuple[str, bool]]]:
    """Which hosts have each workload: {name: [(host's name, whether its code is that of the list)]}."""
    digests = dict(Workload.objects.values_list("name", "digest"))
    found: dict[str, list[tuple[str, bool]]] = {}
    for row in Offering.objects.select_related("host").order_by("host__name"):
        if row.digest and row.workload in digests:
            found.setdefault(row.workload, []).append((row.host.name, row.digest == digests[row.workload]))
    return found


def hosts_to_count(workload: str) -> list[str]:
    """Live hosts that have the workload's listed code and have not counted its data."""
    digest = Workload.objects.filter(name=workload).values_list("digest", flat=True).first() or "-"
    rows = Offering.objects.filter(workload=workload, digest=digest, data_digest="", data_error="", host__in=_live())
    return list(rows.order_by("host__name").values_list("host__name", flat=True))


def uncounted_workloads(host: Host) -> list[str]:
    """Workloads of which this host has not counted the data, or other data than a study is pinned to when it counted.

    Each look for workloads asks anew: what the host has may have been mended. Data that are the study's by the last
    look are not counted again, since each trial compares them itself.
    """
    pinned = Study.objects.filter(
        state__in=[Study.State.READY, Study.State.RUNNING, Study.State.PAUSED],
        workload=OuterRef("workload"),
        workload_digest=OuterRef("digest"),
    ).exclude(data_digest__in=["", OuterRef("data_digest")])
    due = Q(counted=None) | Q(counted__lt=F("described"))
    rows = Offering.objects.filter(due, host=host).exclude(digest="")
    return list(rows.filter(Exists(pinned)).values_list("workload", flat=True))


def host_named(name: str) -> Host | None:
    """The host, if it has ever announced itself."""
    return Host.objects.filter(name=name).first()


def live_hosts() -> list[str]:
    """The names of hosts that have been heard of lately."""
    return list(_live().order_by("name").values_list("name", flat=True))


def _live() -> QuerySet[Host]:
    return Host.objects.filter(last_seen__gt=before(ALIVE_SECONDS))
