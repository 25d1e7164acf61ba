"""Splits of a data set: fixed by a seed, stratified, fingerprinted, with the test split behind a seal.

A test score means something only if nothing that was tuned has seen the test examples. So the test split
lives in a method of its own, `Workload.test_data`, and that method is sealed: it raises in every process
except inside `opened_seal`, which the split job, the last checks of a preflight and the final look at a study
enter. The split job keeps sizes and keyed hashes, from which an example that lies in two splits can be found
and no example can be reconstructed.
"""

from __future__ import annotations

import functools
import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from tuning.training.batches import size_of

HASH_BYTES = 16
MAX_HASHES = 400_000


class SealedTestError(RuntimeError):
    """Test data were asked for where they would spoil the test."""


@dataclass(frozen=True)
class Splits:
    """The examples to learn from and the examples to choose by; the test split is deliberately not here."""

    train: Dataset[Any]
    validation: Dataset[Any]

    def __post_init__(self) -> None:
        for name in ("train", "validation"):
            if size_of(getattr(self, name)) == 0:
                raise ValueError(f"the {name} split is empty")


_seal = threading.local()


@contextmanager
def opened_seal() -> Iterator[None]:
    """Allow `Workload.test_data` in this thread, for the split job and the final evaluation."""
    before = getattr(_seal, "open", False)
    _seal.open = True
    try:
        yield
    finally:
        _seal.open = before


def guard_test_data(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return `method` so that it raises SealedTestError outside `opened_seal`."""

    @functools.wraps(method)
    def sealed(*args: Any, **kwargs: Any) -> Any:
        if not getattr(_seal, "open", False):
            raise SealedTestError(
                "a trial called test_data(). The test split is sealed until the study is finalised, "
                "because a score that tuning has seen is no test; measure on the validation split of data()."
            )
        return method(*args, **kwargs)

    return sealed


def stratified_split(labels: Any, fractions: Mapping[str, float], seed: int = 0) -> dict[str, np.ndarray]:
    """Divide the rows into named parts in which every label has its share, as nearly as whole rows allow.

    Args:
        labels: (n,) class labels.
        fractions: the share of each part; the sum is 1.
        seed: the same seed gives the same parts for ever (numpy's frozen legacy stream).

    Returns:
        The row numbers of each part, ascending.

    Raises:
        ValueError: fractions that are not positive or do not sum to 1, or labels that are not one column.
    """
    labels = np.asarray(labels)
    if labels.ndim != 1:
        raise ValueError(f"labels are one column, not of shape {labels.shape}")
    shares = np.array(list(fractions.values()), dtype=float)
    if (shares <= 0).any() or abs(shares.sum() - 1) > 1e-9:
        raise ValueError(f"the fractions {dict(fractions)} must be positive and sum to 1")
    stream = np.random.RandomState(seed)
    parts: dict[str, list[np.ndarray]] = {name: [] for name in fractions}
    for label in np.unique(labels):
        rows = stream.permutation(np.flatnonzero(labels == label))
        ends = np.rint(np.cumsum(shares) * len(rows)).astype(int)
        for name, part in zip(fractions, np.split(rows, ends[:-1]), strict=True):
            parts[name].append(part)
    return {name: np.sort(np.concatenate(part)) for name, part in parts.items()}


def quantile_bins(values: Any, bins: int = 10) -> np.ndarray:
    """Return for each value of a regression target the number of its quantile bin, for `stratified_split`."""
    values = np.asarray(values, dtype=float)
    edges = np.quantile(values, np.linspace(0, 1, bins + 1)[1:-1])
    return np.searchsorted(edges, values, side="right")


def example_hashes(dataset: Dataset[Any], key: bytes) -> list[str]:
    """Return the keyed BLAKE2b hash of every example's inputs, in the dataset's order.

    Two examples with equal inputs hash alike, whatever their targets, dtype widths or memory layout; -0.0
    counts as 0.0 and every NaN as the same. Without the key a hash cannot be linked to a guessed example.
    """
    hashes = []
    for index in range(size_of(dataset)):
        example = dataset[index]
        inputs = example[0] if isinstance(example, (tuple, list)) else example
        digest = hashlib.blake2b(key=_sized_key(key), digest_size=HASH_BYTES)
        _feed(digest, inputs)
        hashes.append(digest.hexdigest())
    return hashes


@dataclass(frozen=True)
class Fingerprint:
    """What the split job keeps of a data set.

    Attributes:
        sizes: the number of examples of each split.
        hashes: each split's example hashes. Above MAX_HASHES in all, only those below a common threshold, so
            that an example that lies in two splits is kept in both or in neither.
        fraction: the share of examples that `hashes` keeps, 1.0 or a power of one half.
        digest: one hash over all examples of all splits, in order.
    """

    sizes: dict[str, int]
    hashes: dict[str, list[str]]
    fraction: float
    digest: str


def fingerprint(datasets: Mapping[str, Dataset[Any] | None], key: bytes) -> Fingerprint:
    """Return the fingerprint of the splits; a split that is None has no examples."""
    hashes = {
        name: [] if dataset is None else example_hashes(dataset, key) for name, dataset in datasets.items()
    }
    digest = hashlib.blake2b(key=_sized_key(key), digest_size=32)
    for name, values in hashes.items():
        digest.update(f"{name}:{len(values)}:".encode() + "".join(values).encode())
    halvings = 0
    while sum(map(len, hashes.values())) >> halvings > MAX_HASHES:
        halvings += 1
    threshold = 1 << (8 * HASH_BYTES - halvings)
    return Fingerprint(
        sizes={name: len(values) for name, values in hashes.items()},
        hashes={name: [h for h in values if int(h, 16) < threshold] for name, values in hashes.items()},
        fraction=0.5**halvings,
        digest=digest.hexdigest(),
    )


def _sized_key(key: bytes) -> bytes:
    if not 16 <= len(key) <= 64:
        raise ValueError(f"the hash key has 16 to 64 bytes, not {len(key)}")
    return key


def _feed(digest: Any, value: Any) -> None:
    """Add an example's canonical bytes: kind and shape first, so that no two layouts run into each other."""
    if isinstance(value, Mapping):
        digest.update(f"map{len(value)}".encode())
        for name in sorted(value):
            digest.update(repr(name).encode())
            _feed(digest, value[name])
    elif isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        digest.update(f"seq{len(value)}".encode())
        for item in value:
            _feed(digest, item)
    elif isinstance(value, (str, bytes)):
        content = value.encode() if isinstance(value, str) else value
        digest.update(f"text{len(content)}:".encode() + content)
    else:
        content, shape = _canonical(value)
        digest.update(f"array{shape}:".encode() + content)


def _canonical(value: Any) -> tuple[bytes, tuple[int, ...]]:
    tensor = value.detach().cpu() if isinstance(value, Tensor) else torch.as_tensor(np.asarray(value))
    if tensor.is_floating_point():
        tensor = tensor.to(torch.float32) + 0.0  # -0.0 + 0.0 is 0.0
        tensor[tensor.isnan()] = torch.nan
        array = tensor.numpy().astype("<f4")
    elif tensor.is_complex():
        array = tensor.to(torch.complex64).numpy().astype("<c8")
    else:
        array = tensor.to(torch.int64).numpy().astype("<i8")
    return array.tobytes(), tuple(tensor.shape)
