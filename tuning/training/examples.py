"""The examples that a training reads, and their fingerprint: what a study is pinned to and every host must have.

It covers inputs and targets of the training and the validation split as `data()` returns them, bit for bit, and costs
little enough to be taken at every training: tensors are read whole up to MAX_CHUNKS blocks of CHUNK_BYTES, and of
larger ones that many blocks, evenly spread; of a dataset that is no TensorDataset EXAMPLES examples, evenly spread, and
its `targets` or `labels`. A tensor that a process keeps from one training to the next is read once.
"""

from __future__ import annotations

import dataclasses
import hashlib
import weakref
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import ConcatDataset, Dataset, Subset, TensorDataset

from tuning.training.batches import size_of
from tuning.training.determinism import seed_everything
from tuning.training.splits import Splits
from tuning.training.workload import Workload

CHUNK_BYTES = 1 << 20
MAX_CHUNKS = 1024
EXAMPLES = 1000
SEED = 0  # of what `data()` and `dataset[i]` draw: the same in every trial

# id -> the tensor, where its numbers lay, its version and its digest. Torch raises the version with every change in
# place; one by way of numpy it does not see.
_read: dict[int, tuple[weakref.ref[Tensor], tuple[int, ...], str]] = {}


def load_data(workload: Workload) -> Splits:
    """What `workload.data()` returns; what it draws is drawn alike in every trial. The caller seeds anew."""
    seed_everything(SEED)
    return workload.data()


def examples_digest(splits: Splits) -> str:
    """sha256 of the examples to learn from and to choose by. The caller seeds anew."""
    seed_everything(SEED)  # an augmentation inside dataset[i] draws
    digest = hashlib.sha256()
    for dataset in (splits.train, splits.validation):
        _feed_dataset(digest, dataset)
    return digest.hexdigest()


def _feed_dataset(digest: Any, dataset: Dataset[Any]) -> None:
    if isinstance(dataset, TensorDataset):
        digest.update(f"tensors{len(dataset.tensors)}:".encode())
        for tensor in dataset.tensors:
            digest.update(_digest_of(tensor).encode())
    elif isinstance(dataset, Subset):
        _feed(digest, np.asarray(dataset.indices))
        _feed_dataset(digest, dataset.dataset)
    elif isinstance(dataset, ConcatDataset):
        digest.update(f"parts{len(dataset.datasets)}:".encode())
        for part in dataset.datasets:
            _feed_dataset(digest, part)
    else:
        size = size_of(dataset)
        digest.update(f"examples{size}:".encode())
        for targets in kept_targets(dataset, size):
            _feed(digest, _digest_of(targets) if isinstance(targets, Tensor) else targets)
        for index in _spread(size, EXAMPLES):
            _feed(digest, dataset[index])


def kept_targets(dataset: Dataset[Any], size: int) -> Iterable[Any]:
    """One label an example, where the dataset keeps them at hand in the manner of torchvision."""
    for name in ("targets", "labels"):
        kept = getattr(dataset, "__dict__", {}).get(name)
        if isinstance(kept, list | tuple) and kept and isinstance(kept[0], bool | int | float | str | np.generic):
            kept = np.asarray(kept)
        if isinstance(kept, Tensor | np.ndarray) and kept.ndim and len(kept) == size:
            yield kept


def _spread(size: int, most: int) -> Iterable[int]:
    """All of `size` numbers, or `most` of them from the first to the last."""
    return range(size) if size <= most else (index * (size - 1) // (most - 1) for index in range(most))


def _digest_of(tensor: Tensor) -> str:
    """The digest of a tensor that may be large and may be kept."""
    if tensor.is_inference() or tensor.layout is not torch.strided:
        return _read_tensor(tensor)
    state = (tensor.data_ptr(), tensor._version, *tensor.shape)
    known = _read.get(key := id(tensor))
    if known is not None and known[0]() is tensor and known[1] == state:
        return known[2]
    found = _read_tensor(tensor)
    _read[key] = (weakref.ref(tensor, lambda _: _read.pop(key, None)), state, found)
    return found


def _read_tensor(tensor: Tensor) -> str:
    digest = hashlib.sha256()
    _feed_tensor(digest, tensor)
    return digest.hexdigest()


def _feed_tensor(digest: Any, tensor: Tensor) -> None:
    """Kind, shape and numbers, a block of rows after another: one that is not contiguous is never copied whole."""
    tensor = tensor.detach()
    tensor = tensor if tensor.layout is torch.strided else tensor.to_dense()
    digest.update(f"{tensor.dtype}{tuple(tensor.shape)}:".encode())
    rows = tensor.reshape(1) if tensor.ndim == 0 else tensor
    if rows.numel() == 0:
        return
    step = max(1, CHUNK_BYTES // (rows.numel() // len(rows) * rows.element_size()))
    for block in _spread(-(-len(rows) // step), MAX_CHUNKS):
        part = rows[block * step : (block + 1) * step].cpu().resolve_conj().resolve_neg().contiguous()
        digest.update(part.reshape(-1).view(torch.uint8).numpy().data)


def _feed(digest: Any, value: Any) -> None:
    """Add one example, or a part of it; of what is neither numbers nor text the kind alone."""
    if value is None or isinstance(value, bool | int | float | complex | str | bytes):
        text = repr(value).encode()
        digest.update(f"{len(text)}:".encode() + text)
    elif isinstance(value, Tensor):
        _feed_tensor(digest, value)
    elif isinstance(value, np.ndarray | np.generic):
        _feed_array(digest, np.asarray(value))
    elif isinstance(value, Mapping):
        digest.update(f"map{len(value)}:".encode())
        for name in sorted(value, key=repr):
            _feed(digest, name)
            _feed(digest, value[name])
    elif isinstance(value, Sequence | Set):
        digest.update(f"list{len(value)}:".encode())
        for item in value if isinstance(value, Sequence) else sorted(value, key=repr):
            _feed(digest, item)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            _feed(digest, getattr(value, field.name))
    elif hasattr(value, "__array__") or hasattr(value, "__array_interface__"):  # an image
        _feed_array(digest, np.asarray(value))
    else:
        digest.update(type(value).__qualname__.encode())


def _feed_array(digest: Any, array: np.ndarray) -> None:
    if array.dtype.hasobject:
        digest.update(f"objects{array.shape}:".encode())
        for item in array.reshape(-1).tolist():
            _feed(digest, item)
    elif array.dtype.kind in "biufc":
        _feed_tensor(digest, torch.from_numpy(np.ascontiguousarray(array.astype(array.dtype.newbyteorder("=")))))
    else:
        digest.update(f"{array.dtype}{array.shape}:".encode() + array.tobytes())
