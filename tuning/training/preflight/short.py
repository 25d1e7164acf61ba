"""Short trainings by the real `train`: the same loop, losses and checkpoints as a trial's, on a sample of the data."""

from __future__ import annotations

import copy
import functools
import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim import Adam

from tuning.training.batches import size_of
from tuning.training.checkpoint import load_checkpoint
from tuning.training.loop import DivergedError, Run, train
from tuning.training.preflight.clock import Clock
from tuning.training.preflight.errors import workload_code
from tuning.training.preflight.sample import pair_of
from tuning.training.preflight.subject import SEED, Subject
from tuning.training.splits import Splits
from tuning.training.workload import Workload


@dataclass
class Short:
    """A short training.

    Attributes:
        epochs: the metrics of each finished epoch.
        planned: how many epochs were asked for; fewer are done where the time was over.
        diverged: what was said when the loss was no number any more; "" for never.
        output, targets: of the validation part, by the model of the best epoch (by validation loss) or the last one.
    """

    planned: int
    epochs: list[dict[str, float]] = field(default_factory=list)
    diverged: str = ""
    output: Tensor | None = None
    targets: Tensor | None = None

    @property
    def cut(self) -> bool:
        return not self.diverged and len(self.epochs) < self.planned

    @property
    def losses(self) -> list[float]:
        """The validation loss of each epoch."""
        return [metrics["validation/loss"] for metrics in self.epochs]

    @property
    def best(self) -> float:
        """The least validation loss; infinite where no epoch was finished."""
        return min(self.losses, default=math.inf)


class _Listener:
    """Keeps what a training reports, and ends it with the time."""

    def __init__(self, clock: Clock, short: Short) -> None:
        self._clock, self._short = clock, short
        self.paths: dict[str, Path] = {}

    def request(self) -> str | None:
        return "stop" if self._clock.over() else None

    def step(self, step: int, metrics: Mapping[str, float]) -> None:
        self._short.epochs.append(dict(metrics))

    def checkpoint(self, kind: str, step: int, path: Path) -> None:
        self.paths[kind] = path


def epochs_for(subject: Subject, steps: int) -> int:
    """How many epochs of the sample make about that many steps, from 1 to the workload's most."""
    each = max(1, -(-size_of(subject.sample.train.dataset) // subject.batch_size))
    return max(1, min(subject.workload.max_epochs, -(-steps // each)))


def short_training(
    subject: Subject,
    splits: Splits,
    epochs: int,
    *,
    seed: int = SEED,
    keep: str = "best",
    own_adam: float | None = None,
) -> Short:
    """Train for some epochs on `splits`, as a trial would; `own_adam` is a learning rate in place of the optimizer.

    Raises:
        WorkloadRaised: the workload's code failed.
    """
    short = Short(epochs)
    listener = _Listener(subject.clock, short)
    workload = _prepared(subject, own_adam)
    with tempfile.TemporaryDirectory(prefix="hpweb-preflight-") as folder:
        run = Run(
            params=subject.params,
            seed=seed,
            epochs=epochs,
            max_epochs=epochs,
            metric="validation/loss",
            direction="minimize",
            checkpoint_dir=folder,
            device=subject.device.type,
            threads=torch.get_num_threads(),
            deterministic=torch.are_deterministic_algorithms_enabled(),
            load=lambda _: splits,
        )
        with workload_code("a short training"):
            try:
                train(workload, run, listener)
            except DivergedError as error:
                short.diverged = str(error)
        _measure(subject, short, splits, listener.paths.get(keep) or listener.paths.get("last"))
    return short


def _prepared(subject: Subject, own_adam: float | None) -> Workload:
    """The workload itself, or a copy with another loader or optimizer.

    A loader of the workload's own may need its own dataset, which a sample of it is not.
    """
    workload = copy.copy(subject.workload)
    if subject.overrides("train_loader") and pair_of(subject.splits.train) is None:
        workload.train_loader = functools.partial(Workload.train_loader, workload)  # type: ignore[method-assign]
    if own_adam is not None:
        workload.build_optimizer = lambda model, params: Adam(model.parameters(), lr=own_adam)  # type: ignore
        workload.build_schedule = lambda *arguments: None  # type: ignore[method-assign]
        workload.penalty = lambda model, params: None  # type: ignore[method-assign]
    return workload


def _measure(subject: Subject, short: Short, splits: Splits, path: Path | None) -> None:
    if path is None:
        return
    state: dict[str, Any] = load_checkpoint(path)["model"]
    model = subject.build(SEED)
    model.load_state_dict(state)
    short.output, short.targets = subject.measured(model, splits.validation)
