"""A multilayer perceptron that predicts the progression of diabetes: regression on few, noisy data."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import AdamW, Optimizer

from tuning.training import Metric, Params, Splits, TensorDataset, Workload, quantile_bins, stratified_split


class DiabetesMLP(Workload):
    """442 patients, ten measurements each: 60 % train, 20 % validation, 20 % test, stratified by the target.

    The target is standardised by the train split: a loss of 1 is that of the constant train mean, or an R²
    near 0.
    """

    name, title = "diabetes_mlp", "Diabetes progression: multilayer perceptron, regression"
    scores = (Metric("r2", "maximize"),)
    max_epochs = 81
    space = {
        "lr": {"type": "float", "low": 1e-4, "high": 0.1, "log": True},
        "weight_decay": {"type": "float", "low": 1e-5, "high": 10.0, "log": True},
        "dropout": {"type": "float", "low": 0.0, "high": 0.7},
        "batch_size": {"type": "int", "low": 16, "high": 128, "log": True},
        "layers": {"type": "int", "low": 1, "high": 3},
        "units": {"type": "int", "low": 8, "high": 128, "log": True},
    }

    def _parts(self, *parts: str) -> list[TensorDataset]:
        from sklearn.datasets import load_diabetes  # takes a second, which processes of other workloads spare

        inputs, progression = load_diabetes(return_X_y=True)
        labels = quantile_bins(progression, 10)
        rows = stratified_split(labels, {"train": 0.6, "validation": 0.2, "test": 0.2})
        table = torch.tensor(inputs, dtype=torch.float64), torch.tensor(progression, dtype=torch.float64)
        scaled = []
        for column in table:
            train = column[rows["train"]]
            scaled.append(((column - train.mean(dim=0)) / train.std(dim=0)).float())
        return [TensorDataset(*(column[rows[part]] for column in scaled)) for part in parts]

    def data(self) -> Splits:
        return Splits(*self._parts("train", "validation"))

    def test_data(self) -> TensorDataset:
        return self._parts("test")[0]

    def input_example(self) -> Tensor:
        return torch.empty(10)

    def build_model(self, params: Params) -> nn.Module:
        widths = [10] + [params["units"]] * params["layers"]
        blocks: list[nn.Module] = []
        for before, width in pairwise(widths):
            blocks += [nn.Linear(before, width), nn.ReLU(), nn.Dropout(params["dropout"])]
        return nn.Sequential(*blocks, nn.Linear(widths[-1], 1), nn.Flatten(0))

    def build_optimizer(self, model: nn.Module, params: Params) -> Optimizer:
        return AdamW(model.parameters(), lr=params["lr"], weight_decay=params["weight_decay"])

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return F.mse_loss(output, target)

    def metrics(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        return {"r2": 1 - (output - target).square().mean() / target.var(correction=0)}
