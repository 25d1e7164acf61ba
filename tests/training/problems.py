"""A tiny problem on made numbers that uses everything at once, for tests of the loop rather than of learning."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tuning.training import Metric, Run, Splits, TensorDataset, Workload

PARAMS: dict[str, Any] = {"lr": 0.1, "dropout": 0.5, "l1": 1e-4, "batch_size": 16}


class Blobs(Workload):
    """Two classes of points, with dropout, shuffling, momentum, a schedule, noise from every generator, and L1."""

    name = "blobs"
    scores = (Metric("accuracy", "maximize"),)
    max_epochs = 6
    space = {"lr": {"type": "float", "low": 1e-3, "high": 1.0, "log": True}}

    def data(self) -> Splits:
        generator = torch.Generator().manual_seed(5)
        inputs = torch.randn(120, 4, generator=generator)
        labels = (inputs.sum(dim=1) > 0).long()
        return Splits(TensorDataset(inputs[:80], labels[:80]), TensorDataset(inputs[80:], labels[80:]))

    def build_model(self, params: Mapping[str, Any]) -> nn.Module:
        layers = [
            nn.Linear(4, 16),
            nn.BatchNorm1d(16),
            nn.ReLU(),
            nn.Dropout(params["dropout"]),
            nn.Linear(16, 2),
        ]
        return nn.Sequential(*layers)

    def build_optimizer(self, model: nn.Module, params: Mapping[str, Any]) -> torch.optim.Optimizer:
        return torch.optim.SGD(model.parameters(), lr=params["lr"], momentum=0.9)

    def build_schedule(
        self, optimizer: torch.optim.Optimizer, params: Mapping[str, Any], epochs: int, steps_per_epoch: int
    ) -> Any:
        return torch.optim.lr_scheduler.OneCycleLR(optimizer, params["lr"], epochs * steps_per_epoch)

    def augment(self, inputs: Tensor, params: Mapping[str, Any], generator: torch.Generator) -> Tensor:
        scale = 1 + 0.1 * random.random() + 0.1 * float(np.random.rand())
        return scale * inputs + 0.1 * torch.randn(inputs.shape, generator=generator)

    def penalty(self, model: nn.Module, params: Mapping[str, Any]) -> Tensor:
        return params["l1"] * torch.stack([p.abs().sum() for p in model.parameters()]).sum()

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(output, target)

    def metrics(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        return {"accuracy": (output.argmax(1) == target).double().mean()}


class Record:
    """A listener that keeps everything, and asks for an end after so many questions."""

    def __init__(self, *, after: int | None = None, request: str = "stop") -> None:
        self.steps: dict[int, dict[str, float]] = {}
        self.checkpoints: list[tuple[str, int, Path]] = []
        self.questions = 0
        self._after, self._request = after, request

    def request(self) -> str | None:
        self.questions += 1
        return self._request if self._after is not None and self.questions > self._after else None

    def step(self, step: int, metrics: Mapping[str, float]) -> None:
        self.steps[step] = dict(metrics)

    def checkpoint(self, kind: str, step: int, path: Path) -> None:
        assert path.is_file()
        self.checkpoints.append((kind, step, path))

    def last(self) -> Path:
        return [path for kind, _, path in self.checkpoints if kind == "last"][-1]


def run_of(folder: Path, **changes: Any) -> Run:
    """A run of 6 epochs of Blobs, with changes."""
    fields: dict[str, Any] = {
        "params": PARAMS,
        "seed": 7,
        "epochs": 6,
        "metric": "validation/loss",
        "direction": "minimize",
        "checkpoint_dir": folder,
    }
    return Run(**(fields | changes))
