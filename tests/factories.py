"""Plain functions that make rows for tests, through the services wherever a service makes them."""

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.utils import timezone

from tuning.models import Device, Host, Preflight, Slot, Split, Study, Trial, Workload
from tuning.services.hosts import FoundDevice, register_host
from tuning.services.lifecycle import start_study
from tuning.services.metrics import Point
from tuning.services.reporting import record_points
from tuning.services.starting import Holder, start_next
from tuning.services.studies import create_study
from tuning.workers.devices import PLACES

SPACE: dict[str, Any] = {
    "lr": {"type": "float", "low": 1e-5, "high": 0.1, "log": True},
    "optimizer": {"type": "categorical", "choices": ["sgd", "adamw"]},
    "momentum": {"type": "float", "low": 0.0, "high": 0.99, "when": {"optimizer": ["sgd"]}},
}
DESCRIPTION: dict[str, Any] = {
    "name": "tiny",
    "title": "A tiny workload",
    "doc": "Described by hand for tests.",
    "kind": "pytorch",
    "digest": "0" * 64,
    "source": "tests",
    "space": SPACE,
    "metric": "validation/loss",
    "direction": "minimize",
    "metrics": [
        {"name": "train/loss", "split": "train", "goal": "minimize"},
        {"name": "validation/loss", "split": "validation", "goal": "minimize"},
        {"name": "validation/accuracy", "split": "validation", "goal": "maximize"},
    ],
    "max_resource": 5,
    "min_resource": 1,
    "resource_unit": "epochs",
    "error": None,
}
_numbers = itertools.count(1)


def make_user(username: str, *, staff: bool = False) -> User:
    users = get_user_model()
    user: User = users.objects.create_user(username=username, password=f"{username}-password")
    if staff:
        user.is_staff = user.is_superuser = True
        user.save()
    return user


def make_workload(name: str = "tiny", *, counted: bool = True, checked: bool = True, **changes: Any) -> Workload:
    """A described workload whose splits are counted and checked already, so that starting a study of it queues no job.

    No study is pinned to their fingerprint, which is made up: real workers may run them.
    """
    document = {**DESCRIPTION, "name": name, **changes}
    file = Path(settings.WORKLOAD_DIR or "/nowhere") / f"{name}.py"
    if "digest" not in changes and file.is_file():
        document["digest"] = hashlib.sha256(file.read_bytes()).hexdigest()  # as a trial process would find it
    row, _created = Workload.objects.update_or_create(
        name=name, defaults={"digest": document["digest"], "document": document, "error": document["error"] or ""}
    )
    if counted:
        Split.objects.get_or_create(
            workload=name, digest="", defaults={"sizes": {"train": 6, "validation": 2, "test": 2}}
        )
    if checked:
        Preflight.objects.get_or_create(
            workload=name, digest=row.digest, defaults={"state": Preflight.State.PASSED, "completed": timezone.now()}
        )
    return row


def make_study(owner: User, *, started: bool = False, **settings: Any) -> Study:
    """A READY (or RUNNING) study; without `workload` its trials are run by scripts."""
    settings.setdefault("name", f"study {next(_numbers)}")
    settings.setdefault("n_trials", 10)
    settings.setdefault("parallel", 4)
    settings.setdefault("seed", 7)
    if settings.get("workload"):
        if not Workload.objects.filter(name=settings["workload"]).exists():
            make_workload(settings["workload"])
    else:
        settings.setdefault("space", SPACE)
        settings.setdefault("metric", "validation/loss")
        settings.setdefault("max_resource", 5)
    study = create_study(owner=owner, **settings)
    return start_study(study_id=study.pk, actor=owner, despite="it is about something else") if started else study


def make_slot(host: str = "host-1", *, slots: int = 1, index: int = 0) -> Slot:
    """A CPU slot of a live host."""
    device = FoundDevice("cpu", "CPU, 2 cores", 8 * 2**30, slots, 1)
    row: Host = register_host(name=host, boot_id="boot", facts={"cores": 2}, devices=[device])
    return Slot.objects.select_related("device__host").get(device=Device.objects.get(host=row), index=index)


def make_place(lane: str, host: str = "host-1", *, slots: int = 1) -> Slot:
    """The place for short jobs of a lane, "quick" or "bulk", on a live host with so many CPU slots beside."""
    device = FoundDevice("cpu", "CPU, 2 cores", 8 * 2**30, slots, 1)
    row: Host = register_host(name=host, boot_id="boot", facts={"cores": 2}, devices=[device, PLACES])
    return Slot.objects.select_related("device__host").get(device__host=row, lane=lane)


def make_running(study: Study, slot: Slot | None = None) -> Trial:
    """The study's next trial, claimed for a slot of its own or for a script."""
    trial = start_next(study_id=study.pk, holder=Holder(slot=slot, host=slot.device.host.name if slot else "script"))
    if trial is None:
        raise RuntimeError(f"{study} has no trial to start")
    return trial


def report(
    trial: Trial, losses: Sequence[float], *, first: int = 1, pace: float = 1.0, **more: Sequence[float]
) -> str:
    """Report validation losses for steps first, first + 1, …, one every `pace` seconds; further metrics by name with __
    for the slash."""
    columns: Mapping[str, Sequence[float]] = {
        "validation/loss": losses,
        "train/loss": [0.9 * loss for loss in losses],
        **{name.replace("__", "/"): values for name, values in more.items()},
    }
    points = [
        Point(first + index, {name: values[index] for name, values in columns.items()}, 1_700_000_000.0 + pace * index)
        for index in range(len(losses))
    ]
    return record_points(trial_id=trial.pk, fence=trial.fence, points=points)
