"""A multilayer perceptron that tells malignant from benign tumours by 30 measurements of cell nuclei."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import AdamW, Optimizer

from tuning.training import Metric, Params, Splits, TensorDataset, Workload, stratified_split


class BreastCancerMLP(Workload):
    """569 patients (Wisconsin diagnostic data): 60 % train, 20 % validation, 20 % test, stratified."""

    name, title = "breast_cancer_mlp", "Breast cancer: multilayer perceptron"
    scores = (Metric("accuracy", "maximize"),)
    max_epochs = 54
    space = {
        "lr": {"type": "float", "low": 1e-4, "high": 0.1, "log": True},
        "weight_decay": {"type": "float", "low": 1e-5, "high": 1.0, "log": True},
        "dropout": {"type": "float", "low": 0.0, "high": 0.7},
        "batch_size": {"type": "int", "low": 16, "high": 128, "log": True},
        "layers": {"type": "int", "low": 1, "high": 3},
        "units": {"type": "int", "low": 8, "high": 128, "log": True},
    }

    def _parts(self, *parts: str) -> list[TensorDataset]:
        from sklearn.datasets import load_breast_cancer  # takes a second, which processes of other workloads spare

        inputs, labels = load_breast_cancer(return_X_y=True)
        rows = stratified_split(labels, {"train": 0.6, "validation": 0.2, "test": 0.2})
        train = inputs[rows["train"]]
        scaled = torch.tensor((inputs - train.mean(axis=0)) / train.std(axis=0), dtype=torch.float32)
        target = torch.tensor(labels, dtype=torch.float32)
        return [TensorDataset(scaled[rows[part]], target[rows[part]]) for part in parts]

    def data(self) -> Splits:
        return Splits(*self._parts("train", "validation"))

    def test_data(self) -> TensorDataset:
        return self._parts("test")[0]

    def input_example(self) -> Tensor:
        return torch.empty(30)

    def build_model(self, params: Params) -> nn.Module:
        widths = [30] + [params["units"]] * params["layers"]
        blocks: list[nn.Module] = []
        for before, width in pairwise(widths):
            blocks += [nn.Linear(before, width), nn.ReLU(), nn.Dropout(params["dropout"])]
        return nn.Sequential(*blocks, nn.Linear(widths[-1], 1), nn.Flatten(0))

    def build_optimizer(self, model: nn.Module, params: Params) -> Optimizer:
        return AdamW(model.parameters(), lr=params["lr"], weight_decay=params["weight_decay"])

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(output, target)

    def metrics(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        return {"accuracy": ((output > 0) == (target > 0.5)).double().mean()}
