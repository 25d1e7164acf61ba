"""Faults in the examples: those that stand in two splits, and labels that are not theirs."""

from __future__ import annotations

import numpy as np
import torch

from tests.training.faults.evidence import majority, shared, split_tensors, trained
from tests.training.faults.sound import SHARES, Cancer, Diabetes, Digits, Iris, Rows, Wine
from tuning.training import TensorDataset

# The same example in two splits ------------------------------------------------------------------------------


class OversampledBeforeSplit(Cancer):
    """The rarer class is repeated until both are equally frequent, and only then the table is split."""

    name = "oversampled_before_split"

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        inputs, labels = super().read()
        rare = np.flatnonzero(labels == 0)
        again = np.random.RandomState(0).choice(rare, size=int((labels == 1).sum()) - len(rare))
        rows = np.concatenate([np.arange(len(labels)), again])
        return inputs[rows], labels[rows]

    @classmethod
    def planted(cls) -> None:
        assert shared(cls(), "validation", "train") > 20 and shared(cls(), "test", "train") > 20


class BootstrapSplit(Diabetes):
    """Each split is drawn with replacement from the whole table."""

    name = "bootstrap_split"

    def divide(self, inputs: np.ndarray, targets: np.ndarray) -> Rows:
        stream = np.random.RandomState(0)
        return {name: stream.choice(len(inputs), int(share * len(inputs))) for name, share in SHARES.items()}

    @classmethod
    def planted(cls) -> None:
        assert shared(cls(), "validation", "train") > 20


class TrainedOnTheTest(Wine):
    """The train split takes in the test split, as one does for the very last model."""

    name = "trained_on_the_test"

    def divide(self, inputs: np.ndarray, targets: np.ndarray) -> Rows:
        rows = super().divide(inputs, targets)
        return rows | {"train": np.concatenate([rows["train"], rows["test"]])}

    @classmethod
    def planted(cls) -> None:
        assert shared(cls(), "validation", "train") == 0
        assert shared(cls(), "test", "train") == len(split_tensors(cls())["test"][0])


class OffByOneSlice(Digits):
    """Slices that overlap by a single row: train ends one after validation starts."""

    name = "off_by_one_slice"

    def divide(self, inputs: np.ndarray, targets: np.ndarray) -> Rows:
        order = np.random.RandomState(0).permutation(len(inputs))
        return {"train": order[:540], "validation": order[539:720], "test": order[720:]}

    @classmethod
    def planted(cls) -> None:
        assert shared(cls(), "validation", "train") == 1 and shared(cls(), "test", "train") == 0


class TestRowsInDouble(Cancer):
    """The test split is the validation split, read again in double precision."""

    name = "test_rows_in_double"

    def parts(self) -> dict[str, TensorDataset]:
        parts = super().parts()
        inputs, targets = parts["validation"].tensors
        return parts | {"test": TensorDataset(inputs.double(), targets)}

    @classmethod
    def planted(cls) -> None:
        parts = split_tensors(cls())
        assert parts["test"][0].dtype == torch.float64 and parts["validation"][0].dtype == torch.float32
        assert shared(cls(), "test", "validation") == len(parts["test"][0])


# Labels ------------------------------------------------------------------------------------------------------


class SplitInFileOrder(Iris):
    """The file is sorted by species, and is cut into 60, 20 and 20 % without a shuffle."""

    name = "split_in_file_order"

    def divide(self, inputs: np.ndarray, targets: np.ndarray) -> Rows:
        return {"train": np.arange(90), "validation": np.arange(90, 120), "test": np.arange(120, len(inputs))}

    @classmethod
    def planted(cls) -> None:
        parts = split_tensors(cls())
        assert set(parts["train"][1].tolist()) == {0, 1} and set(parts["test"][1].tolist()) == {2}
        assert float((parts["validation"][1] == 2).double().mean()) > 0.6


class ValidationOfOneClass(Cancer):
    """A filter that somebody forgot leaves only the benign cases in validation."""

    name = "validation_of_one_class"

    def divide(self, inputs: np.ndarray, targets: np.ndarray) -> Rows:
        rows = super().divide(inputs, targets)
        return rows | {"validation": rows["validation"][targets[rows["validation"]] == 1]}

    @classmethod
    def planted(cls) -> None:
        assert split_tensors(cls())["validation"][1].unique().tolist() == [1.0]


