"""Thirty healthy workloads of different data, models, optimizers and batches: each alarm on them is a false one.

Two kinds of warning are true of them and no false alarm: some pixels of the digits are constant (CONSTANT),
and on the small tables a linear model is as good as the network (BASELINES).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, OneCycleLR, ReduceLROnPlateau
from torch.utils.data import DataLoader

from tests.training.faults.sound import Alcohol, Cancer, Diabetes, Digits, DigitsImages, Iris, Rows, Sound, Wine
from tuning.training import Dataset, Metric, Params, TensorDataset

# Parts: each returns what a class has as a method ------------------------------------------------------------


def network(layers: Callable[[int], list[nn.Module]]) -> Callable[..., nn.Module]:
    """build_model: the layers for so many units."""
    return lambda self, params: nn.Sequential(*layers(params["units"]))


def perceptron(
    features: int, outputs: int, *, depth: int = 1, act: type[nn.Module] = nn.ReLU, norm: Any = None, drop: float = 0.0
) -> Callable[..., nn.Module]:
    def layers(units: int) -> list[nn.Module]:
        found: list[nn.Module] = [nn.Flatten()]
        for before in [features] + [units] * (depth - 1):
            found += [nn.Linear(before, units), *([norm(units)] if norm else []), act()]
            found += [nn.Dropout(drop)] if drop else []
        found.append(nn.Linear(units, outputs))
        return found + ([nn.Flatten(0)] if outputs == 1 else [])

    return network(layers)


def linear(features: int, outputs: int) -> Callable[..., nn.Module]:
    return network(lambda _: [nn.Flatten(), nn.Linear(features, outputs), *([nn.Flatten(0)] if outputs == 1 else [])])


def optimizer(kind: type[Optimizer], factor: float = 1.0, **options: Any) -> Callable[..., Optimizer]:
    """build_optimizer: of that kind, with a multiple of the learning rate."""
    return lambda self, model, params: kind(model.parameters(), lr=factor * params["lr"], **options)


def cosine(self: Sound, optimizer: Optimizer, params: Params, epochs: int, steps_per_epoch: int) -> Any:
    return CosineAnnealingLR(optimizer, epochs * steps_per_epoch)


def onecycle(self: Sound, optimizer: Optimizer, params: Params, epochs: int, steps_per_epoch: int) -> Any:
    return OneCycleLR(optimizer, 3 * params["lr"], epochs * steps_per_epoch)


def warmup(self: Sound, optimizer: Optimizer, params: Params, epochs: int, steps_per_epoch: int) -> Any:
    return LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / steps_per_epoch))


def plateau(self: Sound, optimizer: Optimizer, params: Params, epochs: int, steps_per_epoch: int) -> Any:
    return ReduceLROnPlateau(optimizer, patience=3)


def noise(self: Sound, inputs: Tensor, params: Params, generator: torch.Generator) -> Tensor:
    return inputs + 0.2 * torch.randn(inputs.shape, generator=generator)


def shift(self: Sound, inputs: Tensor, params: Params, generator: torch.Generator) -> Tensor:
    """Images moved by one pixel to either side, or not at all."""
    step = int(torch.randint(-1, 2, (1,), generator=generator))
    return inputs.roll(step, dims=3)


def l1(self: Sound, model: nn.Module, params: Params) -> Tensor:
    return 1e-4 * torch.stack([weight.abs().sum() for weight in model.parameters()]).sum()


# Networks for images -----------------------------------------------------------------------------------------


def convolutions(units: int, *, norm: bool = False, drop: float = 0.0) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for before, width in ((1, 8), (8, 16)):
        layers += [nn.Conv2d(before, width, 3, padding=1, bias=not norm)]
        layers += [nn.BatchNorm2d(width)] if norm else []
        layers += [nn.ReLU(), nn.MaxPool2d(2)]
    return [*layers, nn.Flatten(), nn.Dropout(drop), nn.Linear(64, 10)]


def pooled(units: int) -> list[nn.Module]:
    layers: list[nn.Module] = [nn.Conv2d(1, 16, 3, padding=1), nn.GELU(), nn.Conv2d(16, 32, 3, padding=1), nn.GELU()]
    return [*layers, nn.AdaptiveMaxPool2d(2), nn.Flatten(), nn.Linear(128, 10)]


class Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width),
        )  # fmt: skip

    def forward(self, inputs: Tensor) -> Tensor:
        return F.relu(inputs + self.block(inputs))


def residual(units: int) -> list[nn.Module]:
    return [nn.Conv2d(1, 8, 3, padding=1), Residual(8), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 10)]


class RowsAttend(nn.Module):
    """The eight rows of an image as eight tokens, one layer of attention."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.embed = nn.Linear(8, units)
        self.position = nn.Parameter(0.1 * torch.randn(8, units))
        self.layer = nn.TransformerEncoderLayer(units, 2, 2 * units, dropout=0.1, batch_first=True)
        self.head = nn.Linear(8 * units, 10)

    def forward(self, inputs: Tensor) -> Tensor:
        tokens = self.embed(inputs.reshape(-1, 8, 8)) + self.position
        return self.head(self.layer(tokens).flatten(1))


# Data --------------------------------------------------------------------------------------------------------


class Pairs(Dataset[Any]):
    """A dataset that is no TensorDataset: a list of (input, target)."""

    def __init__(self, dataset: TensorDataset) -> None:
        self.pairs = list(zip(*dataset.tensors, strict=True))

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.pairs[index]


class DigitPairs(Digits):
    def parts(self) -> dict[str, Any]:
        return {name: Pairs(dataset) for name, dataset in super().parts().items()}


