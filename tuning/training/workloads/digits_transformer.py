"""A small transformer that reads handwritten digits row by row: warm-up, the usual regularisers, heads that divide the
width."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from tuning.training import Metric, Params, Splits, TensorDataset, Workload
from tuning.training.workloads.digits_cnn import digits, turned_and_shifted

ROWS, PIXELS = 8, 8
WIDENING = 4  # of the two layers between attentions (Vaswani et al. 2017)
PLACES = 0.5  # standard deviation of the places' start: with the usual 0.02 it takes epochs to tell the rows apart


class RowTransformer(nn.Module):
    """Eight rows in, class scores out: pre-norm encoder blocks (Xiong et al. 2020) and learned places."""

    def __init__(self, width: int, heads: int, blocks: int, dropout: float) -> None:
        super().__init__()
        self.embed = nn.Linear(PIXELS, width)
        self.places = nn.Parameter(PLACES * torch.randn(ROWS, width))
        block = nn.TransformerEncoderLayer(
            width, heads, WIDENING * width, dropout, activation="gelu", batch_first=True, norm_first=True
        )
        self.encode = nn.TransformerEncoder(block, blocks, nn.LayerNorm(width), enable_nested_tensor=False)
        self.head = nn.Linear(ROWS * width, 10)

    def forward(self, images: Tensor) -> Tensor:
        rows = self.embed(images.squeeze(1)) + self.places  # (n, rows, width)
        scores: Tensor = self.head(self.encode(rows).flatten(1))
        return scores


class DigitsTransformer(Workload):
    """The images and the splits of digits_cnn, turned and shifted in the same way.

    The width is `heads` times `head_width`, so that the heads always divide it. The learning rate rises evenly over the
    share `warmup` of all steps and then falls as a cosine. Labels are smoothed in training; the reported loss is not.
    """

    name, title = "digits_transformer", "Handwritten digits: transformer"
    scores = (Metric("accuracy", "maximize"),)
    max_epochs = 27
    space = {
        "lr": {"type": "float", "low": 1e-4, "high": 0.01, "log": True},
        "warmup": {"type": "float", "low": 0.0, "high": 0.3},
        "weight_decay": {"type": "float", "low": 1e-4, "high": 0.3, "log": True},
        "batch_size": {"type": "int", "low": 16, "high": 128, "log": True},
        "heads": {"type": "int", "low": 1, "high": 8, "log": True},
        "head_width": {"type": "int", "low": 8, "high": 16, "log": True},
        "blocks": {"type": "int", "low": 1, "high": 4},
        "dropout": {"type": "float", "low": 0.0, "high": 0.5},
        "label_smoothing": {"type": "float", "low": 0.0, "high": 0.2},
        "augment": {"type": "float", "low": 0.0, "high": 1.0},
    }

    def data(self) -> Splits:
        return Splits(*digits("train", "validation"))

    def test_data(self) -> TensorDataset:
        return digits("test")[0]

    def input_example(self) -> Tensor:
        return torch.empty(1, 8, 8)

    def build_model(self, params: Params) -> nn.Module:
        width = params["heads"] * params["head_width"]
        return RowTransformer(width, params["heads"], params["blocks"], params["dropout"])

    def build_optimizer(self, model: nn.Module, params: Params) -> Optimizer:
        return AdamW(model.parameters(), lr=params["lr"], weight_decay=params["weight_decay"])

    def build_schedule(self, optimizer: Optimizer, params: Params, epochs: int, steps_per_epoch: int) -> LRScheduler:
        steps = epochs * steps_per_epoch
        rising = max(1, round(params["warmup"] * steps))

        def share(step: int) -> float:
            falling = (step - rising) / max(1, steps - rising)
            return (step + 1) / rising if step < rising else (1 + math.cos(math.pi * min(1.0, falling))) / 2

        return LambdaLR(optimizer, share)

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(output, target)

    def train_step(self, model: nn.Module, inputs: Tensor, targets: Tensor, params: Params) -> Tensor:
        return F.cross_entropy(model(inputs), targets, label_smoothing=params["label_smoothing"])

    def metrics(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        return {"accuracy": (output.argmax(1) == target).double().mean()}

    def augment(self, inputs: Tensor, params: Params, generator: torch.Generator) -> Tensor:
        return turned_and_shifted(inputs, params["augment"], generator)
