"""One labelled training: how it is described, trained and written down."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from tests.analysis.curve_gallery.altered import altered
from tests.training.problems import Record
from tuning.training import DivergedError, Run, Workload, train
from tuning.training.batches import size_of
from tuning.training.workloads.breast_cancer_mlp import BreastCancerMLP
from tuning.training.workloads.diabetes_mlp import DiabetesMLP
from tuning.training.workloads.digits_cnn import DigitsCNN
from tuning.training.workloads.digits_mlp import DigitsMLP
from tuning.training.workloads.digits_transformer import DigitsTransformer

MLP = {"lr": 0.003, "weight_decay": 0.01, "dropout": 0.0, "batch_size": 32, "layers": 2, "units": 64}
CNN = {
    "lr": 0.01, "optimizer": "adamw", "schedule": "none", "batch_size": 64, "weight_decay": 1e-3, "l1": 1e-7,
    "dropout": 0.0, "augment": 0.0, "filters": 8, "layers": 2,
}  # fmt: skip
TRANSFORMER = {
    "lr": 0.003, "warmup": 0.1, "weight_decay": 0.05, "batch_size": 64, "heads": 2, "head_width": 8, "blocks": 1,
    "dropout": 0.1, "label_smoothing": 0.0, "augment": 0.0,
}  # fmt: skip
WORKLOADS: dict[str, tuple[type[Workload], dict[str, Any]]] = {
    "digits": (DigitsMLP, MLP),
    "cancer": (BreastCancerMLP, MLP),
    "diabetes": (DiabetesMLP, MLP),
    "cnn": (DigitsCNN, CNN),
    "transformer": (DigitsTransformer, TRANSFORMER),
}
DIGITS = 5  # significant


@dataclass(frozen=True)
class Example:
    """A training to be made, and what a careful practitioner would say of its curves.

    Attributes:
        kind: the family of the intervention; every family has examples in both halves of the gallery.
        words: the intervention, plainly.
        workload: a key of WORKLOADS.
        seed: of weights, batches and whatever the changes draw.
        epochs: asked for.
        expected: the acceptable verdicts, the main one first; written after the intervention was chosen and the curve
            looked at, before any rule was run.
        params: what differs from the workload's settings in WORKLOADS.
        changes: the arguments of `altered`.
        note: where the intervention did something else than was meant, or the curve is a matter of taste.
    """

    kind: str
    words: str
    workload: str
    seed: int
    epochs: int
    expected: tuple[str, ...]
    params: Mapping[str, Any] = field(default_factory=dict)
    changes: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""


def train_example(example: Example) -> dict[str, Any]:
    """Train it and return its record; a training that ends in numbers that are not finite keeps the epochs before."""
    cls, usual = WORKLOADS[example.workload]
    params = usual | dict(example.params)
    workload = altered(cls, example.changes, example.seed)
    splits = workload.data()
    record, diverged = Reports(workload), False
    with tempfile.TemporaryDirectory() as folder:
        run = Run(
            params=params, seed=example.seed, epochs=example.epochs, max_epochs=example.epochs, checkpoint_dir=folder,
            metric="validation/loss", direction="minimize",
        )  # fmt: skip
        try:
            train(workload, run, record)
        except DivergedError:
            diverged = True
    epochs = [record.steps[step] for step in sorted(record.steps)]
    return {
        "kind": example.kind,
        "intervention": example.words,
        "expected": list(example.expected),
        **({"note": example.note} if example.note else {}),
        "workload": cls.name,
        "params": params,
        "changes": dict(example.changes),
        "seed": example.seed,
        "n_train": size_of(splits.train),
        "n_validation": size_of(splits.validation),
        "base": _rounded(base_loss(workload.targets, cls)),
        "diverged": diverged,
        "epochs": len(epochs),
        "curves": {name: [_rounded(epoch[name]) for epoch in epochs] for name in cls.reported_metrics()},
    }


class Reports(Record):
    """The epochs as the workload's user reports them."""

    def __init__(self, workload: Any) -> None:
        super().__init__()
        self._workload = workload

    def step(self, step: int, metrics: Mapping[str, float]) -> None:
        super().step(step, self._workload.reported(metrics))

    def checkpoint(self, kind: str, step: int, path: Path) -> None:
        """Nothing is resumed."""


def base_loss(targets: torch.Tensor, cls: type[Workload]) -> float:
    """The loss of the best constant: the variance of numbers, the entropy of classes."""
    if cls is DiabetesMLP:
        return float(targets.var(correction=0))
    shares = targets.long().bincount().double() / len(targets)
    return -sum(float(share) * math.log(share) for share in shares if share > 0)


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
