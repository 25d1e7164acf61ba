"""A frozen worker that wakes after another has its trial writes nothing; without the fence check the verdict is red."""

import os
import signal

from tests.chaos.disturbances import writers
from tests.chaos.place import wait_for
from tests.chaos.storm import installed
from tests.chaos.verdict import judge
from tests.workers.workloads import overload
from tuning.workers.processes import children

LEASE = 3
STEPS = 160
WAIT = 40.0


def stopped(worker, database):
    """Whether the worker stands still without SQLite's lock in its hand, with which nobody else could go on."""
    os.kill(worker, signal.SIGSTOP)
    if worker not in writers(database):
        return True
    os.kill(worker, signal.SIGCONT)
    return False


def wake_a_zombie(**settings):
    """What the verdict says after a worker was stopped until another had its trial, and went on then."""
    # A supervisor would end the frozen worker before the other slot's process has begun, where that begins slowly.
    quick = {"HPWEB_LEASE_SECONDS": str(LEASE), "CHAOS_STEP_SECONDS": "0.05", "CHAOS_FROZEN_SECONDS": "600", **settings}
    with installed(1, slots=2, **quick) as stage:
        place, desk = stage.place, stage.desk
        desk.ask("start", trials=1, steps=STEPS, parallel=2, seed=4)
        place.start()
        patience = WAIT * overload()

        def reporting(fence):
            return next((run for run in place.ledger.runs() if run.fence == fence and len(run.steps) > 5), None)

        first = wait_for(lambda: reporting(1), patience, "the first claim's steps")
        (worker,) = (pid for pid in place.workers_busy() if first.pid in children(pid))
        wait_for(lambda: stopped(worker, place.folder / "hpweb.sqlite3"), patience, "a stop between two writes")
        second = wait_for(lambda: reporting(2), patience, "the second claim's steps")
        assert first.pid in place.trial_processes(), "its process went on while nobody listened"
        os.kill(worker, signal.SIGCONT)
        wait_for(lambda: desk.ask("counts")["state"] == "FINISHED", patience, "the study's end")
        place.stop()
        assert {first.slot, second.slot} == {"1", "2"}
        runs = place.ledger.runs()
        (zombie,) = (run for run in runs if run.fence == 1)
        assert max(zombie.steps.values()) > second.began, "it had something to say after the claim was another's"
        return judge(desk.ask("tables"), runs, [])


def test_with_the_fence_a_zombie_writes_nothing():
    assert wake_a_zombie() == []


def test_without_the_fence_the_verdict_is_red():
    violations = wake_a_zombie(CHAOS_FENCES="0")
    stale = [violation for violation in violations if violation.promise == "fences"]
    assert any("wrote the steps" in violation.words for violation in stale), violations