class TestOfOneClass(Digits):
    """The test split was cut from a folder of zeros."""

    name = "test_of_one_class"

    def divide(self, inputs: np.ndarray, targets: np.ndarray) -> Rows:
        rows = super().divide(inputs, targets)
        return rows | {"test": rows["test"][targets[rows["test"]] == 0]}

    @classmethod
    def planted(cls) -> None:
        parts = split_tensors(cls())
        assert parts["test"][1].unique().tolist() == [0] and len(parts["train"][1].unique()) == 10


class ClassMissingInTrain(Digits):
    """No nine in train: `labels < 9` stood there for nine classes, and was meant as ten."""

    name = "class_missing_in_train"

    def divide(self, inputs: np.ndarray, targets: np.ndarray) -> Rows:
        rows = super().divide(inputs, targets)
        return rows | {"train": rows["train"][targets[rows["train"]] < 9]}

    @classmethod
    def planted(cls) -> None:
        parts = split_tensors(cls())
        assert 9 not in parts["train"][1] and 9 in parts["validation"][1]


class NearlyOneClass(Cancer):
    """Of the malignant cases only four reach train, though validation has its 37 %."""

    name = "nearly_one_class"

    def divide(self, inputs: np.ndarray, targets: np.ndarray) -> Rows:
        rows = super().divide(inputs, targets)
        malignant = rows["train"][targets[rows["train"]] == 0]
        return rows | {"train": np.setdiff1d(rows["train"], malignant[4:])}

    @classmethod
    def planted(cls) -> None:
        parts = split_tensors(cls())
        assert int((parts["train"][1] == 0).sum()) == 4
        assert 0.3 < float((parts["validation"][1] == 0).double().mean()) < 0.45


class SortedByTarget(Diabetes):
    """A table sorted by its target and cut in order: train has the light cases, test the severe ones."""

    name = "sorted_by_target"

    def divide(self, inputs: np.ndarray, targets: np.ndarray) -> Rows:
        order = np.argsort(targets, kind="stable")
        return {"train": order[:265], "validation": order[265:353], "test": order[353:]}

    @classmethod
    def planted(cls) -> None:
        parts = split_tensors(cls())
        assert parts["train"][1].max() <= parts["validation"][1].min()


class CodesOfEachSplit(Iris):
    """The species get their codes in the order in which each split shows them first, as pd.factorize does."""

    name = "codes_of_each_split"

    def parts(self) -> dict[str, TensorDataset]:
        parts = super().parts()
        for name, dataset in parts.items():
            inputs, labels = dataset.tensors
            order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(3))
            seen = list(dict.fromkeys(labels[order].tolist()))
            codes = torch.tensor([seen.index(label) for label in labels[order].tolist()])
            parts[name] = TensorDataset(inputs[order], codes)
        return parts

    @classmethod
    def planted(cls) -> None:
        scores = trained(cls())
        assert scores["train/accuracy"] > 0.85 and scores["validation/accuracy"] < majority(cls()) + 0.05


class LabelsOffByOne(Cancer):
    """The labels were read with the header as a row: each example has its neighbour's label."""

    name = "labels_off_by_one"

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        inputs, labels = super().read()
        order = np.random.RandomState(0).permutation(len(labels))
        return inputs[order][:-1], labels[order][1:]

    @classmethod
    def planted(cls) -> None:
        scores = trained(cls())
        assert scores["validation/accuracy"] < majority(cls()) + 0.05, scores


class TargetsOffByOne(Diabetes):
    """The targets are rolled by one against the inputs."""

    name = "targets_off_by_one"

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        inputs, targets = super().read()
        return inputs, np.roll(targets, 1)

    @classmethod
    def planted(cls) -> None:
        assert trained(cls())["validation/r2"] < 0.05


class LabelAmongFeatures(Cancer):
    """The diagnosis stayed among the columns, and was standardised with them."""

    name = "label_among_features"
    features = 31

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        inputs, labels = super().read()
        return np.column_stack([inputs, labels]), labels

    @classmethod
    def planted(cls) -> None:
        inputs, labels = split_tensors(cls())["validation"]
        assert torch.equal(inputs[:, -1] > 0, labels > 0.5)


class TargetAmongFeatures(Diabetes):
    """A column of the same measurement in other units stayed among the features."""

    name = "target_among_features"
    features = 11

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        inputs, targets = super().read()
        return np.column_stack([inputs, 0.4536 * targets]), targets

    @classmethod
    def planted(cls) -> None:
        inputs, targets = split_tensors(cls())["validation"]
        assert float(torch.corrcoef(torch.stack([inputs[:, -1], targets]))[0, 1]) > 0.9999
