"""The ingestion rows of `bench runtime`: 32 trial processes that report 50 steps a second each, seen at the tables.

Each part is a process of its own that attends to its share of the trials by the workers' own TrialRun; the trial
processes are real ones without torch (tests/workers/flood.py). First at the pace that is promised, then as fast as the
database takes it: the reports then wait in the trial processes.

    python -m tests.benchmarks.ingestion whole TRIALS SECONDS RATE PARTS    prints the outcome as JSON
    python -m tests.benchmarks.ingestion part TRIAL_ID…                     one part of it
"""

import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

import django

django.setup()

from django.contrib.auth import get_user_model  # noqa: E402

from tests.benchmarks.processes import dying_with_us  # noqa: E402
from tests.factories import make_workload  # noqa: E402
from tests.workers import flood  # noqa: E402
from tuning.models import Slot, Trial  # noqa: E402
from tuning.selectors.curves import study_curves  # noqa: E402
from tuning.services.hosts import FoundDevice, register_host  # noqa: E402
from tuning.services.lifecycle import start_study  # noqa: E402
from tuning.services.starting import Holder, start_next  # noqa: E402
from tuning.services.studies import create_study  # noqa: E402
from tuning.workers import launcher, trial_run  # noqa: E402
from tuning.workers.local import LocalLauncher  # noqa: E402

START_SECONDS = 0.3  # for each trial process to be there when the flood begins
POLL_SECONDS = 0.002  # a part attends to several trials; a worker has one and waits longer for it


def whole(trials: str, seconds: str, rate: str, parts: str) -> None:
    """Claim the trials, let the parts attend to them, count what is in the tables."""
    steps = round(float(seconds) * (float(rate) or 50.0))
    os.environ |= {"FLOOD_RATE": rate, "FLOOD_POINTS": str(steps)}
    ids = claim(int(trials), steps)
    begin = time.monotonic() + 2.0 + START_SECONDS * int(trials)
    os.environ["FLOOD_BEGIN"] = str(begin)
    shares = [ids[part :: int(parts)] for part in range(int(parts))]
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.ingestion", "part", *map(str, share)],
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=dying_with_us(signal.SIGKILL),
        )
        for share in shares
    ]
    delays: list[float] = []
    for process in running:
        told, _ = process.communicate()
        if process.returncode != 0:
            raise RuntimeError(f"a part of the ingestion ended with {process.returncode}")
        delays += json.loads(told)
    seconds_taken = time.monotonic() - begin
    stored, wrong = counted(ids, steps)
    delays.sort()
    answer = {
        "sent": steps * len(ids),
        "stored": stored,
        "wrong": wrong,
        "per_second": stored / seconds_taken,
        "median_seconds": delays[len(delays) // 2],
        "p95_seconds": delays[len(delays) * 19 // 20],
        "worst_seconds": delays[-1],
    }
    print(json.dumps(answer))


def claim(trials: int, steps: int) -> list[int]:
    owner, _created = get_user_model().objects.get_or_create(username="alice", defaults={"is_superuser": True})
    make_workload("flood", max_resource=steps)
    device = FoundDevice("cpu", "CPU", None, trials, 1)
    host = register_host(name="bench", boot_id="boot", facts={}, devices=[device])
    slots = Slot.objects.filter(device__host=host).select_related("device__host").order_by("index")
    study = create_study(
        owner=owner, name=f"flood {time.time_ns()}", workload="flood", sampler="random", n_trials=trials,
        parallel=trials, seed=0,
    )  # fmt: skip
    start_study(study_id=study.pk, actor=owner, despite="it is about something else")
    claimed = [start_next(study_id=study.pk, holder=Holder(slot=slot, host="bench")) for slot in slots]
    return [trial.pk for trial in claimed if trial is not None]


def part(*ids: str) -> None:
    """Attend to these trials until they have ended; prints for each point the seconds from its report to its row."""
    launcher.RUNNER = "tests.workers.flood"
    trial_run.POLL_SECONDS = POLL_SECONDS
    delays: list[float] = []
    record = trial_run.record_points

    def timed(*, points: Any, **words: Any) -> str:
        decision = record(points=points, **words)
        now = time.time()
        delays.extend(now - point.wall for point in points)
        return decision

    trial_run.record_points = timed
    runs = []
    for trial in Trial.objects.filter(pk__in=ids).select_related("study", "slot__device__host"):
        run = trial_run.TrialRun(trial, trial.slot, LocalLauncher())
        run.start()
        runs.append(run)
    going = list(runs)
    while going:
        for run in going:
            run.step()
        for run in [run for run in going if run.outcome]:
            end(run)
        going = [run for run in going if not run.outcome]
    print(json.dumps([round(delay, 4) for delay in delays]))


def end(run: trial_run.TrialRun) -> None:
    """What TrialRun.run does at its end."""
    if getattr(run, "watch", None):
        run.watch.stop()
    if run.process:
        run.launcher.finish(run.process, clean=True)


def counted(ids: list[int], steps: int) -> tuple[int, int]:
    """How many steps are in the tables, and in how many trials they are not those that were reported, once each."""
    stored = wrong = 0
    study = Trial.objects.select_related("study").get(pk=ids[0]).study
    curves = study_curves(study, ids)
    expected = [flood.value_at(step) for step in range(1, steps + 1)]
    for trial_id in ids:
        curve = curves[trial_id][flood.METRIC]
        stored += len(curve.steps)
        wrong += curve.steps != list(range(1, steps + 1)) or curve.values != expected
    return stored, wrong


if __name__ == "__main__":
    {"whole": whole, "part": part}[sys.argv[1]](*sys.argv[2:])
