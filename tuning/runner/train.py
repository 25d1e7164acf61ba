"""The kind "train": one trial of a PyTorch workload, its epochs and checkpoints reported as they come."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tuning.runner.failures import JobError
from tuning.runner.inbox import Inbox
from tuning.runner.pins import DataPin
from tuning.runner.spec import read
from tuning.training import Run, train
from tuning.training.catalogue import Catalogue


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
    trial, device, threads, deterministic, data_digest (of the data that the study is pinned to, "" before any are).

    Raises:
        OtherData: this host's data are not those of the study.
    """
    workload = catalogue.make(read(spec, "workload", str))
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
    return asdict(train(workload, run, ChannelListener(inbox)))
