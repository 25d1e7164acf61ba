"""Batches of a dataset, in order or in an order drawn from a generator; no worker processes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, TensorDataset


def size_of(dataset: Dataset[Any]) -> int:
    """Return the number of examples.

    Raises:
        TypeError: the dataset has no length, as a stream has none.
    """
    length = getattr(dataset, "__len__", None)
    if length is None:
        raise TypeError(
            f"{type(dataset).__name__} has no length; a split needs a dataset with __len__ and __getitem__"
        )
    return int(length())


class Batches:
    """Iterate over (inputs, targets) batches; each pass is one epoch.

    With a generator every pass draws a new order from it, and a last batch of a single example is left out,
    for which batch normalisation has no variance. Without one the order is the dataset's and every example is
    there. Tensor datasets are indexed at once; other datasets go through torch's DataLoader in this process.
    """

    def __init__(
        self, dataset: Dataset[Any], batch_size: int, generator: torch.Generator | None = None
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size is at least 1, not {batch_size}")
        self.dataset = dataset
        self.batch_size = batch_size
        self.generator = generator
        size = size_of(dataset)
        single = generator is not None and size > 1 and size % batch_size == 1
        self._used = size - 1 if single else size

    def __len__(self) -> int:
        return -(-self._used // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        if self.generator is None:
            order = torch.arange(self._used)
        else:
            order = torch.randperm(size_of(self.dataset), generator=self.generator)[: self._used]
        batches = order.split(self.batch_size)
        if isinstance(self.dataset, TensorDataset):
            for rows in batches:
                inputs, targets = (tensor[rows] for tensor in self.dataset.tensors)
                yield inputs, targets
        else:
            # Every pass of a DataLoader draws a seed for worker processes, from the global generator by default.
            spare = torch.Generator()
            yield from DataLoader(
                self.dataset, batch_sampler=[rows.tolist() for rows in batches], generator=spare
            )
