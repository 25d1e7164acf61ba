"""The person at the desk while the storm rages: `python -m tests.chaos.desk` answers JSON lines on stdin, one by one.

It uses hpweb's own services and selectors, as pages do, in a process that nothing strikes.
"""

import json
import sys
import time
from typing import Any

import django

django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.db import InterfaceError, OperationalError, connection  # noqa: E402

from tests.chaos.runner import NAME, described  # noqa: E402
from tuning.models import Attempt, CurveSummary, MetricChunk, Study, Trial  # noqa: E402
from tuning.selectors.curves import study_curves  # noqa: E402
from tuning.selectors.hosts import hosts_overview  # noqa: E402
from tuning.services.extending import extend_study  # noqa: E402
from tuning.services.lifecycle import start_study  # noqa: E402
from tuning.services.metrics import unpack  # noqa: E402
from tuning.services.studies import create_study  # noqa: E402
from tuning.services.workloads import store_descriptions  # noqa: E402

PATIENCE_SECONDS = 30.0
COUNTERS = ("n_waiting", "n_running", "n_paused", "n_complete", "n_pruned", "n_failed")


def alice() -> Any:
    return get_user_model().objects.get_or_create(username="alice")[0]


def start(trials: int, steps: int, parallel: int, seed: int) -> int:
    """A running study of the chain."""
    store_descriptions(entries=[described()])
    study = create_study(
        owner=alice(), name="storm", workload=NAME, n_trials=trials, max_resource=steps, parallel=parallel,
        sampler="random", seed=seed,
    )  # fmt: skip
    start_study(study_id=study.pk, actor=alice(), despite="it is about something else")
    return study.pk


def extend(trials: int | None = None, parallel: int | None = None) -> int:
    study = extend_study(study_id=Study.objects.get().pk, actor=alice(), n_trials=trials, parallel=parallel)
    return study.budget_total or 0


def counts() -> dict[str, Any]:
    """The study's state, its budget, how many trials there really are, and which of them found the disk full."""
    study = Study.objects.get()
    full = Trial.objects.filter(reason_code=Trial.Reason.DISK_FULL).values_list("number", flat=True)
    return {
        "state": study.state, "budget": study.budget_total, "created": Trial.objects.count(), "disk_full": list(full)
    }  # fmt: skip


def trials() -> list[dict[str, Any]]:
    return list(Trial.objects.order_by("number").values("number", "state", "fence", "checkpoint_step"))


def hosts() -> list[dict[str, Any]]:
    """What the workers page says."""
    return [
        {
            "name": row.host.name,
            "alive": row.alive,
            "age": row.age_seconds,
            "running": [slot.trial.number for device in row.devices for slot in device.slots if slot.trial],
        }
        for row in hosts_overview()
    ]


def tables() -> dict[str, Any]:
    """All that the verdict looks at."""
    study = Study.objects.get()
    rows = list(Trial.objects.order_by("number"))
    numbers = {trial.pk: trial.number for trial in rows}
    columns = ("number", "state", "reason_code", "reason", "fence", "retries", "seed", "resource", "resource_done",
               "value", "value_step", "finish_seq")  # fmt: skip
    curves = study_curves(study, list(numbers))
    return {
        "study": {
            "state": study.state, "budget": study.budget_total, "finish_seq": study.finish_seq,
            "max_retries": study.max_retries, "next_number": study.next_number,
            "best": numbers.get(study.best_trial_id),
            "counters": {name: getattr(study, name) for name in COUNTERS},
        },
        "trials": [{name: getattr(trial, name) for name in columns} for trial in rows],
        "attempts": [
            {"trial": numbers[row.trial_id], "fence": row.fence, "slot": row.slot_id, "start_step": row.start_step,
             "host": row.host, "ended": row.ended is not None, "outcome": row.outcome}
            for row in Attempt.objects.order_by("trial", "fence")
        ],
        "chunks": [
            {"trial": numbers[chunk.trial_id], "fence": chunk.fence, "metric": chunk.metric.name,
             "steps": unpack(chunk.steps, "i"), "values": unpack(chunk.values, "d")}
            for chunk in MetricChunk.objects.select_related("metric").order_by("trial", "metric", "fence", "first_step")
        ],
        "curves": {
            number: {name: [curve.steps, curve.values] for name, curve in curves.get(pk, {}).items()}
            for pk, number in numbers.items()
        },
        "summaries": [
            {"trial": numbers[row.trial_id], "metric": row.metric.name, "n": row.n, "last_step": row.last_step}
            for row in CurveSummary.objects.select_related("metric")
        ],
    }  # fmt: skip


CALLS = {"start": start, "extend": extend, "counts": counts, "trials": trials, "hosts": hosts, "tables": tables}


def answer(call: str, words: dict[str, Any]) -> Any:
    """Ask again while the database is away."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return CALLS[call](**words)
        except (OperationalError, InterfaceError):
            connection.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def main() -> None:
    for line in sys.stdin:
        question = json.loads(line)
        print(json.dumps(answer(question.pop("call"), question)), flush=True)


if __name__ == "__main__":
    main()
