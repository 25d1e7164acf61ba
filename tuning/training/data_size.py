"""Training on a part of the examples: a trial with the parameter `train_fraction` learns from that share of its data.

It is there to measure what more data would bring, or how much regularisation little data need, with any workload and
without a line of its code. The part is the same in every trial of one fraction and holds that of every smaller one, and
each class has its share of it as nearly as whole examples allow. Validation and test examples stay as they are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset, Subset, TensorDataset

from tuning.training.batches import size_of
from tuning.training.examples import kept_targets
from tuning.training.splits import Splits, quantile_bins

PARAMETER = "train_fraction"
SEED = 0  # of the order in which examples are added: numpy's frozen legacy stream, the same for ever
FEW = 20  # distinct numbers up to which they are classes, not a quantity


def part_of(splits: Splits, params: Mapping[str, Any]) -> Splits:
    """The splits with the part of the training examples that the configuration asks for; without the parameter, or at
    1, the very same object.

    Raises:
        ValueError: the fraction is no number above 0 and up to 1.
    """
    fraction = params.get(PARAMETER, 1)
    if isinstance(fraction, bool) or not isinstance(fraction, int | float) or not 0 < fraction <= 1:
        raise ValueError(
            f"{PARAMETER} is the share of the training examples that a trial learns from, above 0 and at most 1, "
            f"not {fraction!r}; give its range within these"
        )
    if fraction == 1:
        return splits
    size = size_of(splits.train)
    rows = np.sort(_order(splits.train, size)[: max(1, math.floor(fraction * size + 0.5))])
    if isinstance(splits.train, TensorDataset):
        return Splits(TensorDataset(*(tensor[rows] for tensor in splits.train.tensors)), splits.validation)
    return Splits(Subset(splits.train, rows.tolist()), splits.validation)


def _order(dataset: Dataset[Any], size: int) -> NDArray[np.intp]:
    """All rows (size,), so that every beginning has of each class its share."""
    stream = np.random.RandomState(SEED)
    mixed = stream.permutation(size)
    labels = _labels(dataset, size)[mixed]
    places = np.empty(size)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        places[members] = (np.arange(len(members)) + 0.5) / len(members)
    order: NDArray[np.intp] = mixed[np.argsort(places, kind="stable")]
    return order


def _labels(dataset: Dataset[Any], size: int) -> NDArray[Any]:
    """A class for each example, of a quantity the bin of its quantile; one class where the targets are not at hand."""
    if isinstance(dataset, TensorDataset):
        targets = dataset.tensors[-1].detach().cpu().numpy()
    else:
        targets = next((np.asarray(found) for found in kept_targets(dataset, size)), np.zeros(size))
    if targets.ndim == 2 and targets.shape[1] == 1:
        targets = targets[:, 0]
    if targets.ndim != 1:
        return np.zeros(size, dtype=int)
    if targets.dtype.kind == "f" and len(np.unique(targets)) > FEW:
        return quantile_bins(targets)
    return targets
