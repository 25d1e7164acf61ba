"""Real learning curves, each labelled by the intervention that made it: `python -m tests.analysis.curve_fixtures.make`.

Each intervention spoils (or leaves alone) two trainings of shipped workloads, on different data, networks or seeds. The
first goes to design.json, by which the thresholds of tuning/analysis/diagnosis were chosen; the second to unseen.json,
which nobody opened until they were fixed. `expected` names the verdicts that are right, by the intervention alone.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tuning.training import Run, Splits, TensorDataset, Workload, train
from tuning.training.defaults import defaults
from tuning.training.loop import DivergedError
from tuning.training.workloads.breast_cancer_mlp import BreastCancerMLP
from tuning.training.workloads.diabetes_mlp import DiabetesMLP
from tuning.training.workloads.digits_cnn import DigitsCNN
from tuning.training.workloads.digits_mlp import DigitsMLP
from tuning.training.workloads.digits_transformer import DigitsTransformer

SHIPPED = {kind.name: kind for kind in (BreastCancerMLP, DiabetesMLP, DigitsCNN, DigitsMLP, DigitsTransformer)}
FOLDER = Path(__file__).parent
HEALTHY = ("healthy", "plateau", "negative_gap")  # nothing to change urgently
TOO_FAST = ("diverged", "train_rises", "spikes", "underfit")
OVERFIT = ("overfit_turning", "overfit")
FREE = {"dropout": 0.0, "weight_decay": 0.0}
SMALL = {"filters": 8, "layers": 2, "augment": 0.0, "schedule": "none"}


@dataclass(frozen=True)
class Case:
    """One training: `rows` and `validation_rows` examples of each split (all where None), the share of
    labels that is `shuffled`, a `fault` in the code."""

    workload: str
    epochs: int
    params: Mapping[str, Any] = field(default_factory=dict)
    rows: int | None = None
    validation_rows: int | None = None
    shuffled: float = 0.0
    fault: str = ""
    seed: int = 0


# intervention -> the verdicts that are right, and the two trainings: the first to design by, the second unseen
CASES: dict[str, tuple[tuple[str, ...], Case, Case]] = {
    "nothing, middle of the space": (
        HEALTHY,
        Case("digits_mlp", 20, {"lr": 3e-3, "weight_decay": 1e-3, "dropout": 0.2}),
        Case("digits_cnn", 12, {**SMALL, "lr": 3e-3, "optimizer": "adamw", "dropout": 0.2}),
    ),
    "nothing, small network": (
        HEALTHY,
        Case("digits_mlp", 24, {"lr": 2e-3, "units": 32, "layers": 1, "dropout": 0.0, "weight_decay": 1e-3}),
        Case("digits_mlp", 20, {"lr": 1e-3, "units": 48, "layers": 1, "dropout": 0.1, "batch_size": 32}, seed=5),
    ),
    "nothing, binary classification": (
        HEALTHY,
        Case("breast_cancer_mlp", 15, {"lr": 2e-3, "dropout": 0.2, "units": 32, "layers": 1, "weight_decay": 0.01}),
        Case("breast_cancer_mlp", 20, {"lr": 1e-3, "dropout": 0.3, "units": 64, "layers": 1}, seed=3),
    ),
    "nothing, dropout and augmentation": (
        HEALTHY,
        Case("digits_cnn", 15, {**SMALL, "lr": 0.03, "optimizer": "sgd", "momentum": 0.9, "dropout": 0.4,
                                "augment": 0.7}),
        Case("digits_cnn", 12, {**SMALL, "lr": 2e-3, "optimizer": "adamw", "dropout": 0.3, "augment": 1.0}, seed=2),
    ),
    "nothing, transformer": (
        HEALTHY,
        Case("digits_transformer", 14, {"lr": 2e-3, "blocks": 1, "heads": 2, "head_width": 16, "dropout": 0.1}),
        Case("digits_transformer", 14, {"lr": 1e-3, "blocks": 2, "heads": 2, "head_width": 16, "augment": 0.6}, seed=4),
    ),
    "tiny data, large network": (
        OVERFIT,
        Case("digits_mlp", 120, {"lr": 3e-3, "units": 256, "layers": 2, **FREE}, rows=60),
        Case("digits_mlp", 100, {"lr": 2e-3, "units": 256, "layers": 3, **FREE}, rows=50, seed=1),
    ),
    "tiny data, binary classification": (
        OVERFIT,
        Case("breast_cancer_mlp", 100, {"lr": 3e-3, "units": 128, "layers": 2, **FREE}, rows=40),
        Case("breast_cancer_mlp", 120, {"lr": 5e-3, "units": 128, "layers": 3, **FREE}, rows=30, seed=1),
    ),
    "tiny data, regression": (
        OVERFIT,
        Case("diabetes_mlp", 80, {"lr": 3e-3, "units": 128, "layers": 2, **FREE}, rows=60),
        Case("diabetes_mlp", 60, {"lr": 5e-3, "units": 64, "layers": 3, **FREE}, rows=50, seed=1),
    ),
    "too much capacity, no regularisation, regression": (
        OVERFIT,
        Case("diabetes_mlp", 81, {"lr": 3e-3, "units": 128, "layers": 3, **FREE}),
        Case("diabetes_mlp", 60, {"lr": 1e-2, "units": 128, "layers": 2, **FREE}, seed=1),
    ),
    "tiny data, convolution": (
        OVERFIT,
        Case("digits_cnn", 40, {**SMALL, "lr": 3e-3, "optimizer": "adamw", "dropout": 0.0, "weight_decay": 1e-6},
             rows=60),
        Case("digits_cnn", 40, {**SMALL, "lr": 0.05, "optimizer": "sgd", "momentum": 0.9, "dropout": 0.0},
             rows=40, seed=1),
    ),
    "shuffled labels": (
        OVERFIT,
        Case("digits_mlp", 60, {"lr": 3e-3, "units": 256, "layers": 2, **FREE}, rows=400, shuffled=1.0),
        Case("breast_cancer_mlp", 80, {"lr": 5e-3, "units": 128, "layers": 2, "dropout": 0.0}, shuffled=1.0, seed=1),
    ),
    "shuffled targets, regression": (
        OVERFIT,
        Case("diabetes_mlp", 60, {"lr": 3e-3, "units": 128, "layers": 2, **FREE}, shuffled=1.0),
        Case("diabetes_mlp", 81, {"lr": 2e-3, "units": 128, "layers": 3, **FREE}, shuffled=1.0, seed=1),
    ),
    "tiny learning rate": (
        ("underfit",),
        Case("digits_mlp", 10, {"lr": 1e-5, "units": 64, "layers": 1, "dropout": 0.0}),
        Case("digits_mlp", 20, {"lr": 5e-6, "units": 128, "layers": 2, "dropout": 0.1}, seed=1),
    ),
    "tiny learning rate, SGD": (
        ("underfit",),
        Case("digits_cnn", 8, {**SMALL, "lr": 1e-5, "optimizer": "sgd", "momentum": 0.0, "dropout": 0.0}),
        Case("digits_cnn", 12, {**SMALL, "lr": 3e-5, "optimizer": "sgd", "momentum": 0.5, "dropout": 0.2}, seed=1),
    ),
    "tiny learning rate, regression": (
        ("underfit",),
        Case("diabetes_mlp", 20, {"lr": 1e-5, "units": 32, "layers": 2, "dropout": 0.0}),
        Case("breast_cancer_mlp", 15, {"lr": 1e-5, "units": 32, "layers": 2, "dropout": 0.0}, seed=1),
    ),
    "no capacity": (
        ("underfit",),
        Case("digits_mlp", 20, {"lr": 3e-3, "units": 1, "layers": 2, "dropout": 0.0}),
        Case("digits_mlp", 20, {"lr": 3e-3, "units": 1, "layers": 3, "dropout": 0.0}, seed=1),
    ),
    "too much dropout": (
        ("underfit",),
        Case("digits_mlp", 15, {"lr": 1e-3, "units": 16, "layers": 3, "dropout": 0.9}),
        Case("digits_mlp", 20, {"lr": 3e-3, "units": 16, "layers": 2, "dropout": 0.95}, seed=1),
    ),
    "too much weight decay": (
        ("underfit",),
        Case("digits_mlp", 20, {"lr": 0.01, "units": 64, "layers": 2, "dropout": 0.0, "weight_decay": 30.0}),
        Case("diabetes_mlp", 30, {"lr": 0.01, "units": 64, "layers": 2, "dropout": 0.0, "weight_decay": 50.0}, seed=1),
    ),
    "huge learning rate": (
        TOO_FAST,
        Case("digits_mlp", 12, {"lr": 3.0, "units": 64, "layers": 1, "dropout": 0.0}),
        Case("digits_mlp", 12, {"lr": 1.0, "units": 128, "layers": 2, "dropout": 0.0}, seed=1),
    ),
    "huge learning rate, SGD": (
        TOO_FAST,
        Case("digits_cnn", 10, {**SMALL, "lr": 30.0, "optimizer": "sgd", "momentum": 0.9, "dropout": 0.0}),
        Case("digits_cnn", 10, {**SMALL, "lr": 100.0, "optimizer": "sgd", "momentum": 0.95, "dropout": 0.0}, seed=1),
    ),
    "huge learning rate, regression": (
        TOO_FAST,
        Case("diabetes_mlp", 30, {"lr": 3.0, "units": 64, "layers": 2, "dropout": 0.0}),
        Case("breast_cancer_mlp", 20, {"lr": 10.0, "units": 64, "layers": 2, "dropout": 0.0}, seed=1),
    ),
    "the loss's sign is wrong": (
        ("diverged", "train_rises"),
        Case("digits_mlp", 8, {"lr": 1e-4, "units": 32, "layers": 1, "dropout": 0.0}, fault="sign"),
        Case("diabetes_mlp", 15, {"lr": 1e-3, "units": 32, "layers": 1, "dropout": 0.0}, fault="sign", seed=1),
    ),
    "the learning rate rises without end": (
        ("diverged", "train_rises", "spikes"),
        Case("digits_mlp", 30, {"lr": 1e-3, "units": 64, "layers": 2, "dropout": 0.0}, fault="rising"),
        Case("breast_cancer_mlp", 30, {"lr": 1e-3, "units": 64, "layers": 2, "dropout": 0.0}, fault="rising", seed=1),
    ),
    "noisy labels in training alone": (
        ("negative_gap",),
        Case("digits_mlp", 15, {"lr": 1e-3, "units": 32, "layers": 1, "dropout": 0.2}, shuffled=0.4),
        Case("digits_cnn", 10, {**SMALL, "lr": 2e-3, "optimizer": "adamw", "dropout": 0.3}, shuffled=0.35, seed=1),
    ),
    "a handful of validation examples": (
        ("noise",),
        Case("breast_cancer_mlp", 40, {"lr": 0.03, "units": 32, "layers": 1, "dropout": 0.5, "batch_size": 16},
             validation_rows=6),
        Case("digits_mlp", 27, {"lr": 0.02, "units": 32, "layers": 1, "dropout": 0.5, "batch_size": 16},
             validation_rows=8, seed=1),
    ),
    "trained on long after all is learned": (
        ("plateau",),
        Case("diabetes_mlp", 81, {"lr": 3e-3, "units": 8, "layers": 1, "dropout": 0.3, "weight_decay": 3.0}),
        Case("breast_cancer_mlp", 80, {"lr": 5e-3, "units": 16, "layers": 1, "dropout": 0.3, "weight_decay": 1.0},
             seed=1),
    ),
}  # fmt: skip


class Recorder:
    """The listener that keeps what is reported."""

    def __init__(self) -> None:
        self.rows: list[Mapping[str, float]] = []

    def request(self) -> str | None:
        return None

    def step(self, step: int, metrics: Mapping[str, float]) -> None:
        self.rows.append(dict(metrics))

    def checkpoint(self, kind: str, step: int, path: Path) -> None:
        pass


def spoilt(workload: Workload, case: Case) -> Workload:
    """The workload, with the fault of the case in its code."""
    kind = type(workload)
    if case.fault == "sign":

        class WrongSign(kind):  # type: ignore[misc, valid-type]
            def train_step(self, model: nn.Module, inputs: Tensor, targets: Tensor, params: Any) -> Tensor:
                return -super().train_step(model, inputs, targets, params)

        return WrongSign()
    if case.fault == "rising":

        class Rising(kind):  # type: ignore[misc, valid-type]
            def build_schedule(self, optimizer: Any, params: Any, epochs: int, steps_per_epoch: int) -> Any:
                return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.35 ** (step / steps_per_epoch))

        return Rising()
    return workload


def examples(workload: Workload, case: Case) -> Splits:
    """The workload's splits, cut and shuffled as the case says."""
    splits = workload.data()
    generator = torch.Generator().manual_seed(case.seed + 100)
    parts = []
    for dataset, rows in ((splits.train, case.rows), (splits.validation, case.validation_rows)):
        inputs, targets = dataset.tensors  # type: ignore[attr-defined]
        chosen = torch.randperm(len(targets), generator=generator)[: rows or len(targets)]
        parts.append([inputs[chosen], targets[chosen].clone()])
    targets = parts[0][1]
    moved = torch.randperm(len(targets), generator=generator)[: round(case.shuffled * len(targets))]
    targets[moved] = targets[moved[torch.randperm(len(moved), generator=generator)]]
    return Splits(*(TensorDataset(*part) for part in parts))


