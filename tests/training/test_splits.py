import threading

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.training.problems import Blobs
from tuning.training import (
    SealedTestError,
    Splits,
    TensorDataset,
    opened_seal,
    quantile_bins,
    splits,
    stratified_split,
)
from tuning.training.splits import example_hashes, fingerprint

KEY = bytes(range(32))
THIRDS = {"train": 0.6, "validation": 0.2, "test": 0.2}


@given(st.lists(st.integers(0, 4), min_size=1, max_size=200), st.integers(0, 2**32 - 1))
def test_parts_are_disjoint_complete_and_stratified(labels, seed):
    parts = stratified_split(labels, THIRDS, seed)
    assert sorted(np.concatenate(list(parts.values()))) == list(range(len(labels)))
    labels = np.array(labels)
    for name, rows in parts.items():
        assert list(rows) == sorted(rows)
        for label in np.unique(labels):
            assert abs((labels[rows] == label).sum() - THIRDS[name] * (labels == label).sum()) <= 1


def test_a_seed_gives_the_same_split_for_ever():
    parts = stratified_split([0] * 5 + [1] * 5, THIRDS, seed=0)
    assert {name: rows.tolist() for name, rows in parts.items()} == {
        "train": [0, 1, 2, 5, 6, 7],
        "validation": [3, 9],
        "test": [4, 8],
    }
    other = stratified_split([0] * 5 + [1] * 5, THIRDS, seed=1)
    assert any((parts[name] != other[name]).any() for name in parts)


def test_splitting_leaves_the_global_generator_alone():
    before = np.random.get_state()[1].copy()
    stratified_split([0, 1] * 20, THIRDS)
    assert (np.random.get_state()[1] == before).all()


@pytest.mark.parametrize("fractions", [{"a": 0.5, "b": 0.6}, {"a": 1.5, "b": -0.5}])
def test_fractions_that_are_none_are_refused(fractions):
    with pytest.raises(ValueError, match="positive and sum to 1"):
        stratified_split([0, 1], fractions)


def test_labels_that_are_a_table_are_refused():
    with pytest.raises(ValueError, match=r"one column, not of shape \(2, 2\)"):
        stratified_split([[0, 1], [1, 0]], THIRDS)


def test_quantile_bins_hold_equal_shares():
    assert np.bincount(quantile_bins(np.arange(100.0) ** 2, 4)).tolist() == [25, 25, 25, 25]
    assert set(quantile_bins([3.0, 3.0, 3.0], 4)) == {3}


def test_an_empty_split_is_refused_by_name():
    full, empty = TensorDataset(torch.ones(2)), TensorDataset(torch.ones(0))
    with pytest.raises(ValueError, match="validation split is empty"):
        Splits(full, empty)


def test_a_dataset_without_length_is_refused():
    class Stream(torch.utils.data.IterableDataset):
        def __iter__(self):
            return iter(())

    with pytest.raises(TypeError, match="Stream has no length"):
        Splits(Stream(), Stream())


class WithTest(Blobs):
    def test_data(self):
        return "opened"


def test_test_data_are_sealed_unless_the_seal_is_open():
    with pytest.raises(SealedTestError, match=r"a trial called test_data\(\)"):
        WithTest().test_data()
    with opened_seal():
        assert WithTest().test_data() == "opened"
    with pytest.raises(SealedTestError):
        WithTest().test_data()


def test_neither_a_subclass_nor_the_class_itself_goes_around_the_seal():
    class Sub(WithTest):
        def data(self):
            return super().test_data()

    with pytest.raises(SealedTestError):
        Sub().data()
    with pytest.raises(SealedTestError):
        WithTest.test_data(Sub())


def test_the_seal_opens_for_one_thread_and_closes_after_an_error():
    seen = []

    def look():
        try:
            seen.append(WithTest().test_data())
        except SealedTestError as error:
            seen.append(error)

    def fail_inside():
        with opened_seal():
            thread = threading.Thread(target=look)
            thread.start()
            thread.join()
            raise KeyError("x")

    with pytest.raises(KeyError):
        fail_inside()
    assert isinstance(seen[0], SealedTestError)
    with pytest.raises(SealedTestError):
        WithTest().test_data()


def hash_of(inputs, target=0):
    return example_hashes([(inputs, target)], KEY)[0]


def test_equal_content_hashes_alike_whatever_its_representation():
    row = torch.tensor([1.0, 0.0, 2.0])
    assert hash_of(row) == hash_of(row.double()) == hash_of(row.numpy()) == hash_of(row, target=1)
    assert hash_of(row) == hash_of(torch.tensor([1.0, -0.0, 2.0]))
    assert hash_of(torch.arange(12.0).reshape(3, 4).T) == hash_of(
        torch.arange(12.0).reshape(3, 4).T.contiguous()
    )
    nan, other = np.array([0x7FC00000, 0x7FC00001], dtype=np.uint32).view(np.float32)
    assert hash_of(np.array([nan])) == hash_of(np.array([other]))
    assert hash_of(torch.tensor([1], dtype=torch.uint8)) == hash_of(torch.tensor([1]))


def test_different_content_hashes_apart():
    row = torch.tensor([1.0, 2.0])
    others = [row + 1, row.reshape(2, 1), row.long(), {"a": row}, [row, row], "1.0", b"", 1.0, [[row], row]]
    hashes = [hash_of(row), *(hash_of(other) for other in others)]
    assert len(set(hashes)) == len(hashes)
    assert example_hashes([(row, 0)], KEY[::-1])[0] != hash_of(row), "the key matters"


def test_hashing_leaves_the_data_unchanged():
    row = torch.tensor([float("nan"), -0.0])
    hash_of(row)
    assert torch.signbit(row[1]) and torch.isnan(row[0])


@pytest.mark.parametrize("key", [b"", b"short", bytes(65)])
def test_a_weak_or_oversized_key_is_refused(key):
    with pytest.raises(ValueError, match="16 to 64 bytes"):
        example_hashes([(1.0, 0)], key)


def dataset(*numbers):
    return TensorDataset(torch.tensor(numbers, dtype=torch.float32), torch.zeros(len(numbers)))


def test_a_fingerprint_counts_hashes_and_digests():
    found = fingerprint({"train": dataset(1, 2, 3), "validation": dataset(3, 4), "test": None}, KEY)
    assert found.sizes == {"train": 3, "validation": 2, "test": 0}
    assert set(found.hashes["train"]) & set(found.hashes["validation"]) == {found.hashes["train"][2]}
    assert found.fraction == 1.0
    again = fingerprint({"train": dataset(1, 2, 3), "validation": dataset(3, 4), "test": None}, KEY)
    moved = fingerprint({"train": dataset(1, 2), "validation": dataset(3, 3, 4), "test": None}, KEY)
    assert again.digest == found.digest != moved.digest


def test_a_large_data_set_keeps_a_sample_that_is_common_to_all_splits(monkeypatch):
    monkeypatch.setattr(splits, "MAX_HASHES", 100)
    parts = {"train": dataset(*range(300)), "test": dataset(*range(200, 300))}
    found = fingerprint(parts, KEY)
    assert found.fraction == 0.25 and found.sizes == {"train": 300, "test": 100}
    assert 40 < len(found.hashes["train"]) < 120
    full = example_hashes(parts["test"], KEY)
    shared = set(found.hashes["train"]) & set(found.hashes["test"])
    assert shared == set(found.hashes["test"]) == {h for h in full if int(h, 16) < 1 << 126}
