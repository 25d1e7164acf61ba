"""The training loop: seed, build, resume, then for each epoch train, measure, report and checkpoint.

A trial that is stopped at a checkpoint and continued gives bit for bit the numbers of one that never stopped:
on the CPU with the same number of threads, on CUDA in deterministic mode. For this the checkpoint holds the
model, the optimizer, the schedule, the loss scaler and every random generator at the end of an epoch; an
epoch that is interrupted is trained again from its beginning.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.optim.lr_scheduler import ReduceLROnPlateau

from tuning.training.batches import size_of
from tuning.training.checkpoint import CheckpointError, CheckpointFolder, load_checkpoint
from tuning.training.data_size import part_of
from tuning.training.determinism import (
    PeakMemory,
    device_name,
    prepare_device,
    random_state,
    restore_random_state,
    seed_everything,
)
from tuning.training.evaluation import evaluate
from tuning.training.examples import load_data
from tuning.training.splits import Splits
from tuning.training.workload import Workload

# Asking whether a loss is finite makes a GPU wait for its queue; on the CPU it costs nothing.
CUDA_CHECK_EVERY = 16


class DivergedError(RuntimeError):
    """A loss that is not finite; training further cannot bring it back."""

    def __init__(self, split: str, value: float, epoch: int, learning_rate: float) -> None:
        self.split, self.value, self.epoch, self.learning_rate = split, value, epoch, learning_rate
        super().__init__(
            f"the {split} loss became {value} in epoch {epoch}, at a learning rate of {learning_rate:.3g}"
        )


@dataclass(frozen=True)
class Run:
    """One stretch of a trial's training.

    Attributes:
        params: the trial's configuration.
        seed: of weights, batches, dropout and augmentation.
        epochs: the number of finished epochs to arrive at, those before a resume counted in.
        max_epochs: the longest training of the study, over which a schedule stretches; None: that of the
            checkpoint, else of the workload, or `epochs` where that is more.
        metric, direction: what decides the best epoch.
        checkpoint_dir, fence: where checkpoints go, and the attempt's number in their names.
        resume_from: the checkpoint to continue from.
        trial: the trial's number, for the record.
        device: "cpu" or "cuda".
        threads: of the CPU.
        deterministic: only algorithms whose results are reproducible.
        load: how the workload's data are read, all of them (`data_size` takes a trial's part); the random generators
            are seeded after it.
    """

    params: Mapping[str, Any]
    seed: int
    epochs: int
    metric: str
    direction: str
    checkpoint_dir: str | Path
    fence: int = 0
    max_epochs: int | None = None
    resume_from: str | Path | None = None
    trial: int | None = None
    device: str = "cpu"
    threads: int = 1
    deterministic: bool = False
    load: Callable[[Workload], Splits] = load_data


class Listener(Protocol):
    """Who follows a training: the runner's channel, or a test."""

    def request(self) -> str | None:
        """Return "stop" or "pause" once the training shall end, None before; asked between batches."""

    def step(self, step: int, metrics: Mapping[str, float]) -> None:
        """Take the metrics of a finished epoch (1-based)."""

    def checkpoint(self, kind: str, step: int, path: Path) -> None:
        """Take a checkpoint that is complete on disk."""


@dataclass(frozen=True)
class Outcome:
    """How a training ended.

    Attributes:
        steps: finished epochs, each of them reported and checkpointed.
        stopped: False at its end, True after a stop, "pause" after a pause.
        parameters: of the model.
        examples: that it learnt from.
        optimizer: its class, which tells what a weight decay means.
        device: its maker's name.
        seconds: of this run alone.
        peak_memory: bytes.
    """

    steps: int
    stopped: bool | str
    parameters: int
    examples: int
    optimizer: str
    device: str
    seconds: float
    peak_memory: int


class _Interrupted(Exception):
    """A stop or a pause, on its way from between two batches to the end of the training."""