class WinesFromLoader(Wine):
    def train_loader(self, dataset: Dataset[Any], params: Params, generator: torch.Generator) -> Any:
        return DataLoader(dataset, batch_size=16, shuffle=True, drop_last=True, generator=generator)


class DigitsOfUnequalShares(Digits):
    """Half of the digits from 5 to 9 are left out: two to one."""

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        images, labels = super().read()
        kept = (labels < 5) | (np.arange(len(labels)) % 2 == 0)
        return images[kept], labels[kept]


class DigitsFromNoughtToOne(Digits):
    def normalise(self, inputs: np.ndarray, targets: np.ndarray, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        return inputs / 16, targets


class EvenOrOdd(Digits):
    def read(self) -> tuple[np.ndarray, np.ndarray]:
        images, labels = super().read()
        return images, labels % 2


class CancerInTwoClasses(Cancer):
    """Two outputs and a cross-entropy that weighs both classes alike."""

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        inputs, labels = super().read()
        return inputs, labels.astype(np.int64)

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(output, target, weight=torch.tensor([569 / 424, 569 / 714]))

    def metrics(self, output: Tensor, target: Tensor) -> dict[str, Any]:
        return {"accuracy": (output.argmax(1) == target).double().mean()}


class InkFromImages(DigitsImages):
    """A regression on images: how far to the right the ink lies, standardised."""

    scores = (Metric("r2", "maximize"),)

    def normalise(self, inputs: np.ndarray, targets: np.ndarray, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        pixels = inputs.reshape(-1, 8, 8)
        centre = (pixels.sum(axis=1) * np.arange(8)).sum(axis=1) / pixels.sum(axis=(1, 2))
        train = centre[rows["train"]]
        inputs, _ = super().normalise(inputs, targets, rows)
        return inputs, ((centre - train.mean()) / train.std()).astype(np.float32)

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return F.mse_loss(output, target)

    def metrics(self, output: Tensor, target: Tensor) -> dict[str, Any]:
        return {"r2": 1 - (output - target).square().mean() / target.var(correction=0)}


class RobustDiabetes(Diabetes):
    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return F.smooth_l1_loss(output, target)


# The thirty --------------------------------------------------------------------------------------------------


def variant(name: str, base: type[Sound], **members: Any) -> type[Sound]:
    """A workload like `base` with other members."""
    return type(name.title().replace("_", ""), (base,), {"name": name, "__doc__": None, **members})


momentum = optimizer(SGD, 5.0, momentum=0.9, nesterov=True)
rmsprop = optimizer(RMSprop, 0.3)
gentle = optimizer(SGD, 2.0, momentum=0.9)
one_number = network(lambda units: [*convolutions(units)[:-1], nn.Linear(64, 1), nn.Flatten(0)])
with_batch_norm = network(lambda units: convolutions(units, norm=True))
with_dropout = network(lambda units: convolutions(units, drop=0.2))
two_outputs = perceptron(30, 2, depth=2, norm=nn.BatchNorm1d, drop=0.1)

HEALTHY: list[type[Sound]] = [
    variant("digits_linear", Digits, build_model=linear(64, 10), build_optimizer=optimizer(SGD, 5.0)),
    variant("digits_perceptron", Digits),
    variant("digits_deep_dropout", Digits, build_model=perceptron(64, 10, depth=3, drop=0.1)),
    variant("digits_momentum_cosine", Digits, build_optimizer=momentum, build_schedule=cosine),
    variant("digits_batch_norm", Digits, build_model=perceptron(64, 10, norm=nn.BatchNorm1d), build_optimizer=momentum),
    variant("digits_layer_norm", Digits, build_model=perceptron(64, 10, norm=nn.LayerNorm), build_schedule=onecycle),
    variant("digits_tanh", Digits, build_model=perceptron(64, 10, act=nn.Tanh), build_optimizer=rmsprop),
    variant("digits_noise", Digits, augment=noise),
    variant("digits_large_batches", Digits, batch_size=128, build_schedule=warmup),
    variant("digits_small_batches", Digits, batch_size=8, build_optimizer=optimizer(Adam, 0.2)),
    variant("digits_l1", Digits, penalty=l1),
    variant("digits_half_precision", Digits, amp="bfloat16"),
    variant("digits_pairs", DigitPairs),
    variant("digits_unequal_shares", DigitsOfUnequalShares),
    variant("digits_nought_to_one", DigitsFromNoughtToOne),
    variant("digits_even_or_odd", EvenOrOdd, outputs=2),
    variant("digits_attention", Digits, build_model=lambda self, params: RowsAttend(16)),
    variant("images_convolution", DigitsImages),
    variant("images_batch_norm", DigitsImages, build_model=with_batch_norm, build_schedule=onecycle),
    variant("images_dropout_shift", DigitsImages, build_model=with_dropout, augment=shift),
    variant("images_residual", DigitsImages, build_model=network(residual), build_optimizer=gentle),
    variant("images_pooled", DigitsImages, build_model=network(pooled)),
    variant("images_regression", InkFromImages, build_model=one_number),
    variant("wine_loader", WinesFromLoader),
    variant("iris_tanh", Iris, build_model=perceptron(4, 3, act=nn.Tanh), build_schedule=cosine),
    variant("cancer_linear", Cancer, build_model=linear(30, 1), build_optimizer=optimizer(SGD, 10.0)),
    variant("cancer_weighted", CancerInTwoClasses, build_model=two_outputs),
    variant("diabetes_decay", Diabetes, build_optimizer=optimizer(AdamW, weight_decay=0.1)),
    variant("diabetes_robust", RobustDiabetes, build_model=linear(10, 1), build_optimizer=optimizer(SGD, 5.0)),
    variant("alcohol_plateau", Alcohol, build_model=perceptron(12, 1, depth=2), build_schedule=plateau),
]
