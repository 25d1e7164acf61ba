"""The part of the training examples that a trial learns from: nested, a share of each class, nothing else moved."""

import numpy as np
import pytest
import torch

from tests.training.problems import PARAMS, Blobs, Record, run_of
from tuning.training import Splits, TensorDataset, train
from tuning.training.data_size import part_of
from tuning.training.workloads.diabetes_mlp import DiabetesMLP
from tuning.training.workloads.digits_mlp import DigitsMLP


class Listed:
    """A dataset of pairs that keeps its labels at hand, as torchvision's do, or does not."""

    def __init__(self, labels, *, kept):
        self.labels_of = labels
        if kept:
            self.targets = labels

    def __len__(self):
        return len(self.labels_of)

    def __getitem__(self, index):
        return torch.tensor([float(index)]), self.labels_of[index]


def numbered(labels) -> Splits:
    rows = torch.arange(len(labels), dtype=torch.float32)[:, None]
    return Splits(TensorDataset(rows, torch.as_tensor(labels)), TensorDataset(rows[:1], torch.zeros(1)))


def rows_of(splits: Splits) -> list[int]:
    return [int(splits.train[index][0]) for index in range(len(splits.train))]


def test_each_part_holds_the_smaller_ones_and_of_each_class_its_share():
    labels = [0] * 600 + [1] * 300 + [2] * 100
    whole, before = numbered(labels), set[int]()
    for fraction in (0.01, 0.05, 0.2, 0.5, 0.9):
        part = part_of(whole, {"train_fraction": fraction})
        rows = rows_of(part)
        assert rows == sorted(rows) and before <= set(rows) and part.validation is whole.validation
        assert np.bincount([labels[row] for row in rows]).tolist() == [600 * fraction, 300 * fraction, 100 * fraction]
        before = set(rows)
    again = part_of(numbered(labels), {"train_fraction": 0.9})
    assert set(rows_of(again)) == before


def test_without_it_or_at_one_nothing_is_touched():
    whole = numbered([0, 1, 0, 1])
    assert part_of(whole, {}) is whole and part_of(whole, {"train_fraction": 1.0}) is whole
    assert len(part_of(whole, {"train_fraction": 1e-9}).train) == 1


@pytest.mark.parametrize("kept", [True, False])
def test_any_dataset_is_taken_in_part(kept):
    labels = [0, 1] * 50
    part = part_of(Splits(Listed(labels, kept=kept), Listed([0], kept=kept)), {"train_fraction": 0.3})
    assert len(part.train) == 30
    if kept:
        assert sum(part.train[index][1] for index in range(30)) == 15


@pytest.mark.parametrize("fraction", [0, -0.5, 1.01, float("nan"), "half", True, None])
def test_what_is_no_share_is_refused_with_what_would_be_right(fraction):
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        part_of(numbered([0, 1]), {"train_fraction": fraction})


def test_the_shipped_workloads_keep_their_classes_and_the_spread_of_a_quantity():
    digits = part_of(DigitsMLP().data(), {"train_fraction": 40 / 1078})
    assert len(digits.train) == 40
    assert set(np.bincount(digits.train.tensors[1]).tolist()) == {4}
    whole = DiabetesMLP().data()
    part = part_of(whole, {"train_fraction": 0.2})
    assert abs(float(part.train.tensors[1].mean())) < 0.15, "the whole has mean 0 and deviation 1"


def test_a_training_learns_from_the_part_alone_and_says_how_many(tmp_path):
    seen: set[tuple[float, ...]] = set()

    class Watched(Blobs):
        def augment(self, inputs, params, generator):
            seen.update(map(tuple, inputs.tolist()))
            return super().augment(inputs, params, generator)

    record = Record()
    outcome = train(Watched(), run_of(tmp_path, params={**PARAMS, "train_fraction": 0.25}, epochs=2), record)
    assert outcome.examples == len(seen) == 20 and outcome.optimizer == "SGD"
    assert train(Blobs(), run_of(tmp_path / "whole", epochs=1), Record()).examples == 80