def prior_loss(workload: Workload, splits: Splits) -> float:
    """The training loss of the best constant prediction."""
    targets = splits.train.tensors[1]  # type: ignore[attr-defined]
    if targets.dtype == torch.int64:
        shares = torch.bincount(targets).double() / len(targets)
        return float(-(shares[shares > 0] * shares[shares > 0].log()).sum())
    if set(targets.tolist()) <= {0.0, 1.0}:
        share = targets.double().mean()
        return float(-(share * share.log() + (1 - share) * (1 - share).log()))
    return float(targets.double().var(correction=0))


def curve(intervention: str, expected: tuple[str, ...], case: Case) -> dict[str, Any]:
    workload = spoilt(SHIPPED[case.workload](), case)
    params = {**defaults(workload.space), **case.params}
    splits = examples(workload, case)
    recorder, diverged = Recorder(), False
    with tempfile.TemporaryDirectory() as folder:
        run = Run(params=params, seed=case.seed, epochs=case.epochs, max_epochs=case.epochs, metric="validation/loss",
                  direction="minimize", checkpoint_dir=folder, load=lambda _: splits)  # fmt: skip
        try:
            train(workload, run, recorder)
        except DivergedError:
            diverged = True
    columns = {name: [float(f"{row[name]:.5g}") for row in recorder.rows] for name in (recorder.rows or [{}])[0]}
    return {
        "intervention": intervention, "workload": case.workload, "expected": list(expected), "params": params,
        "seed": case.seed, "diverged": diverged, "base": float(f"{prior_loss(workload, splits):.5g}"),
        "n_validation": len(splits.validation),  # type: ignore[arg-type]
        "curves": columns,
    }  # fmt: skip


def main() -> None:
    for place, name in enumerate(("design", "unseen")):
        rows = []
        for intervention, (expected, *cases) in CASES.items():
            rows.append(curve(intervention, expected, cases[place]))
            print(name, intervention, file=sys.stderr, flush=True)
        lines = ",\n".join(json.dumps(row) for row in rows)
        (FOLDER / f"{name}.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
