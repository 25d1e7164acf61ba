"""Clocks that are wrong: those of one host's workers from their start on, or the whole machine's from one moment to the
next."""

import signal
import time

from tests.chaos.blows import Blow, Stage, kind
from tests.chaos.place import kill
from tuning.workers.processes import children

HOUR = 3600
LOOK_SECONDS = 3.0  # within which the reaper has looked, with the time that has changed


@kind("a clock that is hours off after a restart")
def skew_clock(stage: Stage) -> Blow | None:
    """The supervisor's next life, and all that it starts, believes in another time; the one after that does not."""
    supervisor = stage.place.supervisor
    if supervisor is None or supervisor.poll() is not None:
        return None
    stage.place.next_start(CHAOS_CLOCK=str(stage.chance.choice((-26, -5, 3, 49)) * HOUR))
    blow = Blow(time.monotonic(), set(stage.place.trial_processes()))
    return blow if kill(supervisor.pid) else None


@kind("the database's clock jumps hours ahead while a busy worker is stopped")
def jump_ahead(stage: Stage) -> Blow | None:
    """Every lease is over at that moment. The others renew theirs before the reaper looks, or lose it; the stopped
    worker wakes when another may have its trial."""
    worker = _one_at_work(stage)
    if stage.clock is None or worker is None or not kill(worker, signal.SIGSTOP):
        return None
    blow = Blow(time.monotonic(), set(children(worker)))
    _jump(stage, stage.chance.randint(2, 49) * HOUR, blow)
    if kill(worker, signal.SIGCONT):
        blow.thawed = time.monotonic()
    return blow


@kind("the database's clock jumps hours back and a busy worker is killed")
def jump_back(stage: Stage) -> Blow | None:
    """Its lease ends in hours by then; nobody may wait for that."""
    worker = _one_at_work(stage)
    if stage.clock is None or worker is None:
        return None
    blow = Blow(time.monotonic(), set(children(worker)))
    kill(worker)
    _jump(stage, -stage.chance.randint(2, 49) * HOUR, blow)
    return blow


def _one_at_work(stage: Stage) -> int | None:
    workers = stage.workers_at_work()
    return stage.chance.choice(workers) if workers else None


def _jump(stage: Stage, seconds: int, blow: Blow) -> None:
    """Let the clock jump and the reaper look; whose claim another has by then is doomed, too."""
    before = stage.runs_at_work()
    if stage.clock is not None:
        stage.clock.jump(seconds)
    stage.wait(LOOK_SECONDS)
    after = stage.place.ledger.runs()
    taken = {run.pid for run in before for one in after if one.trial == run.trial and one.fence > run.fence}
    blow.doomed = (blow.doomed or set()) | taken
