"""What a storm may strike, what a blow is, and the register of the kinds of disturbances.

`strike(stage)` strikes once and returns a Blow, or None where there is nobody to strike at the moment.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.clock import Clock
from tests.chaos.ledger import Run
from tests.chaos.place import Desk, Place
from tests.chaos.servers import Postgres, Redis
from tests.team.proxy import Proxy
from tuning.workers.processes import children

AHEAD = 2  # trials for each slot that are still to come while the storm rages


@dataclass
class Guest:
    """A second host of the same installation, whose way to the database leads through a proxy."""

    place: Place
    proxy: Proxy


@dataclass
class Stage:
    """What a storm may strike."""

    place: Place
    desk: Desk
    chance: random.Random
    parallel: int  # as many trials as the study may run while no guest is there
    postgres: Postgres | None = None
    redis: Redis | None = None
    disk: Path | None = None  # a small file system with the artifacts on it
    guest: Guest | None = None
    clock: Clock | None = None  # of the whole machine, as its processes see it
    samples: list[dict[str, Any]] = field(default_factory=list)  # the study's counts, and when they were so

    @property
    def places(self) -> list[Place]:
        return [self.place] + ([self.guest.place] if self.guest else [])

    def tend(self) -> None:
        for place in self.places:
            place.tend()

    def wait(self, seconds: float) -> None:
        """Let time go by, with the supervisors tended."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.tend()
            time.sleep(0.05)

    def sample(self) -> dict[str, Any]:
        found = {**self.desk.ask("counts"), "at": time.monotonic()}
        self.samples.append(found)
        return found

    def feed(self) -> None:
        """See to it that the study has work for every slot, by extending it, and count its trials."""
        found, slots = self.sample(), sum(place.slots for place in self.places)
        if found["budget"] < found["created"] + AHEAD * slots:
            self.desk.ask("extend", trials=found["created"] + 2 * AHEAD * slots)

    def runs_at_work(self, place: Place | None = None) -> list[Run]:
        """What the trial processes of a host (the first one) are at; other processes wait warm for their next."""
        alive = set((place or self.place).trial_processes())
        return [run for run in self.place.ledger.runs() if not run.ended and run.pid in alive]

    def at_work(self) -> list[int]:
        """Trial processes in the middle of a trial."""
        return sorted({run.pid for run in self.runs_at_work()})

    def workers_at_work(self) -> list[int]:
        """The workers of those."""
        processes = set(self.at_work())
        return [pid for pid in self.place.workers_busy() if processes & set(children(pid))]


def nothing_more() -> None:
    """What most blows have to do once all is well again."""


@dataclass
class Blow:
    """A strike: when it came, and the trial processes that cannot go on after it (None: all may)."""

    at: float
    doomed: set[int] | None = None
    thawed: float = float("inf")  # when a frozen one woke: it may have been in time to keep its trial
    lost: set[tuple[int, int]] = field(default_factory=set)  # claims (trial, fence) that must be followed by others
    then: Callable[[], None] = nothing_more  # once all is well again. Raises TimeoutError


Strike = Callable[[Stage], Blow | None]


@dataclass(frozen=True)
class Kind:
    """A kind of disturbance, by what it may cost."""

    strike: Strike
    lease: bool = False  # somebody has to wait for a lease to run out
    takes: bool = True  # a trial may lose its process or its claim
    fills: bool = False  # a trial may find the disk full
    host: bool = False  # a whole host is gone
    ends_cluster: bool = False  # what runs the workers is gone, and has to be started anew


KINDS: dict[str, Kind] = {}


def kind(
    name: str,
    *,
    lease: bool = False,
    takes: bool = True,
    fills: bool = False,
    host: bool = False,
    ends_cluster: bool = False,
) -> Callable[[Strike], Strike]:
    def note(strike: Strike) -> Strike:
        KINDS[name] = Kind(strike, lease, takes, fills, host, ends_cluster)
        return strike

    return note
