"""The kind "finalise": a sealed configuration is trained with fresh seeds, and then measured on the test split.

What the test split says leaves this process in the result alone: while the seal is open nothing is printed, and an
error tells its kind and place without its words. The session lets the process train nothing afterwards.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuning.runner.failures import JobError, users_place
from tuning.runner.inbox import Inbox
from tuning.runner.output import silence
from tuning.runner.pins import DataPin
from tuning.runner.protocol import ChannelClosed
from tuning.runner.spec import read
from tuning.training import Splits, Workload
from tuning.training.catalogue import Catalogue
from tuning.training.determinism import device_name, prepare_device
from tuning.training.final import Plan, Stopped, Trained, measure_finals, train_finals

TELL_SECONDS = 1.0
STOPPED = "it was asked to stop before anything was measured"


def finalise(spec: Mapping[str, Any], catalogue: Catalogue, inbox: Inbox) -> dict[str, Any]:
    """Return what `measure_finals` returns, and {"parameters", "device", "seconds"}.

    Fields of `spec`: workload, params, seeds, epochs, retrain ("train" or "train+validation"), checkpoint_dir,
    hash_key; optional: max_epochs, metric, direction, objective ("best" or "last"), data_digest (of the data that the
    study is pinned to), fence, device, threads, deterministic. While it trains, {"type": "trained", "number" (of the
    seeds, from 0), "step"} is sent, at most once a second.

    Raises:
        OtherData: this host's data are not those of the study.
    """
    began = time.perf_counter()
    workload = catalogue.make(read(spec, "workload", str))
    if not workload.has_test_data():
        raise JobError(f"{workload.name} has no test split; add a method test_data() that returns its examples")
    plan, key = _plan(spec, workload), _key(spec)
    splits = DataPin(read(spec, "data_digest", str, None), inbox).load(workload)
    device = prepare_device(plan.device, threads=plan.threads, deterministic=plan.deterministic)
    told = 0.0

    def trained(number: int, step: int) -> None:
        nonlocal told
        if time.monotonic() - told >= TELL_SECONDS:
            told = time.monotonic()
            inbox.channel.send({"type": "trained", "number": number, "step": step})

    try:
        finals = train_finals(workload, splits, plan, request=inbox.request, trained=trained)
    except Stopped as error:
        raise JobError(STOPPED) from error
    answer = _measured(workload, splits, plan, finals, key, inbox)
    parameters = next(final.parameters for final in finals if final.checkpoint is not None)
    facts = {"parameters": parameters, "device": device_name(device)}
    return answer | facts | {"seconds": time.perf_counter() - began}


def _measured(
    workload: Workload, splits: Splits, plan: Plan, finals: list[Trained], key: bytes, inbox: Inbox
) -> dict[str, Any]:
    """The measurement, whose errors keep to themselves what they say."""

    def between() -> None:
        if inbox.request() is not None:
            raise JobError(STOPPED)

    try:
        with silence():
            return measure_finals(workload, splits, plan, finals, hash_key=key, between=between)
    except (ChannelClosed, JobError):
        raise
    except (Exception, SystemExit) as error:  # the user's code may name numbers of the test split in it
        words = f"measuring on the test split raised {type(error).__name__}{users_place(error)}"
        problem = JobError(f"{words}; what it said is kept back, because it may hold what the test split says")
    raise problem


def _plan(spec: Mapping[str, Any], workload: Workload) -> Plan:
    retrain, seeds = read(spec, "retrain", str), read(spec, "seeds", list)
    if retrain not in ("train", "train+validation"):
        raise JobError(f"the spec's 'retrain' is 'train' or 'train+validation', not {retrain!r}")
    if not seeds or not all(type(seed) is int and 0 <= seed < 2**63 for seed in seeds):
        raise JobError(f"the spec's 'seeds' are whole numbers from 0 to 2**63 - 1, at least one, not {seeds!r}")
    return Plan(
        params=read(spec, "params", dict),
        seeds=seeds,
        epochs=read(spec, "epochs", int),
        max_epochs=read(spec, "max_epochs", int, None),
        with_validation=retrain == "train+validation",
        metric=read(spec, "metric", str, workload.metric),
        direction=read(spec, "direction", str, workload.direction),
        best=read(spec, "objective", str, "best") == "best",
        folder=Path(read(spec, "checkpoint_dir", str)),
        fence=read(spec, "fence", int, 0),
        device=read(spec, "device", str, "cpu"),
        threads=read(spec, "threads", int, 1),
        deterministic=read(spec, "deterministic", bool, False),
    )


def _key(spec: Mapping[str, Any]) -> bytes:
    try:
        key = bytes.fromhex(read(spec, "hash_key", str))
    except ValueError:
        key = b""
    if not 16 <= len(key) <= 64:
        raise JobError("the spec's 'hash_key' is 16 to 64 bytes in hexadecimal digits")
    return key
