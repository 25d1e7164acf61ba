"""A second host that joins for a blow, is lost whole or cut off from the database, comes back, and leaves in order.

It has one slot. While it is there the study may use every slot of both hosts, so that it is sure to be at work; what it
ran must go on at the first host, whose slots are busy too: the trial is the next that one of them takes.
"""

import time

from tests.chaos.blows import Blow, Guest, Stage, kind
from tests.chaos.clocks import HOUR
from tests.chaos.ledger import Run
from tests.chaos.place import wait_for
from tests.workers.workloads import overload

CLOCK_SHARE = 0.5
RETURN_SECONDS = 40.0  # from its return until it has a trial again


@kind("the loss of a second host past its lease", lease=True, host=True, ends_cluster=True)
def lose_host(stage: Stage) -> Blow | None:
    """Everything of it is killed at one blow, and it comes back when others have what it ran.

    In half of the cases the database's clock is set back at that moment: its lease ends in hours then.
    """
    guest, runs = stage.guest, _at_work(stage)
    if guest is None or not runs:
        return None
    pids = set(guest.place.trial_processes())
    at = time.monotonic()
    guest.place.vanish()
    if stage.clock is not None and stage.chance.random() < CLOCK_SHARE:
        stage.clock.jump(-stage.chance.randint(2, 49) * HOUR)
    return _blow(stage, guest, at, pids, guest.place.start)


@kind("a second host cut off from the database past its lease", lease=True, host=True)
def cut_host_off(stage: Stage) -> Blow | None:
    """Its connections are refused, or hang, until others have what it ran; nothing of it is killed from outside."""
    guest, runs = stage.guest, _at_work(stage)
    if guest is None or not runs:
        return None
    pids = set(guest.place.trial_processes())
    at = time.monotonic()
    stage.chance.choice([guest.proxy.refuse, guest.proxy.hang])()
    return _blow(stage, guest, at, pids, guest.proxy.heal)


def _at_work(stage: Stage) -> list[Run]:
    """What the second host runs, which joins where it is not there yet."""
    guest = stage.guest
    if guest is None:
        return []
    if guest.place.supervisor is None:
        stage.desk.ask("extend", parallel=stage.place.slots + guest.place.slots)
        guest.place.start()
    return [run for run in stage.runs_at_work(guest.place) if run.steps]


def _blow(stage, guest: Guest, at: float, pids: set[int], back) -> Blow:
    """Lost is the newest claim of each process, whether it had ended or not: the database may not know of that."""
    newest: dict[int, Run] = {run.pid: run for run in stage.place.ledger.runs() if run.pid in pids and run.began < at}

    def comes_back() -> None:
        returned = time.monotonic()
        back()
        slots = {run.slot for run in newest.values()}

        def takes_part() -> bool:
            stage.tend()
            stage.feed()
            return any(run.slot in slots and run.began > returned and run.steps for run in stage.place.ledger.runs())

        try:
            wait_for(takes_part, RETURN_SECONDS * overload(), "a step of the second host after its return")
        finally:
            _leave(stage, guest)

    return Blow(at, pids, lost={(run.trial, run.fence) for run in newest.values()}, then=comes_back)


def _leave(stage: Stage, guest: Guest) -> None:
    """It shuts down in order, and its trial waits again. Raises TimeoutError where it does not, or leaves a process."""
    code = guest.place.stop()
    guest.place.supervisor = None
    stage.desk.ask("extend", parallel=stage.parallel)
    if code != 0:
        raise TimeoutError(f"the second host's supervisor left with {code} after SIGTERM")
    wait_for(lambda: not guest.place.processes(), 1.0, "the end of the second host's processes")