def train(workload: Workload, run: Run, listener: Listener) -> Outcome:
    """Train one trial up to `run.epochs` finished epochs, reporting and checkpointing each.

    Raises:
        DivergedError: the training or the validation loss is not finite.
        CheckpointError: `run.resume_from` cannot be read or belongs to another trial.
        DiskFullError: a checkpoint does not fit; the one before it stands.
        DeviceError: the device is not there.
        ValueError: the run does not fit the workload.
    """
    started = time.perf_counter()
    resumed = None if run.resume_from is None else load_checkpoint(run.resume_from)
    horizon = workload.max_epochs if resumed is None else resumed["max_epochs"]
    max_epochs = run.max_epochs or max(run.epochs, horizon)
    _check(workload, run, max_epochs)

    device = prepare_device(run.device, threads=run.threads, deterministic=run.deterministic)
    memory = PeakMemory(device)
    splits = part_of(run.load(workload), run.params)
    generator = seed_everything(run.seed)

    model = workload.build_model(run.params).to(device)
    optimizer = workload.build_optimizer(model, run.params)
    loader = workload.train_loader(splits.train, run.params, generator)
    schedule = workload.build_schedule(optimizer, run.params, max_epochs, len(loader))  # type: ignore[arg-type]
    scaler = torch.amp.GradScaler(device.type, enabled=workload.amp == "float16" and device.type == "cuda")

    folder = CheckpointFolder(run.checkpoint_dir, run.fence)
    identity = {
        "workload": workload.name,
        "params": dict(run.params),
        "seed": run.seed,
        "max_epochs": max_epochs,
    }
    step, best = 0, None
    if resumed is not None:
        _check_identity(resumed, identity, run.resume_from)
        model.load_state_dict(resumed["model"])
        optimizer.load_state_dict(resumed["optimizer"])
        if schedule is not None:
            schedule.load_state_dict(resumed["schedule"])
        scaler.load_state_dict(resumed["scaler"])
        restore_random_state(resumed["random"], generator, device)
        step, best = resumed["step"], resumed["best"]
        del resumed

    def between_batches() -> None:
        request = listener.request()
        if request is not None:
            raise _Interrupted(request)

    stopped: bool | str = False
    try:
        while step < run.epochs:
            epoch = step + 1
            model.train()
            for number, (inputs, targets) in enumerate(loader, start=1):
                between_batches()
                learning_rate = float(optimizer.param_groups[0]["lr"])
                inputs = workload.augment(inputs, run.params, generator).to(device)
                targets = targets.to(device)

                optimizer.zero_grad(set_to_none=True)
                with autocast(workload, device):
                    loss = workload.train_step(model, inputs, targets, run.params)
                penalty = workload.penalty(model, run.params)
                scaler.scale(loss if penalty is None else loss + penalty).backward()
                scaler.step(optimizer)
                scaler.update()
                if schedule is not None and not isinstance(schedule, ReduceLROnPlateau):
                    schedule.step()

                if device.type == "cpu" or number % CUDA_CHECK_EVERY == 0:
                    _check_finite(loss, "training", epoch, learning_rate)

            metrics: dict[str, float] = {}
            for name, dataset in (("train", splits.train), ("validation", splits.validation)):
                scores = evaluate(workload, model, dataset, device, between_batches)
                _check_finite(scores["loss"], name, epoch, learning_rate)
                metrics |= {f"{name}/{score}": value for score, value in scores.items()}
            if isinstance(schedule, ReduceLROnPlateau):
                schedule.step(metrics["validation/loss"])

            step = epoch
            value = metrics[run.metric]
            improved = math.isfinite(value) and (best is None or _better(value, best["value"], run.direction))
            if improved:
                best = {"step": step, "value": value}
            listener.step(step, metrics)
            state = {
                **identity,
                "trial": run.trial,
                "fence": run.fence,
                "step": step,
                "metrics": metrics,
                "best": best,
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "schedule": None if schedule is None else schedule.state_dict(),
                "scaler": scaler.state_dict(),
                "random": random_state(generator, device),
            }
            last = folder.save("last", step, state)
            listener.checkpoint("last", step, last)
            if improved:
                listener.checkpoint("best", step, folder.link("best", step, last))
    except _Interrupted as interruption:
        request = str(interruption)
        stopped = True if request == "stop" else request

    return Outcome(
        steps=step,
        stopped=stopped,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        examples=size_of(splits.train),
        optimizer=type(optimizer).__name__,
        device=device_name(device),
        seconds=time.perf_counter() - started,
        peak_memory=memory.read(),
    )


def _check(workload: Workload, run: Run, max_epochs: int) -> None:
    if run.epochs < 1:
        raise ValueError(f"epochs is at least 1, not {run.epochs}")
    if run.epochs > max_epochs:
        raise ValueError(
            f"epochs ({run.epochs}) is above max_epochs ({max_epochs}), the longest training allowed"
        )
    if run.metric not in (reported := workload.reported_metrics()):
        raise ValueError(f"{workload.name} does not report {run.metric!r}, but {', '.join(reported)}")
    if run.direction not in ("minimize", "maximize"):
        raise ValueError(f"direction is 'minimize' or 'maximize', not {run.direction!r}")


def _check_identity(state: Mapping[str, Any], identity: Mapping[str, Any], path: str | Path | None) -> None:
    for key, expected in identity.items():
        if state[key] != expected:
            raise CheckpointError(
                f"the checkpoint {path} belongs to another trial: "
                f"its {key} is {state[key]!r}, this one's {expected!r}"
            )


def _check_finite(loss: Tensor | float, split: str, epoch: int, learning_rate: float) -> None:
    value = float(loss.detach() if isinstance(loss, Tensor) else loss)
    if not math.isfinite(value):
        raise DivergedError(split, value, epoch, learning_rate)


def _better(value: float, best: float, direction: str) -> bool:
    return value < best if direction == "minimize" else value > best


def autocast(workload: Workload, device: torch.device) -> torch.autocast:
    """The precision of the workload's training steps."""
    dtype = torch.float16 if workload.amp == "float16" else torch.bfloat16
    return torch.autocast(device.type, dtype=dtype, enabled=workload.amp is not None)
