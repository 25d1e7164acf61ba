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

from tests.chaos.blows import AHEAD, Blow, Guest, Stage
from tests.chaos.causes import RESTART, Stroke, Violation, own_restarts
from tests.chaos.clock import Clock
from tests.chaos.disturbances import KINDS, may_mount, possible
from tests.chaos.kept import keep
from tests.chaos.ledger import Run
from tests.chaos.place import LEASE_SECONDS, Desk, Place, wait_for
from tests.chaos.servers import NotInstalled, Postgres, Redis
from tests.chaos.verdict import ENDED, judge
from tests.team.proxy import Proxy
from tests.workers.workloads import overload

BUSY_SECONDS = 10.0  # from a kill to a new step on its slot
LENIENCE = 3.0
FIRST_SECONDS = 60.0  # for the installation to come up
END_SECONDS = 120.0  # for the study to end once the storm is over
DISK_MEGABYTES = 32
STEPS = 20
SHORTLY = 2.0  # after a blow is over: what it has caused may only be written down now
THAW_SECONDS = 2.0  # within which a worker that wakes without its claim has ended its process
SECRET = "one key for all hosts of an installation: it signs the hints"


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
    strokes: list[Stroke] = field(default_factory=list)
    restarts: list[Stroke] = field(default_factory=list)  # of a cluster that no blow had ended
    log: str = ""
    kept: Path | None = None  # logs, tables and ledger, where something was broken

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

    def __init__(self, stage: Stage, seed: int, *, lenient: bool = True) -> None:
        self.stage, self.desk, self.seed, self.lenient = stage, stage.desk, seed, lenient
        self.place, self.chance, self.parallel = stage.place, stage.chance, stage.parallel
        self.document: dict[str, Any] = {}
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
        self.stage.feed()
        self.stage.wait(self.chance.uniform(0.2, 1.2))
        began, blow = self._struck(name)
        limit = self._limit(KINDS[name].lease)
        taken = self._recovered(blow, limit + BUSY_SECONDS)
        self.aftermath.seconds[name].append(taken)
        if taken > limit:
            self.aftermath.violations.append(Violation("busy", f"{taken:.1f} s after {name}"))
        try:
            blow.then()
        except TimeoutError as error:
            self.aftermath.violations.append(Violation("busy", f"after {name}: {error}"))
        self.aftermath.strokes.append(Stroke(name, began, time.monotonic() + SHORTLY * overload()))
        self.stage.feed()

    def _struck(self, name: str) -> tuple[float, Blow]:
        """The blow, and when its kind began to strike. Raises TimeoutError where there is nobody to strike."""
        deadline = time.monotonic() + FIRST_SECONDS * overload()
        while True:
            began = time.monotonic()
            if (blow := KINDS[name].strike(self.stage)) is not None:
                return began, blow
            if began > deadline:
                raise TimeoutError(f"there was nobody for {name}")
            self.stage.feed()
            self.stage.wait(0.05)

    def _recovered(self, blow: Blow, patience: float) -> float:
        """Seconds from the blow until all slots worked again; `patience` where they did not."""
        while (now := time.monotonic()) - blow.at < patience:
            self.stage.tend()
            busy, claimed = self._busy_since(blow), self._claimed_since(blow)
            if busy is not None and claimed is not None:
                return max(busy, claimed) - blow.at
            self.stage.feed()
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

    def _claimed_since(self, blow: Blow) -> float | None:
        """When another had begun with the last of the lost claims' trials that has not ended; None while one waits."""
        latest = blow.at
        for number, fence in blow.lost:
            later = [run.began for run in self.place.ledger.runs() if run.trial == number and run.fence > fence]
            if later:
                latest = max(latest, min(later))
            elif self.desk.ask("trials")[number]["state"] not in ENDED:
                return None
        return latest

    def end(self) -> Aftermath:
        """Let the study end, stop the workers, and judge."""

        def finished() -> bool:
            self.stage.tend()
            return bool(self.stage.sample()["state"] == "FINISHED")

        found = self.aftermath
        try:
            wait_for(finished, END_SECONDS * overload(), "the study's end")
        except TimeoutError as error:
            found.violations.append(Violation("lost", str(error)))
        code = self.place.stop()
        if code != 0:
            found.violations.append(Violation("orphans", f"the supervisor left with {code} after SIGTERM"))
        time.sleep(0.2)
        for pid, line in (item for place in self.stage.places for item in place.processes().items()):
            found.violations.append(Violation("orphans", f"process {pid}: {line}"))
        runs = self.place.ledger.runs()
        starts = [start for place in self.stage.places for start in place.new_starts]
        noted = [Stroke(RESTART, began, ended + SHORTLY * overload()) for began, ended in starts]
        found.restarts = own_restarts(noted, found.strokes)
        self.document = document = self.desk.ask("tables")
        found.violations += judge(document, runs, self.stage.samples, found.strokes + found.restarts)
        found.violations += self._idle(runs)
        found.trials.update(trial["reason_code"] or trial["state"] for trial in document["trials"])
        found.attempts = len(document["attempts"])
        found.steps = sum(len(run.steps) for run in runs)
        found.log = self.place.log.read_text(errors="replace")
        return found

    def _limit(self, lease: bool) -> float:
        """Seconds that a slot may be idle; where that is allowed, more: `bench chaos` decides about seconds, the suite,
        beside its other tests, about everything else."""
        return (BUSY_SECONDS + (LEASE_SECONDS if lease else 0.0)) * (LENIENCE * overload() if self.lenient else 1.0)

    def _idle(self, runs: Sequence[Run]) -> Iterator[Violation]:
        """Spans in which fewer processes worked than might, longer than a kill, or a freeze, may make them.

        The last of them is the study's end, when no trials were left.
        """
        for began, ended in idle_spans(runs, self.parallel)[:-1]:
            strokes = [stroke for stroke in self.aftermath.strokes if stroke.meets(began, ended)]
            if ended - began > self._limit(any(KINDS[stroke.name].lease for stroke in strokes)):
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
def installed(seed: int, *, servers: bool = False, slots: int = 3, **settings: str) -> Iterator[Stage]:
    """A migrated installation to strike: on SQLite, or with servers and a second host. Raises NotInstalled."""
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hpweb-chaos-")))
        root.chmod(0o755)  # for PostgreSQL's account
        clock, postgres, redis, guest = clock_of(root / "clock"), None, None, None
        settings |= clock.environment if clock else {}
        if servers:
            postgres, redis = Postgres(root / "postgres", clock.environment if clock else {}), Redis()
            stack.callback(redis.stop)
            stack.callback(postgres.stop)
            settings |= {"DATABASE_URL": postgres.url, "HPWEB_REDIS_URL": redis.url, "HPWEB_SECRET_KEY": SECRET}
        disk = stack.enter_context(small_disk(root / "home" / "artifacts"))
        settings["HPWEB_ARTIFACT_DIR"] = str(root / "home" / "artifacts")
        place = Place(root / "home", slots=slots, ledger=root / "ledger", **settings)
        place.python("manage.py", "migrate", "--skip-checks", "--verbosity", "0")
        stack.callback(place.clear)
        if postgres:
            proxy = stack.enter_context(Proxy(postgres.port))
            settings["DATABASE_URL"] = postgres.url.replace(str(postgres.port), str(proxy.port))
            guest = Guest(Place(root / "there", host="there", slots=1, ledger=root / "ledger", **settings), proxy)
            stack.callback(guest.place.clear)
        desk = stack.enter_context(Desk(place))
        parallel = max(1, slots - 1)
        yield Stage(place, desk, random.Random(seed), parallel, postgres, redis, disk, guest, clock)


def clock_of(folder: Path) -> Clock | None:
    """The machine's clock, which jumps; None where nothing can be compiled here."""
    try:
        return Clock(folder)
    except NotInstalled:
        return None


def storm(kills: int, seed: int, *, servers: bool = False, lenient: bool = True) -> Aftermath:
    """A whole storm over an installation of its own; what it leaves is kept where it broke something.

    Raises NotInstalled, and TimeoutError where it could not go on.
    """
    with installed(seed, servers=servers) as stage:
        raging = Storm(stage, seed, lenient=lenient)
        try:
            raging.begin()
            raging.rage(kills)
            found = raging.end()
        except Exception as error:
            error.add_note(f"The logs are kept in {keep(stage, raging.aftermath, raging.document)}.")
            raise
        if found.violations:
            found.kept = keep(stage, found, raging.document)
        return found
