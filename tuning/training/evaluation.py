"""Measuring a model on a whole split."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.utils.data import Dataset

from tuning.training.batches import Batches
from tuning.training.workload import Workload


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
    scores = {name: float(value) for name, value in workload.metrics(output, target).items()}
    declared = {score.name for score in workload.scores}
    if set(scores) != declared:
        raise ValueError(
            f"metrics() of {workload.name} returned {', '.join(sorted(scores)) or 'nothing'}, but scores "
            f"declares {', '.join(sorted(declared)) or 'nothing'}; list each there as Metric(name, goal)"
        )
    return {"loss": total / len(target), **scores}
