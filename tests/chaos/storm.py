"""A seeded storm over a real installation, and what came of it.

The kinds of disturbances come in an order that the seed shuffles, each as often as every other. After each blow the
storm waits until as many slots are busy again as the study may use, by the ledger, and takes the time. There is one
slot more than that: so there is always an idle worker, which waits for django-q's queue and may die with its lock.
"""

import random
import subprocess
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.disturbances import KINDS, Blow, Stage, may_mount, possible
from tests.chaos.ledger import Run
from tests.chaos.place import LEASE_SECONDS, Desk, Place, wait_for
from tests.chaos.servers import Postgres, Redis
from tests.chaos.verdict import Violation, judge
from tests.workers.workloads import overload

BUSY_SECONDS = 10.0  # from a kill to a new step on its slot
FIRST_SECONDS = 60.0  # for the installation to come up
END_SECONDS = 120.0  # for the study to end once the storm is over
DISK_MEGABYTES = 32
STEPS = 20
THAW_SECONDS = 2.0  # within which a worker that wakes without its claim has ended its process
AHEAD = 2  # trials for each slot that are still to come while the storm rages


@dataclass
class Aftermath:
    """What a storm leaves: seconds until all slots were busy again by kind, and what was broken."""

    database: str
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    violations: list[Violation] = field(default_factory=list)
    trials: Counter[str] = field(default_factory=Counter)  # by state, and by reason where they failed
    attempts: int = 0
    steps: int = 0
    left_out: list[str] = field(default_factory=list)
    log: str = ""

    @property
    def blows(self) -> int:
        return sum(len(seconds) for seconds in self.seconds.values())


def order_of(kinds: Sequence[str], kills: int, seed: int) -> list[str]:
    """The kinds of the blows: all kinds in a shuffled order, again and again."""
    chance, order = random.Random(seed), list[str]()
    while len(order) < kills:
        order += chance.sample(kinds, len(kinds))
    return order[:kills]


def idle_spans(runs: Sequence[Run], parallel: int) -> list[tuple[float, float]]:
    """When fewer than `parallel` runs went on, from the first moment with so many; the last span ends with the last."""
    changes = sorted([(run.began, 1) for run in runs] + [(run.last, -1) for run in runs])
    spans: list[tuple[float, float]] = []
    working, idle_since = 0, None
    for at, change in changes:
        before, working = working, working + change
        if working >= parallel and idle_since is not None:
            spans.append((idle_since, at))
            idle_since = None
        elif working < parallel <= before:
            idle_since = at
    if idle_since is not None:
        spans.append((idle_since, changes[-1][0]))
    return spans


