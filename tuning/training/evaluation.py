"""Measuring a model on a whole split, and how far the numbers could lie off for want of examples."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from tuning.training.batches import Batches
from tuning.training.workload import Workload

RESAMPLES = 200
FEWEST_RESAMPLES = 20
RESAMPLE_SECONDS = 20.0  # after which FEWEST_RESAMPLES are enough
RESAMPLE_SEED = 0


@torch.no_grad()
def evaluate(
    workload: Workload,
    model: nn.Module,
    dataset: Dataset[Any],
    device: torch.device,
    between_batches: Callable[[], None] = lambda: None,
) -> dict[str, float]:
    """Return the loss and the scores of a whole split, measured in eval mode and in full precision.

    Raises:
        ValueError: `Workload.metrics` returns other scores than the workload declares.
    """
    loss, output, target = _predictions(workload, model, dataset, device, between_batches)
    return {"loss": loss, **_scores(workload, output, target)}


@torch.no_grad()
def evaluate_with_errors(
    workload: Workload,
    model: nn.Module,
    dataset: Dataset[Any],
    device: torch.device,
    between_batches: Callable[[], None] = lambda: None,
) -> tuple[dict[str, float], dict[str, float]]:
    """Return what `evaluate` returns, and the standard error of each number for want of examples.

    The errors are those of the bootstrap (Efron 1979): the spread of the number over splits of the same size, drawn
    from this one with replacement. NaN where fewer than two of them gave a finite number.
    """
    loss, output, target = _predictions(workload, model, dataset, device, between_batches)
    measured = {"loss": loss, **_scores(workload, output, target)}
    drawn: dict[str, list[float]] = {name: [] for name in measured}
    generator, began = torch.Generator().manual_seed(RESAMPLE_SEED), time.monotonic()
    for count in range(RESAMPLES):
        between_batches()
        if count >= FEWEST_RESAMPLES and time.monotonic() - began > RESAMPLE_SECONDS:
            break
        rows = torch.randint(len(target), (len(target),), generator=generator)
        some, theirs = output[rows], target[rows]
        loss = float(workload.loss(some.to(device), theirs.to(device)))
        again = {"loss": loss, **_scores(workload, some, theirs)}
        for name, value in again.items():
            drawn[name].append(value)
    return measured, {name: _spread(values) for name, values in drawn.items()}


def _spread(values: list[float]) -> float:
    """The standard deviation of the finite ones, NaN of fewer than two."""
    finite = [value for value in values if math.isfinite(value)]
    return float(torch.tensor(finite, dtype=torch.float64).std()) if len(finite) > 1 else math.nan


def _predictions(
    workload: Workload,
    model: nn.Module,
    dataset: Dataset[Any],
    device: torch.device,
    between_batches: Callable[[], None],
) -> tuple[float, Tensor, Tensor]:
    """The mean loss over the examples, and outputs and targets of all of them, on the CPU."""
    model.eval()
    total, outputs, targets = 0.0, [], []
    for inputs, target in Batches(dataset, workload.evaluation_batch_size):
        between_batches()
        target = target.to(device)
        output = model(inputs.to(device))
        total += float(workload.loss(output, target)) * len(target)
        outputs.append(output.cpu())
        targets.append(target.cpu())
    output, target = torch.cat(outputs), torch.cat(targets)
    return total / len(target), output, target


def _scores(workload: Workload, output: Tensor, target: Tensor) -> dict[str, float]:
    scores = {name: float(value) for name, value in workload.metrics(output, target).items()}
    declared = {score.name for score in workload.scores}
    if set(scores) != declared:
        raise ValueError(
            f"metrics() of {workload.name} returned {', '.join(sorted(scores)) or 'nothing'}, but scores "
            f"declares {', '.join(sorted(declared)) or 'nothing'}; list each there as Metric(name, goal)"
        )
    return scores
