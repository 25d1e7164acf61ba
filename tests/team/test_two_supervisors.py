"""Two hosts on one machine, each with a folder of its own, on one PostgreSQL and Redis: one is lost, or cut off."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.benchmarks.report import ROOT
from tests.chaos.ledger import Run
from tests.chaos.place import LEASE_SECONDS, Desk, Place, wait_for
from tests.chaos.servers import NotInstalled, Postgres, Redis
from tests.chaos.verdict import judge
from tests.missing import missing
from tests.team.proxy import Proxy
from tests.workers.workloads import overload
from tuning.selectors.hosts import ALIVE_SECONDS

pytestmark = pytest.mark.services
PATIENCE = 90.0
STEPS = 20
LONG = 70  # steps of a trial that cannot end by itself before its lease does
REAP_SECONDS = 5.0  # from the end of a lease until the other host has noticed


class Team:
    """Alpha, whose way to the database leads through a proxy; beta; and the desk."""

    def __init__(self, root: Path, stack: ExitStack) -> None:
        postgres, redis = Postgres(root / "postgres"), Redis()
        stack.callback(redis.stop)
        stack.callback(postgres.stop)
        self.proxy = stack.enter_context(Proxy(postgres.port))
        shared = {
            "HPWEB_REDIS_URL": redis.url,
            "HPWEB_ARTIFACT_DIR": str(root / "artifacts"),
            "HPWEB_SECRET_KEY": "one key for all hosts of an installation: it signs the hints",
        }
        detour = postgres.url.replace(str(postgres.port), str(self.proxy.port))
        places = {
            name: Place(root / name, host=name, slots=1, ledger=root / "ledger", DATABASE_URL=url, **shared)
            for name, url in (("alpha", detour), ("beta", postgres.url))
        }
        self.alpha, self.beta = places["alpha"], places["beta"]
        self.ledger = self.beta.ledger
        self.beta.python("manage.py", "migrate", "--skip-checks", "--verbosity", "0")
        for place in places.values():
            stack.callback(place.clear)
        self.desk = stack.enter_context(Desk(self.beta))
        self.patience = PATIENCE * overload()

    def start(self, trials: int, steps: int) -> None:
        """Both hosts work on one study when this returns."""
        self.desk.ask("start", trials=trials, steps=steps, parallel=2, seed=7)
        self.alpha.start()
        self.beta.start()
        wait_for(lambda: self.working(self.alpha) and self.working(self.beta), self.patience, "both hosts' steps")

    def working(self, place: Place) -> Run | None:
        """The run that a host is at, once a checkpoint of it is in the database."""
        pids = place.trial_processes()
        runs = [run for run in self.ledger.runs() if run.pid in pids and not run.ended]
        return runs[-1] if runs and self.trial(runs[-1].trial)["checkpoint_step"] else None

    def host(self, name: str) -> dict:
        """What the workers page says of a host."""
        (row,) = (row for row in self.desk.ask("hosts") if row["name"] == name)
        return row

    def trial(self, number: int) -> dict:
        return self.desk.ask("trials")[number]

    def finish(self) -> None:
        """Wait for the study's end, and for a verdict without a complaint."""
        wait_for(lambda: self.desk.ask("counts")["state"] == "FINISHED", self.patience, "the study's end")
        for place in (self.alpha, self.beta):
            place.stop()
            assert place.processes() == {}
        assert judge(self.desk.ask("tables"), self.ledger.runs(), []) == []


@pytest.fixture
def team() -> Iterator[Team]:
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hpweb-team-")))
        root.chmod(0o755)  # for PostgreSQL's account
        try:
            found = Team(root, stack)
        except NotInstalled as error:
            missing(str(error))
        yield found
        for place in (one for one in (found.alpha, found.beta) if one.log.exists()):  # shown where the test has failed
            print(f"--- {place.host}\n{place.log.read_text(errors='replace')[-6000:]}")


