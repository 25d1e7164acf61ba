"""A multilayer perceptron on handwritten digits: the smallest workload, and the fastest."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import AdamW, Optimizer

from tuning.training import Metric, Params, Splits, TensorDataset, Workload
from tuning.training.workloads.digits_cnn import digits


class DigitsMLP(Workload):
    """The images and the splits of digits_cnn, read as 64 numbers."""

    name, title = "digits_mlp", "Handwritten digits: multilayer perceptron"
    scores = (Metric("accuracy", "maximize"),)
    max_epochs = 27
    space = {
        "lr": {"type": "float", "low": 1e-4, "high": 0.1, "log": True},
        "weight_decay": {"type": "float", "low": 1e-6, "high": 1.0, "log": True},
        "dropout": {"type": "float", "low": 0.0, "high": 0.7},
        "batch_size": {"type": "int", "low": 16, "high": 256, "log": True},
        "layers": {"type": "int", "low": 1, "high": 3},
        "units": {"type": "int", "low": 16, "high": 256, "log": True},
    }

    def data(self) -> Splits:
        return Splits(*digits("train", "validation"))

    def test_data(self) -> TensorDataset:
        return digits("test")[0]

    def input_example(self) -> Tensor:
        return torch.empty(1, 8, 8)

    def build_model(self, params: Params) -> nn.Module:
        widths = [64] + [params["units"]] * params["layers"]
        blocks: list[nn.Module] = [nn.Flatten()]
        for before, width in pairwise(widths):
            blocks += [nn.Linear(before, width), nn.ReLU(), nn.Dropout(params["dropout"])]
        return nn.Sequential(*blocks, nn.Linear(widths[-1], 10))

    def build_optimizer(self, model: nn.Module, params: Params) -> Optimizer:
        return AdamW(model.parameters(), lr=params["lr"], weight_decay=params["weight_decay"])

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(output, target)

    def metrics(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        return {"accuracy": (output.argmax(1) == target).double().mean()}