class Storm:
    """One storm. `rage` strikes, `end` lets the study finish and judges."""

    def __init__(self, stage: Stage, desk: Desk, seed: int, *, lenient: bool = True) -> None:
        self.stage, self.desk, self.seed, self.lenient = stage, desk, seed, lenient
        self.place, self.chance = stage.place, stage.chance
        self.samples: list[dict[str, Any]] = []
        self.freezes: list[tuple[float, float]] = []
        self.parallel = max(1, stage.place.slots - 1)
        self.aftermath = Aftermath("PostgreSQL and Redis" if stage.postgres else "SQLite")

    def begin(self) -> None:
        trials = 2 * AHEAD * self.place.slots
        self.desk.ask("start", trials=trials, steps=STEPS, parallel=self.parallel, seed=self.seed)
        self.place.start()
        wait_for(lambda: self._busy_since(Blow(0.0)), FIRST_SECONDS * overload(), "the first steps")

    def rage(self, kills: int) -> None:
        """Strike `kills` times."""
        kinds = possible(self.stage)
        self.aftermath.left_out = [name for name in KINDS if name not in kinds]
        for name in order_of(kinds, kills, self.seed):
            self.strike(name)

    def strike(self, name: str) -> None:
        """One blow of this kind, once there is somebody to strike, and the wait until all slots are busy again."""
        self._feed()
        self.stage.wait(self.chance.uniform(0.2, 1.2))
        deadline = time.monotonic() + FIRST_SECONDS
        while (blow := KINDS[name](self.stage)) is None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"there was nobody for {name}")
            self.stage.wait(0.05)
        limit = self._limit(blow.frozen)
        taken = self._recovered(blow, limit + BUSY_SECONDS)
        self.aftermath.seconds[name].append(taken)
        if blow.frozen:
            self.freezes.append((blow.at, time.monotonic()))
        if taken > limit:
            self.aftermath.violations.append(Violation("busy", f"{taken:.1f} s after {name}"))

    def _feed(self) -> None:
        """See to it that the study has work for every slot, by extending it, and count its trials."""
        sample = self.desk.ask("counts")
        self.samples.append(sample)
        if sample["budget"] < sample["created"] + AHEAD * self.place.slots:
            self.desk.ask("extend", trials=sample["created"] + 2 * AHEAD * self.place.slots)

    def _recovered(self, blow: Blow, patience: float) -> float:
        """Seconds from the blow until all slots worked again; `patience` where they did not."""
        while (now := time.monotonic()) - blow.at < patience:
            self.place.tend()
            if busy := self._busy_since(blow):
                return busy - blow.at
            self._feed()
            time.sleep(0.1)
        return now - blow.at

    def _busy_since(self, blow: Blow) -> float | None:
        """When so many slots as may work had a step of a process that goes on after the blow; None while they lack."""
        self.place.ledger.look()
        first: dict[str, float] = {}
        for record in sorted(self.place.ledger.records, key=lambda record: record["at"]):
            doomed = record["pid"] in (blow.doomed or ()) and record["at"] < blow.thawed + THAW_SECONDS
            if record["event"] == "step" and record["at"] > blow.at and not doomed:
                first.setdefault(record["slot"], record["at"])
        return sorted(first.values())[self.parallel - 1] if len(first) >= self.parallel else None

    def end(self) -> Aftermath:
        """Let the study end, stop the workers, and judge."""

        def finished() -> bool:
            self.place.tend()
            self.samples.append(self.desk.ask("counts"))
            return bool(self.samples[-1]["state"] == "FINISHED")

        found = self.aftermath
        try:
            wait_for(finished, END_SECONDS * overload(), "the study's end")
        except TimeoutError as error:
            found.violations.append(Violation("lost", str(error)))
        code = self.place.stop()
        if code != 0:
            found.violations.append(Violation("orphans", f"the supervisor left with {code} after SIGTERM"))
        time.sleep(0.2)
        for pid, line in self.place.processes().items():
            found.violations.append(Violation("orphans", f"process {pid}: {line}"))
        runs = self.place.ledger.runs()
        document = self.desk.ask("tables")
        disk_was_full = any("disk" in name for name in found.seconds)
        found.violations += judge(document, runs, self.samples, disk_was_full=disk_was_full)
        found.violations += self._idle(runs)
        found.trials.update(trial["reason_code"] or trial["state"] for trial in document["trials"])
        found.attempts = len(document["attempts"])
        found.steps = sum(len(run.steps) for run in runs)
        found.log = self.place.log.read_text(errors="replace")
        return found

    def _limit(self, frozen: bool) -> float:
        """Seconds that a slot may be idle; more on a machine with more work than cores, where that is allowed."""
        return (BUSY_SECONDS + (LEASE_SECONDS if frozen else 0.0)) * (overload() if self.lenient else 1.0)

    def _idle(self, runs: Sequence[Run]) -> Iterator[Violation]:
        """Spans in which fewer processes worked than might, longer than a kill, or a freeze, may make them.

        The last of them is the study's end, when no trials were left.
        """
        for began, ended in idle_spans(runs, self.parallel)[:-1]:
            frozen = any(struck <= ended and began <= over for struck, over in self.freezes)
            if ended - began > self._limit(frozen):
                yield Violation("busy", f"for {ended - began:.1f} s fewer than {self.parallel} processes worked")


@contextmanager
def small_disk(folder: Path) -> Iterator[Path | None]:
    """A file system of a few megabytes at `folder`; None where this account may not mount one."""
    folder.mkdir(parents=True, exist_ok=True)
    mounted = may_mount() and not subprocess.call(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MEGABYTES}m", "tmpfs", str(folder)], stderr=subprocess.DEVNULL
    )
    try:
        yield folder if mounted else None
    finally:
        if mounted:
            subprocess.call(["umount", "-l", str(folder)])


@contextmanager
def installed(seed: int, *, servers: bool = False, slots: int = 3, **settings: str) -> Iterator[tuple[Stage, Desk]]:
    """A migrated installation to strike, with servers of its own or on SQLite. Raises NotInstalled."""
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hpweb-chaos-")))
        root.chmod(0o755)  # for PostgreSQL's account
        postgres, redis = None, None
        if servers:
            postgres, redis = Postgres(root / "postgres"), Redis()
            stack.callback(redis.stop)
            stack.callback(postgres.stop)
            settings |= {"DATABASE_URL": postgres.url, "HPWEB_REDIS_URL": redis.url}
        disk = stack.enter_context(small_disk(root / "home" / "artifacts"))
        place = Place(root / "home", slots=slots, ledger=root / "ledger", **settings)
        place.python("manage.py", "migrate", "--verbosity", "0")
        stack.callback(place.clear)
        desk = stack.enter_context(Desk(place))
        yield Stage(place, random.Random(seed), postgres, redis, disk), desk


def storm(kills: int, seed: int, *, servers: bool = False, lenient: bool = True) -> Aftermath:
    """A whole storm over an installation of its own. Raises NotInstalled."""
    with installed(seed, servers=servers) as (stage, desk):
        raging = Storm(stage, desk, seed, lenient=lenient)
        raging.begin()
        raging.rage(kills)
        return raging.end()
