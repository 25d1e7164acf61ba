"""The fingerprint of the examples: what it notices, what it does not mind, and what it costs."""

import random
import time
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import ConcatDataset, Dataset, Subset, TensorDataset

from tests.training.problems import Blobs, Record, run_of
from tuning.training import Splits, train
from tuning.training import examples as module
from tuning.training.examples import EXAMPLES, examples_digest, load_data


def tensors(rows: int = 20, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, 3, generator=generator), torch.randint(0, 4, (rows,), generator=generator)


def digest(train: Any, validation: Any = ((1.0, 0),)) -> str:
    return examples_digest(Splits(train, validation))


class Lazy(Dataset[Any]):
    """A dataset that is read example by example, with its labels at hand, as torchvision's are."""

    def __init__(self, inputs: Any, targets: Any) -> None:
        self.inputs, self.targets = inputs, targets

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, index: int) -> Any:
        return self.inputs[index], self.targets[index]


def test_equal_data_are_equal_wherever_they_lie():
    x, y = tensors()
    assert digest(TensorDataset(x, y)) == digest(TensorDataset(x.clone(), y.clone()))
    strided = torch.stack([x, x + 1], dim=2)[:, :, 0]
    assert not strided.is_contiguous() and digest(TensorDataset(strided, y)) == digest(TensorDataset(x, y))


@pytest.mark.parametrize("kind", [TensorDataset, Lazy, lambda x, y: list(zip(x, y, strict=True))])
@pytest.mark.parametrize("row", [0, 7, 19])
def test_a_changed_label_is_noticed_and_a_changed_input_too(kind, row):
    x, y = tensors()
    before = digest(kind(x, y))
    labels, inputs = y.clone(), x.clone()
    labels[row] = (labels[row] + 1) % 4
    inputs[row, 1] += 1e-6
    assert len({before, digest(kind(x, labels)), digest(kind(inputs, y)), digest(kind(x[:-1], y[:-1]))}) == 4


def test_the_split_is_part_of_it():
    x, y = tensors()
    one, other = (x[:12], y[:12]), (x[12:], y[12:])
    found = {digest(TensorDataset(*one), TensorDataset(*other)), digest(TensorDataset(*other), TensorDataset(*one))}
    whole = TensorDataset(x, y)
    found |= {digest(Subset(whole, [0, 1]), Subset(whole, [2])), digest(Subset(whole, [0, 2]), Subset(whole, [1]))}
    found |= {digest(ConcatDataset([whole, Subset(whole, [1])])), digest(ConcatDataset([whole, Subset(whole, [2])]))}
    assert len(found) == 6


def test_of_a_long_lazy_dataset_every_label_counts_and_a_thousand_examples():
    rows = 3 * EXAMPLES
    x, y = tensors(rows)
    reads = []

    class Counting(Lazy):
        def __getitem__(self, index: int) -> Any:
            reads.append(index)
            return super().__getitem__(index)

    before = digest(Counting(x, y))
    assert (len(reads), reads[0], reads[-1]) == (EXAMPLES, 0, rows - 1)
    unread = next(index for index in range(rows) if index not in reads)
    for labels in (y.clone(), y.numpy().copy(), y.tolist()):
        same = digest(Lazy(x, labels))
        labels[unread] = 9
        assert digest(Lazy(x, labels)) != same
    assert before


def test_of_a_tensor_above_the_limit_blocks_are_read_the_last_among_them(monkeypatch):
    monkeypatch.setattr(module, "CHUNK_BYTES", 1200)
    monkeypatch.setattr(module, "MAX_CHUNKS", 4)
    x, y = torch.zeros(1000, 3), torch.zeros(1000, dtype=torch.long)
    seen = set()
    for row in (None, 0, 350, 999):  # blocks of 100 rows: 0, 3, 6 and 9 are read
        changed = x.clone()
        if row is not None:
            changed[row] = 1
        seen.add(digest(TensorDataset(changed, y)))
    assert len(seen) == 4
    changed = x.clone()
    changed[150] = 1
    assert digest(TensorDataset(changed, y)) in seen


def test_examples_of_any_make_have_one():
    image = type("Image", (), {"__array__": lambda self, *_, **__: np.eye(3, dtype=np.uint8)})
    rows = [
        ({"ids": [1, 2], "text": "wine"}, None), ({"ids": [1, 3], "text": "wine"}, None), (b"wine", True),
        (np.float32(0.5), {1, 2}), (image(), np.array(["a", "b"])), (image(), np.array(["a", None], dtype=object)),
        (torch.eye(3).to_sparse(), torch.tensor(1 + 2j)), (torch.zeros(0, 3), torch.tensor(True)),
        (torch.zeros(2, dtype=torch.bfloat16), 1.5),
    ]  # fmt: skip
    assert len({digest([row]) for row in rows}) == len(rows)
    assert all(digest([row]) == digest([row]) for row in rows)


def test_augmentation_inside_the_dataset_is_drawn_alike():
    class Augmented(Lazy):
        def __getitem__(self, index: int) -> Any:
            x, y = super().__getitem__(index)
            return x + torch.randn(3) + np.random.rand() + random.random(), y

    assert digest(Augmented(*tensors())) == digest(Augmented(*tensors()))


def test_a_tensor_that_is_kept_is_read_once_until_it_changes(monkeypatch):
    kept = TensorDataset(*tensors())
    before = digest(kept, kept)
    with monkeypatch.context() as patch:
        patch.setattr(module, "_read_tensor", lambda tensor: pytest.fail("it was read again"))
        assert digest(kept, kept) == before
    kept.tensors[1][0] += 1
    assert digest(kept, kept) != before
    count = len(module._read)
    del kept
    assert len(module._read) == count - 2, "nothing is remembered of tensors that are gone"


def test_a_gigabyte_takes_seconds():
    """1.3 s here with nothing else on the machine: as fast as sha256 is; more than 1 GiB of a tensor is never read."""
    data = TensorDataset(torch.zeros(1 << 18, 1 << 8), torch.zeros(1 << 18, dtype=torch.long))
    began = time.perf_counter()
    digest(data, data)
    rate = data.tensors[0].nbytes / (time.perf_counter() - began) / 1e9
    assert rate > 0.1, f"{rate:.2f} GB/s"


def test_data_that_draw_are_the_same_for_every_trial():
    class Drawing(Blobs):
        def data(self) -> Splits:
            splits = super().data()
            order = torch.randperm(len(splits.train))  # type: ignore[arg-type]
            return Splits(Subset(splits.train, order.tolist()), splits.validation)

    torch.manual_seed(1)
    one = examples_digest(load_data(Drawing()))
    torch.manual_seed(2)
    assert examples_digest(load_data(Drawing())) == one


def test_reading_the_fingerprint_leaves_the_training_alone(tmp_path):
    def looked_at(workload):
        splits = load_data(workload)
        examples_digest(splits)
        return splits

    plain, watched = Record(), Record()
    train(Blobs(), run_of(tmp_path / "a"), plain)
    train(Blobs(), run_of(tmp_path / "b", load=looked_at), watched)
    assert plain.steps == watched.steps
