"""What shows that a fault is there: short trainings and looks at the data, none of them by way of the preflight."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tests.training.problems import Record
from tuning.training import Run, Splits, TensorDataset, Workload, evaluate, opened_seal, train
from tuning.training.batches import Batches
from tuning.training.determinism import seed_everything
from tuning.training.examples import load_data

CPU = torch.device("cpu")


def middle(space: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The configuration in the middle of every range, with the first of the choices."""
    params: dict[str, Any] = {}
    for name, document in space.items():
        if document["type"] == "constant":
            params[name] = document["value"]
        elif document["type"] == "categorical":
            params[name] = document["choices"][0]
        else:
            low, high = document["low"], document["high"]
            value = (low * high) ** 0.5 if document.get("log") else (low + high) / 2
            params[name] = round(value) if document["type"] == "int" else value
    return params


def trained(
    workload: Workload, epochs: int = 8, *, seed: int = 0, load: Callable[[Workload], Splits] = load_data
) -> dict[str, float]:
    """The metrics of the last of `epochs` epochs in the middle of the space, by the real loop."""
    record = Record()
    with tempfile.TemporaryDirectory() as folder:
        params = middle(workload.space)
        run = Run(params, seed, epochs, workload.metric, workload.direction, Path(folder), load=load)
        train(workload, run, record)
    return record.steps[epochs]


def with_shuffled_targets(workload: Workload) -> Splits:
    """The data with the train targets in another order."""
    splits = load_data(workload)
    inputs, targets = splits.train.tensors  # type: ignore[attr-defined]
    order = torch.randperm(len(targets), generator=torch.Generator().manual_seed(0))
    return Splits(TensorDataset(inputs, targets[order]), splits.validation)


def fresh(workload: Workload, seed: int = 0) -> tuple[nn.Module, Splits]:
    splits = load_data(workload)
    seed_everything(seed)
    return workload.build_model(middle(workload.space)), splits


def initial_loss(workload: Workload) -> float:
    """The loss of fresh weights on the train split."""
    model, splits = fresh(workload)
    return evaluate(workload, model, splits.train, CPU)["loss"]


def first_batch(workload: Workload, size: int = 16) -> tuple[Tensor, Tensor]:
    return next(iter(Batches(load_data(workload).train, size, torch.Generator().manual_seed(0))))


def memorised(workload: Workload, steps: int = 200) -> float:
    """The loss on 16 examples after that many steps of Adam on them alone, in train mode and then eval mode."""
    model, _ = fresh(workload)
    inputs, targets = first_batch(workload)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(steps):
        optimizer.zero_grad()
        workload.train_step(model, inputs, targets, middle(workload.space)).backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        return float(workload.loss(model(inputs), targets))


def gradients(workload: Workload) -> dict[str, float | None]:
    """The largest entry of every parameter's gradient after one batch; None where none arrived."""
    model, _ = fresh(workload)
    inputs, targets = first_batch(workload)
    workload.train_step(model, inputs, targets, middle(workload.space)).backward()
    return {
        name: None if parameter.grad is None else float(parameter.grad.abs().max())
        for name, parameter in model.named_parameters()
    }


def moved(workload: Workload) -> set[str]:
    """The names of the parameters that one step of the workload's own optimizer and schedule changes."""
    model, _ = fresh(workload)
    params = middle(workload.space)
    optimizer = workload.build_optimizer(model, params)
    workload.build_schedule(optimizer, params, workload.max_epochs, 10)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    inputs, targets = first_batch(workload)
    workload.train_step(model, inputs, targets, params).backward()
    optimizer.step()
    return {name for name, parameter in model.named_parameters() if not torch.equal(parameter, before[name])}


def of_test(workload: Workload) -> TensorDataset:
    with opened_seal():
        return workload.test_data()  # type: ignore[return-value]


def split_tensors(workload: Workload) -> dict[str, tuple[Tensor, Tensor]]:
    splits = load_data(workload)
    parts = {"train": splits.train, "validation": splits.validation, "test": of_test(workload)}
    return {name: dataset.tensors for name, dataset in parts.items()}  # type: ignore[attr-defined]


def shared(workload: Workload, one: str, other: str) -> int:
    """How many rows of the split `one` have inputs that the split `other` has, too."""
    parts = split_tensors(workload)
    known = {tuple(row) for row in parts[other][0].float().flatten(1).tolist()}
    return sum(tuple(row) in known for row in parts[one][0].float().flatten(1).tolist())


def majority(workload: Workload) -> float:
    """The accuracy on validation of the class that is the most frequent in train."""
    parts = split_tensors(workload)
    commonest = parts["train"][1].mode().values
    return float((parts["validation"][1] == commonest).double().mean())
