"""Whose turn it is: which studies a device may start a trial of, in which order, and what holds people back.

The order is: the study's priority, the person with the least recent device time, that person's study with the least.
Recent is the last day: the ledger's hours (services.device_time) and what runs now. Times count in whole turns, because
a slot that goes from study to study starts a cold process each time; within a turn those with fewer trials at work go
first, then the older study.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Count, F, Q, QuerySet, Sum

from tuning.models import Account, Device, DeviceTime, Host, Job, Slot, Study, Trial
from tuning.selectors.clock import SecondsSince, before
from tuning.selectors.hosts import idle_slots
from tuning.selectors.job_fit import suits
from tuning.selectors.offerings import fits
from tuning.selectors.requirements import NOTHING, memory_taken, needs_of
from tuning.selectors.reservations import reserved_devices

RECENT_SECONDS = 24 * 3600.0
PERSON_TURN_SECONDS = 60.0
STUDY_TURN_SECONDS = 600.0  # among the studies of one person


# --- time and caps ----------------------------------------------------------------------------------------------------
def recent_device_time() -> dict[tuple[int, int | None], float]:
    """Slot-seconds of the last day by (owner, study), of runs that are over and of those that go on. Two queries."""
    over = DeviceTime.objects.filter(hour__gt=before(RECENT_SECONDS)).values_list("owner_id", "study_id")
    spent = {(owner, study): seconds for owner, study, seconds in over.annotate(total=Sum("seconds"))}
    running = Trial.objects.filter(study__state=Study.State.RUNNING, state=Trial.State.RUNNING, slot__isnull=False)
    for owner, study, seconds in running.values_list("study__owner_id", "study_id").annotate(
        total=Sum(SecondsSince("claimed"))
    ):
        spent[owner, study] = spent.get((owner, study), 0.0) + (seconds or 0.0)
    return spent


def by_owner(spent: dict[tuple[int, int | None], float]) -> dict[int, float]:
    """The sums of `recent_device_time` over each owner's studies."""
    sums: dict[int, float] = {}
    for (owner, _study), seconds in spent.items():
        sums[owner] = sums.get(owner, 0.0) + seconds
    return sums


def running_of(owners: Iterable[int]) -> dict[int, int]:
    """How many trials of these people run on workers, all studies together. One query."""
    rows = Study.objects.filter(owner__in=list(owners), n_running__gt=0).exclude(workload="")
    return dict(rows.values_list("owner_id").annotate(total=Sum("n_running")))


def caps_of(owners: Iterable[int]) -> dict[int, int]:
    """The most trials of each of these people that may run at once; who has no cap is left out. One query."""
    wanted = list(owners)
    caps = dict.fromkeys(wanted, settings.MAX_RUNNING) if settings.MAX_RUNNING is not None else {}
    given = Account.objects.filter(user__in=wanted, max_running__isnull=False)
    return caps | {owner: cap for owner, cap in given.values_list("user_id", "max_running") if cap is not None}


# --- whose turn -------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Candidate:
    """A study that may start one more trial."""

    study: int
    owner: int
    priority: int
    workload: str
    running: int


def with_room(host: Host | None = None) -> QuerySet[Study]:
    """Running studies with a workload that may start one more trial; with a host, whose pinned code and data it has."""
    created = F("n_waiting") + F("n_running") + F("n_paused") + F("n_complete") + F("n_pruned") + F("n_failed")
    return (
        Study.objects.filter(state=Study.State.RUNNING, n_running__lt=F("parallel"))
        .filter(Q(n_waiting__gt=0) | Q(n_paused__gt=0) | Q(budget_total__isnull=True) | Q(budget_total__gt=created))
        .exclude(workload="")
        .filter(fits(host) if host is not None else Q())
    )


class Board:
    """What one host may start now, read once for all its devices."""

    def __init__(self, host: Host) -> None:
        self.host = host
        rows = with_room(host).values_list("pk", "owner_id", "priority", "workload", "n_running")
        candidates = [Candidate(*row) for row in rows]
        owners = {one.owner for one in candidates}
        caps = caps_of(owners) if owners else {}
        running = running_of(owners) if caps or len(candidates) > 1 else {}
        self.candidates = [
            one for one in candidates if one.owner not in caps or running.get(one.owner, 0) < caps[one.owner]
        ]
        if len(self.candidates) > 1:
            spent = recent_device_time()
            owned = by_owner(spent)
            self.candidates.sort(
                key=lambda one: (
                    -one.priority,
                    owned.get(one.owner, 0.0) // PERSON_TURN_SECONDS,
                    running.get(one.owner, 0),
                    spent.get((one.owner, one.study), 0.0) // STUDY_TURN_SECONDS,
                    one.running,
                    one.study,
                )
            )
        self.needs = needs_of(one.workload for one in self.candidates) if self.candidates else {}
        devices = Device.objects.filter(host=host)
        self.taken = (
            memory_taken(devices.values_list("pk", flat=True))
            if any(needs.memory for needs in self.needs.values())
            else {}
        )
        self.reserved = reserved_devices(devices) if self.candidates else {}

    def studies_for(self, device: Device) -> list[int]:
        """The ids of the studies that a slot of the device may start a trial of, in turn."""
        reserved = self.reserved.get(device.pk)
        return [
            one.study
            for one in self.candidates
            if (reserved is None or reserved == one.owner)
            and self.needs.get(one.workload, NOTHING).met_by(device, self.host, self.taken.get(device.pk, 0))
        ]


def claimable_studies(slot: Slot) -> list[int]:
    """The ids of the studies that this slot may start a trial of, in turn."""
    return Board(slot.device.host).studies_for(slot.device)


def slots_to_wake() -> list[Slot]:
    """Idle slots that would find something to run."""
    idle = list(idle_slots().select_related("device__host"))
    if not idle:
        return []
    waiting = set()  # the same request of many is looked at once
    for kind, args, who in Job.objects.filter(state=Job.State.WAITING).values_list("kind", "args", "requested_by_id"):
        waiting.add((kind, args.get("host"), args.get("workload"), args.get("digest"), who))
    boards: dict[int, Board] = {}
    found = []
    for slot in idle:
        host = slot.device.host
        if any(suits(slot, *wanted) for wanted in waiting):
            found.append(slot)
            continue
        if slot.lane != Slot.Lane.DEVICE:
            continue
        if host.pk not in boards:
            boards[host.pk] = Board(host)
        if boards[host.pk].studies_for(slot.device):
            found.append(slot)
    return found


# --- people -----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class PersonRow:
    """A person's share: trials on workers now, the most at once (None: any number), slot-seconds of the last day."""

    user: User
    running: int
    cap: int | None
    own_cap: int | None
    device_seconds: float


def people_overview(*, everybody: bool = True, people: Iterable[User] | None = None) -> list[PersonRow]:
    """Active people by name, or those of `people`; without `everybody`, those who have studies. Six queries at most."""
    users = User.objects.filter(is_active=True).order_by("username")
    if not everybody:
        users = users.annotate(n_studies=Count("studies")).filter(n_studies__gt=0)
    people = list(users if people is None else people)
    ids = [user.pk for user in people]
    running, caps, seconds = running_of(ids), caps_of(ids), by_owner(recent_device_time())
    own = dict(Account.objects.filter(user__in=ids).values_list("user_id", "max_running"))
    return [
        PersonRow(user, running.get(user.pk, 0), caps.get(user.pk), own.get(user.pk), seconds.get(user.pk, 0.0))
        for user in people
    ]
