"""Why nothing of a running study starts, in words for its page."""

from tuning.findings import Finding
from tuning.models import Device, Study
from tuning.selectors.hosts import live_slots
from tuning.selectors.offerings import differences, live_hosts
from tuning.selectors.requirements import NOTHING, Needs, needs_of, size_words
from tuning.selectors.reservations import reserved_devices
from tuning.selectors.sharing import caps_of, running_of, with_room

NO_WORKER = Finding(
    "no-worker", "error", "No worker is alive, so nothing runs. Start one on a host with: python manage.py worker"
)


def hindrances(study: Study) -> list[Finding]:
    """What keeps a study that has room from starting a trial on workers; empty where nothing does, or it has none."""
    if study.state == Study.State.READY and study.starts_for_id is not None and not live_hosts():
        return [NO_WORKER]
    if study.state != Study.State.RUNNING or not study.workload or not with_room().filter(pk=study.pk).exists():
        return []
    if not live_hosts():
        return [NO_WORKER]
    return [*_by_difference(study), *_by_cap(study), *_by_devices(study)]


def _by_difference(study: Study) -> list[Finding]:
    """Where every live host has other code or data: otherwise the workers page is enough."""
    found = differences(Study.objects.filter(pk=study.pk))
    if len(found) < len(live_hosts()):
        return []
    words = sorted({difference.words for rows in found.values() for difference in rows})
    return [
        Finding(
            "apart",
            "error",
            f"No live host runs this study: {'; '.join(f'one {text}' for text in words[:3])}. Mend that and press "
            "Refresh on the workloads page, or take over what the workers have now on the workers page.",
        )
    ]


def _by_cap(study: Study) -> list[Finding]:
    owner, name = study.owner_id, study.owner.get_username()
    cap = caps_of([owner]).get(owner)
    running = running_of([owner]).get(owner, 0)
    if cap is None or running < cap:
        return []
    if cap == 0:
        words = f"The cap of {name} is 0: nothing of theirs starts on workers. An administrator may raise it"
    else:
        run = "1 trial of {} runs" if running == 1 else f"{running} trials of {{}} run"
        words = (
            f"{run.format(name)}, as many as the cap of {name} allows over all studies. The next starts when one of "
            "them ends, or when an administrator raises the cap"
        )
    return [Finding("cap", "info", f"{words} on the workers page.", {"running": running, "cap": cap})]


def _by_devices(study: Study) -> list[Finding]:
    devices = list(
        Device.objects.filter(pk__in=live_slots().values("device"))
        .select_related("host", "reserved_for")
        .order_by("pk")
    )
    if not devices:
        return [Finding("no-slot", "warning", "No live host takes new trials. The workers page says why of each.")]
    needs = needs_of([study.workload]).get(study.workload, NOTHING)
    suitable = [device for device in devices if needs.met_by(device, device.host)]
    if not suitable:
        return [Finding("requirements", "error", _unmet_words(study.workload, needs, devices))]
    reserved = reserved_devices(Device.objects.filter(pk__in=[device.pk for device in suitable]))
    taken = [device for device in suitable if reserved.get(device.pk, study.owner_id) != study.owner_id]
    if len(taken) == len(suitable):
        holders = ", ".join(sorted({device.reserved_for.get_username() for device in taken if device.reserved_for}))
        words = f"Every device that could run it is reserved for {holders}. The workers page says until when."
        return [Finding("reserved", "warning", words)]
    return []


def _unmet_words(workload: str, needs: Needs, devices: list[Device]) -> str:
    """Which requirement nobody meets, and how it could be met."""
    for label in needs.labels:
        if not any(label in device.host.labels for device in devices):
            return (
                f"{workload} requires the label {label}, and no live host offers it. Set HPWEB_LABELS={label} on a "
                "host that has it and start its workers again."
            )
    if not any(needs.fits_into(device) for device in devices):
        largest = max((device.memory or 0 for device in devices), default=0)
        return (
            f"{workload} requires {size_words(needs.memory)} of device memory, and the largest device that takes "
            f"trials has {size_words(largest)}. Start workers on a larger one, or lower what the workload requires."
        )
    return (
        f"{workload} requires {needs.words()}, and no live device has all of it at once. Start workers on one that "
        "has, or require less."
    )
