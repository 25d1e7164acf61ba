"""Sound workloads, from which every fault inherits and breaks one thing: real data, a tiny model, a few epochs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import AdamW, Optimizer

from tuning.training import Metric, Params, Splits, TensorDataset, Workload, quantile_bins, stratified_split

SHARES = {"train": 0.6, "validation": 0.2, "test": 0.2}
Rows = dict[str, np.ndarray]


def mlp(widths: Sequence[int], *, flat: bool = False) -> nn.Sequential:
    """A perceptron of these widths; `flat`: one number for each example, of shape (n,)."""
    layers: list[nn.Module] = [nn.Flatten()]
    for before, width in pairwise(widths[:-1]):
        layers += [nn.Linear(before, width), nn.ReLU()]
    layers += [nn.Linear(widths[-2], widths[-1])]
    return nn.Sequential(*layers, *([nn.Flatten(0)] if flat else []))


class Sound(Workload):
    """Reads a table, splits it, normalises it by the train split; each step is a method that a fault may replace."""

    max_epochs = 20
    batch_size = 32
    space = {
        "lr": {"type": "float", "low": 1e-3, "high": 0.1, "log": True},
        "units": {"type": "int", "low": 16, "high": 64, "log": True},
    }
    features: ClassVar[int]
    outputs: ClassVar[int]

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        """The inputs (n, d) and the targets (n,) as they come."""
        raise NotImplementedError

    def divide(self, inputs: np.ndarray, targets: np.ndarray) -> Rows:
        return stratified_split(targets, SHARES)

    def normalise(self, inputs: np.ndarray, targets: np.ndarray, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        train = inputs[rows["train"]]
        return (inputs - train.mean(axis=0)) / np.maximum(train.std(axis=0), 1e-8), targets

    def parts(self) -> dict[str, TensorDataset]:
        inputs, targets = self.read()
        rows = self.divide(inputs, targets)
        inputs, targets = self.normalise(inputs, targets, rows)
        return {name: self.examples(inputs[chosen], targets[chosen]) for name, chosen in rows.items()}

    def examples(self, inputs: np.ndarray, targets: np.ndarray) -> TensorDataset:
        return TensorDataset(torch.tensor(inputs, dtype=torch.float32), torch.tensor(targets))

    def data(self) -> Splits:
        parts = self.parts()
        return Splits(parts["train"], parts["validation"])

    def test_data(self) -> TensorDataset:
        return self.parts()["test"]

    def build_model(self, params: Params) -> nn.Module:
        return mlp([self.features, params["units"], self.outputs])

    def build_optimizer(self, model: nn.Module, params: Params) -> Optimizer:
        return AdamW(model.parameters(), lr=params["lr"])


class Classes(Sound):
    scores = (Metric("accuracy", "maximize"),)

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(output, target)

    def metrics(self, output: Tensor, target: Tensor) -> dict[str, Any]:
        return {"accuracy": (output.argmax(1) == target).double().mean()}


class Digits(Classes):
    """Every second one of the handwritten digits: 899 images."""

    name = "sound_digits"
    features, outputs = 64, 10

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        images, labels = load_digits(return_X_y=True)
        return images[::2], labels[::2]

    def normalise(self, inputs: np.ndarray, targets: np.ndarray, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        train = inputs[rows["train"]]
        return (inputs - train.mean()) / train.std(), targets


class DigitsImages(Digits):
    """The same as images for a small convolutional network."""

    name = "sound_digits_images"

    def examples(self, inputs: np.ndarray, targets: np.ndarray) -> TensorDataset:
        return super().examples(inputs.reshape(-1, 1, 8, 8), targets)

    def build_model(self, params: Params) -> nn.Module:
        encoder = [nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()]
        return nn.Sequential(nn.Sequential(*encoder), nn.Linear(8 * 16, 10))


class Wine(Classes):
    """178 wines of three growers."""

    name = "sound_wine"
    features, outputs = 13, 3
    batch_size = 16

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        return load_wine(return_X_y=True)


class Iris(Classes):
    """149 irises of three species: one was measured twice, and is left out."""

    name = "sound_iris"
    features, outputs = 4, 3
    batch_size = 16

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        inputs, labels = load_iris(return_X_y=True)
        once = np.sort(np.unique(inputs, axis=0, return_index=True)[1])
        return inputs[once], labels[once]


class Cancer(Sound):
    """569 tumours, two classes, one output for a binary cross-entropy."""

    name = "sound_cancer"
    scores = (Metric("accuracy", "maximize"),)
    features, outputs = 30, 1

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        inputs, labels = load_breast_cancer(return_X_y=True)
        return inputs, labels.astype(np.float32)

    def build_model(self, params: Params) -> nn.Module:
        return mlp([self.features, params["units"], 1], flat=True)

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(output, target)

    def metrics(self, output: Tensor, target: Tensor) -> dict[str, Any]:
        return {"accuracy": ((output > 0) == (target > 0.5)).double().mean()}


class Regression(Sound):
    scores = (Metric("r2", "maximize"),)
    outputs = 1

    def divide(self, inputs: np.ndarray, targets: np.ndarray) -> Rows:
        return stratified_split(quantile_bins(targets, 10), SHARES)

    def normalise(self, inputs: np.ndarray, targets: np.ndarray, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        inputs, _ = super().normalise(inputs, targets, rows)
        train = targets[rows["train"]]
        return inputs, ((targets - train.mean()) / train.std()).astype(np.float32)

    def build_model(self, params: Params) -> nn.Module:
        return mlp([self.features, params["units"], 1], flat=True)

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return F.mse_loss(output, target)

    def metrics(self, output: Tensor, target: Tensor) -> dict[str, Any]:
        return {"r2": 1 - (output - target).square().mean() / target.var(correction=0)}


class Diabetes(Regression):
    """442 patients, and how far the disease went within a year."""

    name = "sound_diabetes"
    features = 10

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        return load_diabetes(return_X_y=True)


class Alcohol(Regression):
    """The alcohol of a wine from its twelve other measures."""

    name = "sound_alcohol"
    features = 12
    batch_size = 16

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        table = load_wine().data
        return table[:, 1:], table[:, 0]


SOUND = [Digits, DigitsImages, Wine, Iris, Cancer, Diabetes, Alcohol]
