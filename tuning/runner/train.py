"""The kind "train": one trial of a PyTorch workload, its epochs and checkpoints reported as they come."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tuning.constraints import constraints_of
from tuning.runner.failures import JobError
from tuning.runner.inbox import Inbox
from tuning.runner.pins import DataPin
from tuning.runner.spec import read
from tuning.training import Run, Workload, train
from tuning.training.catalogue import Catalogue
from tuning.training.footprint import footprint, parameter_count


class ChannelListener:
    """Reports a training to the worker and asks its messages for a stop or a pause."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    def request(self) -> str | None:
        """Return "stop" or "pause" once the worker has sent it."""
        return self._inbox.request()

    def step(self, step: int, metrics: Mapping[str, float]) -> None:
        """Report a finished epoch."""
        message = {"type": "step", "step": step, "metrics": dict(metrics), "wall": time.time()}
        self._inbox.channel.send(message)

    def checkpoint(self, kind: str, step: int, path: Path) -> None:
        """Report a checkpoint that is complete on disk."""
        self._inbox.channel.send({"type": "checkpoint", "kind": kind, "step": step, "path": str(path)})


def run_training(spec: Mapping[str, Any], catalogue: Catalogue, inbox: Inbox) -> dict[str, Any]:
    """Train as `spec` says and return the result's fields.

    Fields: workload, params, seed, epochs, checkpoint_dir; optional: max_epochs (the study's longest
    training: the horizon of schedules), metric, direction (default: the workload's), resume_from, fence,
    trial, device, threads, deterministic, data_digest (of the data that the study is pinned to, "" before any are),
    constraints (limits on the model by name). A configuration above one is not trained, and no data are read that the
    count does not need: its result has the state "infeasible", and constraints, one above 0.

    Raises:
        OtherData: this host's data are not those of the study.
    """
    workload = catalogue.make(read(spec, "workload", str))
    counted = count_model(workload, read(spec, "params", dict), read(spec, "constraints", dict, {}))
    if any(constraint > 0 for constraint in counted.get("constraints", ())):
        if read(spec, "resume_from", str, None) is None:
            return {"state": "infeasible", "stopped": False, **counted}
        del counted["constraints"]  # the limit came when it had trained already: it stays what it is
    run = Run(
        params=read(spec, "params", dict),
        seed=read(spec, "seed", int),
        epochs=read(spec, "epochs", int),
        max_epochs=read(spec, "max_epochs", int, None),
        metric=read(spec, "metric", str, workload.metric),
        direction=read(spec, "direction", str, workload.direction),
        checkpoint_dir=read(spec, "checkpoint_dir", str),
        fence=read(spec, "fence", int, 0),
        resume_from=read(spec, "resume_from", str, None),
        trial=read(spec, "trial", int, None),
        device=read(spec, "device", str, "cpu"),
        threads=read(spec, "threads", int, 1),
        deterministic=read(spec, "deterministic", bool, False),
        load=DataPin(read(spec, "data_digest", str, None), inbox).load,
    )
    if not 0 <= run.seed < 2**63:
        raise JobError(f"the spec's 'seed' lies between 0 and 2**63 - 1, not {run.seed}")
    return {**asdict(train(workload, run, ChannelListener(inbox))), **counted}


def count_model(workload: Workload, params: Mapping[str, Any], limits: Mapping[str, int]) -> dict[str, Any]:
    """The result's fields "footprint" (what was counted) and "constraints" of a study with limits; else empty.

    Where parameters alone are limited, no data are read even if the workload does not say what its inputs look like.
    """
    if not limits:
        return {}
    if set(limits) == {"parameters"}:
        counts = {"parameters": parameter_count(workload, params)}
    else:
        found = footprint(workload, params)
        counts = {"parameters": found.parameters, "memory": found.memory, "flops": found.flops}
    return {"footprint": counts, "constraints": constraints_of(limits, counts)}