def test_what_a_lost_host_ran_goes_on_at_the_other(team):
    team.start(trials=10, steps=STEPS)
    assert all(team.host(name)["alive"] and len(team.host(name)["running"]) == 1 for name in ("alpha", "beta"))
    run = wait_for(lambda: team.working(team.alpha), team.patience, "a run of alpha")
    team.alpha.vanish()
    lost_at = time.monotonic()
    fence, saved = (team.trial(run.trial)[name] for name in ("fence", "checkpoint_step"))
    assert team.host("alpha")["running"], "nobody can know yet"

    def requeued() -> bool:
        trial = team.trial(run.trial)
        return trial["state"] == "WAITING" or trial["fence"] > fence or trial["state"] == "COMPLETE"

    wait_for(requeued, team.patience, "the trial's return to waiting")
    assert time.monotonic() - lost_at < (LEASE_SECONDS + REAP_SECONDS) * overload()
    assert team.host("alpha")["running"] == []
    assert team.host("alpha")["age"] > 1.0
    wait_for(lambda: not team.host("alpha")["alive"], ALIVE_SECONDS * overload(), "the end of alpha on the page")
    assert team.host("beta")["alive"]
    team.finish()
    runs = [one for one in team.ledger.runs() if one.trial == run.trial]
    assert [one.fence for one in runs] == list(range(1, len(runs) + 1))
    assert runs[-1].first_step >= saved > 0, "it went on where its checkpoint was"


@pytest.mark.parametrize("way", ["refuse", "hang"])
def test_a_host_that_is_cut_off_ends_its_trials_and_takes_part_again_when_it_is_healed(team, way):
    team.start(trials=4, steps=LONG)
    run = wait_for(lambda: team.working(team.alpha), team.patience, "a run of alpha")
    cut_at = time.monotonic()
    getattr(team.proxy, way)()
    wait_for(lambda: run.pid not in team.alpha.trial_processes(), team.patience, "the end of alpha's trial process")
    last = max(one.last for one in team.ledger.runs() if one.slot == run.slot)
    assert last - cut_at < LEASE_SECONDS, "it worked on after its lease, when another might have the trial"

    claims = {one.fence: one for one in team.ledger.runs() if one.trial == run.trial}
    assert claims[run.fence].ended == "", "it did not end by itself"

    def taken_over() -> bool:
        return any(one.trial == run.trial and one.fence > run.fence for one in team.ledger.runs())

    wait_for(taken_over, team.patience, "another claim of its trial")
    assert team.host("alpha")["running"] == []
    assert team.host("alpha")["age"] > 3.0
    assert team.host("beta")["running"] == [run.trial]
    team.proxy.heal()
    healed_at = time.monotonic()

    def takes_part() -> Run | None:
        team.alpha.tend()
        return next((one for one in team.ledger.runs() if one.slot == run.slot and one.began > healed_at), None)

    wait_for(takes_part, team.patience, "a run of alpha after it was healed")
    # its slot may be back before the supervisor's own connection is, which waits for what was sent into the void
    wait_for(lambda: team.host("alpha")["age"] < 5.0, team.patience, "a heartbeat of alpha after it was healed")
    team.finish()


HOLD = """
import django, time
django.setup()
from django.db import transaction
from tuning.models import Study
from tuning.services.transitions import lock_study
with transaction.atomic():
    lock_study(Study.objects.get().pk)
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_host_that_is_gone_in_the_middle_of_a_transaction_does_not_hold_the_others(team):
    """A power cut sends nothing: only the server can end what such a host had begun."""
    team.desk.ask("start", trials=1, steps=1, parallel=1, seed=7)
    command = [sys.executable, "-c", HOLD]
    gone = subprocess.Popen(command, cwd=ROOT, env=team.alpha.environment, stdout=subprocess.PIPE, text=True)
    try:
        assert gone.stdout.readline() == "held\n"
        team.proxy.hang()
        began = time.monotonic()
        assert team.desk.ask("extend", trials=2) == 2
        assert time.monotonic() - began < (LEASE_SECONDS + REAP_SECONDS) * overload()
    finally:
        gone.kill()
        gone.communicate()
