"""What `bench runtime` does inside its temporary installation: `python -m tests.benchmarks.runtime_probe WHAT …`.

start NAME WORKLOAD N RESOURCE    describe the workloads here, create a study and start it
cancel NAME TIMES                 cancel the running trial so often; prints the seconds until its process was gone
recover NAME TIMES process|worker kill -9; prints the seconds until the trial's next attempt reported a step
stop NAME                         stop the study
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import django

django.setup()

from django.contrib.auth import get_user_model  # noqa: E402

from tuning.models import Attempt, MetricChunk, Study, Trial  # noqa: E402
from tuning.services.lifecycle import cancel_trial, start_study, stop_study  # noqa: E402
from tuning.services.studies import create_study  # noqa: E402
from tuning.workers.describing import describe_here  # noqa: E402
from tuning.workers.processes import start_time  # noqa: E402

PATIENCE_SECONDS = 120.0


def owner() -> Any:
    return get_user_model().objects.get_or_create(username="alice", defaults={"is_staff": True, "is_superuser": True})[
        0
    ]


def start(name: str, workload: str, n_trials: str, resource: str) -> None:
    describe_here()
    study = create_study(
        owner=owner(),
        name=name,
        workload=workload,
        n_trials=int(n_trials),
        max_resource=int(resource) or None,
        sampler="random",
        parallel=1,
        seed=0,
    )
    start_study(study_id=study.pk, actor=owner(), despite="it is about something else")


def until(what: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (answer := what()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing happened for {PATIENCE_SECONDS:g} seconds")
        time.sleep(0.005)
    return answer


def running(name: str) -> Trial:
    """The study's running trial, once it has reported a step in its newest attempt."""

    def look() -> Trial | None:
        trial = Trial.objects.filter(study__name=name, state=Trial.State.RUNNING, resource_done__gt=0).first()
        return trial if trial and MetricChunk.objects.filter(trial=trial, fence=trial.fence).exists() else None

    return until(look)


def cancel(name: str, times: str) -> None:
    seconds = []
    for _ in range(int(times)):
        trial = running(name)
        pid = Attempt.objects.get(trial=trial, fence=trial.fence).pid
        began = time.monotonic()
        cancel_trial(trial_id=trial.pk, actor=owner())
        until(lambda pid=pid: not start_time(pid))
        seconds.append(time.monotonic() - began)
    print(json.dumps(seconds))


def recover(name: str, times: str, whom: str) -> None:
    seconds = []
    for _ in range(int(times)):
        trial = running(name)
        Trial.objects.filter(pk=trial.pk).update(retries=0)
        pid = Attempt.objects.get(trial=trial, fence=trial.fence).pid
        if whom == "worker":
            with open(f"/proc/{pid}/stat") as file:
                pid = int(file.read().rsplit(")", 1)[1].split()[1])
        began = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        later = MetricChunk.objects.filter(trial=trial, fence__gt=trial.fence)
        until(later.exists)
        seconds.append(time.monotonic() - began)
    print(json.dumps(seconds))


def stop(name: str) -> None:
    stop_study(study_id=Study.objects.get(name=name).pk, actor=owner())


if __name__ == "__main__":
    {"start": start, "cancel": cancel, "recover": recover, "stop": stop}[sys.argv[1]](*sys.argv[2:])
