"""Real learning curves: hpweb's own workloads, a grid of configurations trained once, so that a race takes seconds.

`python -m tests.benchmarks.learning_curves` trains the tables anew: 378 multilayer perceptrons to 81 epochs and 144
convolutional networks to 27, on the digits, three seeds each, which takes the better part of an hour on two cores. They
are committed under curves/. A table's space is exactly its grid, so that every search trains what was really trained.

A trial shows the curve of one seed, the validation loss after each epoch; what it is worth is the mean of the three
seeds' losses after the last one. A curve that diverges is NaN from there on.
"""

import itertools
import sys
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

CURVES = Path(__file__).with_name("curves")
SEEDS = 3
Nodes = dict[str, tuple[Any, ...]]  # parameter -> its values


@dataclass(frozen=True)
class Recipe:
    """A workload, the values of its grid (numbers as log10 or log2 where they rise by factors), epochs, batch size."""

    workload: str
    nodes: Nodes
    epochs: int
    batch: int

    def space(self) -> dict[str, Any]:
        return form_of(self.nodes)


def form_of(nodes: Mapping[str, tuple[Any, ...]]) -> dict[str, Any]:
    """hpweb's form of a grid: numbers in equal steps, choices as they are."""
    form: dict[str, Any] = {}
    for name, values in nodes.items():
        if isinstance(values[0], str):
            form[name] = {"type": "categorical", "choices": list(values)}
        else:
            kind = "int" if isinstance(values[0], int) else "float"
            form[name] = {"type": kind, "low": values[0], "high": values[-1], "step": values[1] - values[0]}
    return form


RECIPES = {
    "digits_mlp": Recipe(
        "DigitsMLP",
        {
            "log10_lr": (-4.0, -3.5, -3.0, -2.5, -2.0, -1.5, -1.0),
            "log10_weight_decay": (-4.0, -1.0),
            "dropout": (0.0, 0.25, 0.5),
            "log2_units": (4, 6, 8),
            "layers": (1, 2, 3),
        },
        epochs=81,
        batch=32,
    ),
    "digits_cnn": Recipe(
        "DigitsCNN",
        {
            "optimizer": ("sgd", "adamw"),
            "log10_lr": (-3.5, -3.0, -2.5, -2.0, -1.5, -1.0),
            "log2_filters": (3, 4),
            "layers": (1, 2, 3),
            "dropout": (0.0, 0.3),
        },
        epochs=27,
        batch=64,
    ),
}


def as_trained(params: Mapping[str, Any]) -> dict[str, Any]:
    """The workload's own parameters: log10_lr -2 is lr 0.01."""
    powers = {"log10_": 10.0, "log2_": 2}
    found: dict[str, Any] = {"momentum": 0.9, "weight_decay": 0.0}
    for name, value in params.items():
        power = next((base for prefix, base in powers.items() if name.startswith(prefix)), None)
        found[name if power is None else name.split("_", 1)[1]] = value if power is None else power**value
    return found


def train(name: str, params: Mapping[str, Any], seed: int) -> list[float]:
    """The validation loss after each epoch."""
    import torch

    recipe = RECIPES[name]
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    kind = getattr(import_module(f"tuning.training.workloads.{name}"), recipe.workload)
    workload, own = kind(), as_trained(params)
    splits = workload.data()
    (inputs, targets), (x, y) = splits.train.tensors, splits.validation.tensors
    model = workload.build_model(own)
    optimizer = workload.build_optimizer(model, own)
    curve: list[float] = []
    for _epoch in range(recipe.epochs):
        model.train()
        for rows in torch.randperm(len(inputs)).split(recipe.batch):
            optimizer.zero_grad()
            workload.loss(model(inputs[rows]), targets[rows]).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            loss = float(workload.loss(model(x), y))
        if not np.isfinite(loss):
            return curve + [float("nan")] * (recipe.epochs - len(curve))
        curve.append(loss)
    return curve


def configurations(name: str) -> list[dict[str, Any]]:
    """The grid's configurations in the order of the table's rows."""
    nodes = RECIPES[name].nodes
    return [dict(zip(nodes, values, strict=True)) for values in itertools.product(*nodes.values())]


def _row(name: str, index: int) -> list[list[float]]:
    return [train(name, configurations(name)[index], 1000 * seed + index) for seed in range(SEEDS)]


def make(name: str, processes: int) -> None:
    """Train a table's every configuration and write it."""
    count = len(configurations(name))
    with ProcessPoolExecutor(processes) as pool:
        rows = []
        for index, row in enumerate(pool.map(_row, itertools.repeat(name), range(count), chunksize=4)):
            rows.append(row)
            if index % 20 == 0:
                print(f"{name}: {index} of {count}", flush=True)
    values = np.array(rows, dtype=np.float64)
    places = 4 - np.floor(np.log10(np.where(np.isfinite(values) & (values > 0), values, 1.0)))
    scale = 10.0**places
    np.savez_compressed(CURVES / f"{name}.npz", losses=(np.round(values * scale) / scale).astype(np.float32))


@cache
def table(name: str) -> NDArray[np.float64]:
    """The losses (configurations, seeds, epochs)."""
    with np.load(CURVES / f"{name}.npz") as stored:
        losses: NDArray[np.float64] = stored["losses"].astype(np.float64)
    return losses


if __name__ == "__main__":
    for wanted in sys.argv[1:] or list(RECIPES):
        make(wanted, 2)
