"""A small convolutional network on handwritten digits, with the knobs of a large one."""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, OneCycleLR

from tuning.training import Metric, Params, Splits, TensorDataset, Workload, stratified_split

POOLINGS = 3  # 8 pixels, 4, 2, 1


def digits(*parts: str) -> list[TensorDataset]:
    """Return parts of the digits, normalised by the train split: images (n, 1, 8, 8) and labels (n,)."""
    from sklearn.datasets import load_digits  # takes a second, which processes of other workloads spare

    images, labels = load_digits(return_X_y=True)
    rows = stratified_split(labels, {"train": 0.6, "validation": 0.2, "test": 0.2})
    mean, std = images[rows["train"]].mean(), images[rows["train"]].std()
    pixels = torch.tensor((images - mean) / std, dtype=torch.float32).reshape(-1, 1, 8, 8)
    return [TensorDataset(pixels[rows[part]], torch.tensor(labels[rows[part]])) for part in parts]


def turned_and_shifted(images: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Images (n, 1, 8, 8), each turned and shifted at random: by up to 15 degrees and one pixel either way at 1.0."""
    draws = strength * (2 * torch.rand(3, len(images), generator=generator) - 1)
    angle = draws[0] * math.radians(15)
    shift = draws[1:] * 2 / 8  # the sampling grid is 2 wide, the image 8 pixels
    cos, sin = angle.cos(), angle.sin()
    maps = torch.stack([cos, -sin, shift[0], sin, cos, shift[1]], dim=1).reshape(-1, 2, 3)
    grid = F.affine_grid(maps, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


class DigitsCNN(Workload):
    """1,797 grey images of 8 x 8 pixels in ten classes: 60 % train, 20 % validation, 20 % test, stratified.

    Each of the first three layers ends in a pooling, after which the filters double: 8 x 8 pixels allow no more.
    Further layers keep size and filters, so that 32, 64 or 128 `filters` in 3, 4 or 5 `layers` are nine networks.
    `augment` turns and shifts the training images: 1.0 stands for up to 15 degrees and one pixel either way.
    """

    name, title = "digits_cnn", "Handwritten digits: convolutional network"
    scores = (Metric("accuracy", "maximize"),)
    max_epochs = 27
    space = {
        "lr": {"type": "float", "low": 1e-4, "high": 0.3, "log": True},
        "optimizer": {"type": "categorical", "choices": ["sgd", "adamw"]},
        "momentum": {"type": "float", "low": 0.0, "high": 0.98, "when": {"optimizer": ["sgd"]}},
        "schedule": {"type": "categorical", "choices": ["none", "cosine", "onecycle"]},
        "batch_size": {"type": "int", "low": 16, "high": 128, "log": True},
        "weight_decay": {"type": "float", "low": 1e-6, "high": 0.1, "log": True},
        "l1": {"type": "float", "low": 1e-7, "high": 1e-3, "log": True},
        "dropout": {"type": "float", "low": 0.0, "high": 0.6},
        "augment": {"type": "float", "low": 0.0, "high": 1.0},
        "filters": {"type": "int", "low": 8, "high": 128, "log": True},
        "layers": {"type": "int", "low": 1, "high": 5},
    }

    def data(self) -> Splits:
        return Splits(*digits("train", "validation"))

    def test_data(self) -> TensorDataset:
        return digits("test")[0]

    def input_example(self) -> Tensor:
        return torch.empty(1, 8, 8)

    def build_model(self, params: Params) -> nn.Module:
        widths = [1] + [params["filters"] * 2 ** min(layer, POOLINGS) for layer in range(params["layers"])]
        blocks: list[nn.Module] = []
        for layer, (before, width) in enumerate(pairwise(widths)):
            blocks += [nn.Conv2d(before, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            blocks += [nn.MaxPool2d(2)] if layer < POOLINGS else []
        features = widths[-1] * (8 // 2 ** min(params["layers"], POOLINGS)) ** 2
        return nn.Sequential(*blocks, nn.Flatten(), nn.Dropout(params["dropout"]), nn.Linear(features, 10))

    def build_optimizer(self, model: nn.Module, params: Params) -> Optimizer:
        lr, weight_decay = params["lr"], params["weight_decay"]
        if params["optimizer"] == "sgd":
            return SGD(model.parameters(), lr=lr, weight_decay=weight_decay, momentum=params["momentum"])
        return AdamW(model.parameters(), lr=lr, weight_decay=weight_decay)

    def build_schedule(
        self, optimizer: Optimizer, params: Params, epochs: int, steps_per_epoch: int
    ) -> LRScheduler | None:
        if params["schedule"] == "cosine":
            return CosineAnnealingLR(optimizer, epochs * steps_per_epoch)
        if params["schedule"] == "onecycle":
            return OneCycleLR(optimizer, params["lr"], epochs * steps_per_epoch, cycle_momentum=False)
        return None

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(output, target)

    def metrics(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        return {"accuracy": (output.argmax(1) == target).double().mean()}

    def penalty(self, model: nn.Module, params: Params) -> Tensor:
        weights = [weight.abs().sum() for weight in model.parameters() if weight.ndim > 1]
        return params["l1"] * torch.stack(weights).sum()

    def augment(self, inputs: Tensor, params: Params, generator: torch.Generator) -> Tensor:
        return turned_and_shifted(inputs, params["augment"], generator)
