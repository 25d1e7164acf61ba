"""Faults in the numbers: those that are none, features that say nothing, and scales."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_breast_cancer

from tests.training.faults.evidence import majority, split_tensors, trained
from tests.training.faults.sound import Cancer, Diabetes, Digits, DigitsImages, Rows, Wine

# Numbers that are none ---------------------------------------------------------------------------------------


class MissingAsNaN(Cancer):
    """Thirteen patients without a value of "mean concavity": the zeros became NaN, and nothing replaced them."""

    name = "missing_as_nan"

    def normalise(self, inputs: np.ndarray, targets: np.ndarray, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        scaled, _ = super().normalise(inputs, targets, rows)
        column = list(load_breast_cancer().feature_names).index("mean concavity")
        scaled[inputs[:, column] == 0, column] = np.nan
        return scaled, targets

    @classmethod
    def planted(cls) -> None:
        assert sum(int(inputs.isnan().sum()) for inputs, _ in split_tensors(cls()).values()) == 13


class PixelsByTheirStd(Digits):
    """Every pixel is divided by its own standard deviation, also those that are white in every image."""

    name = "pixels_by_their_std"

    def normalise(self, inputs: np.ndarray, targets: np.ndarray, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        train = inputs[rows["train"]]
        with np.errstate(invalid="ignore", divide="ignore"):
            return (inputs - train.mean(axis=0)) / train.std(axis=0), targets

    @classmethod
    def planted(cls) -> None:
        assert bool(split_tensors(cls())["train"][0].isnan().any(dim=0).any())


class LogOfZero(Diabetes):
    """The target is the logarithm of what exceeds the smallest value, which is nothing for one patient."""

    name = "log_of_zero"

    def normalise(self, inputs: np.ndarray, targets: np.ndarray, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        inputs, _ = super().normalise(inputs, targets, rows)
        with np.errstate(divide="ignore"):
            return inputs, np.log(targets - targets[rows["train"]].min()).astype(np.float32)

    @classmethod
    def planted(cls) -> None:
        assert int(split_tensors(cls())["train"][1].isinf().sum()) == 1


class NaNInValidationOnly(Wine):
    """One bottle of the validation split was never weighed."""

    name = "nan_in_validation_only"

    def divide(self, inputs: np.ndarray, targets: np.ndarray) -> Rows:
        rows = super().divide(inputs, targets)
        inputs[rows["validation"][3], 7] = np.nan
        return rows

    @classmethod
    def planted(cls) -> None:
        counts = {name: int(inputs.isnan().sum()) for name, (inputs, _) in split_tensors(cls()).items()}
        assert counts == {"train": 0, "validation": 1, "test": 0}


class RatioByZero(Cancer):
    """A derived column, area by concavity, is infinite for cells without a concavity."""

    name = "ratio_by_zero"
    features = 31

    def normalise(self, inputs: np.ndarray, targets: np.ndarray, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        scaled, _ = super().normalise(inputs, targets, rows)
        with np.errstate(divide="ignore"):
            return np.column_stack([scaled, inputs[:, 3] / inputs[:, 6] / 1e4]), targets

    @classmethod
    def planted(cls) -> None:
        assert bool(split_tensors(cls())["train"][0].isinf().any())


# Features that say nothing, or too loudly --------------------------------------------------------------------


class ColumnOfOnes(Wine):
    """The intercept of an exported design matrix is still among the columns."""

    name = "column_of_ones"
    features = 14

    def normalise(self, inputs: np.ndarray, targets: np.ndarray, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        inputs, _ = super().normalise(inputs, targets, rows)
        return np.column_stack([inputs, np.ones(len(inputs))]), targets

    @classmethod
    def planted(cls) -> None:
        assert bool((split_tensors(cls())["train"][0][:, -1] == 1).all())


class FailedJoin(Cancer):
    """The ten "worst" columns come from a join whose key matches no row; the gaps were filled with zeros."""

    name = "failed_join"

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        inputs, labels = super().read()
        return np.column_stack([inputs[:, :20], np.zeros((len(inputs), 10))]), labels

    @classmethod
    def planted(cls) -> None:
        assert bool((split_tensors(cls())["train"][0][:, 20:] == 0).all())


class ConstantInTrainOnly(Diabetes):
    """A column that was imputed in train, where it had not been recorded, and measured in validation."""

    name = "constant_in_train_only"

    def normalise(self, inputs: np.ndarray, targets: np.ndarray, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        inputs, targets = super().normalise(inputs, targets, rows)
        inputs[rows["train"], 2] = 0.0
        return inputs, targets

    @classmethod
    def planted(cls) -> None:
        parts = split_tensors(cls())
        assert float(parts["train"][0][:, 2].std()) == 0 and float(parts["validation"][0][:, 2].std()) > 0.5


class CastToBytes(Digits):
    """Pixels from 0 to 16 are divided by 255 and then cast to uint8: every image is black."""

    name = "cast_to_bytes"

    def normalise(self, inputs: np.ndarray, targets: np.ndarray, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        return (inputs / 255).astype(np.uint8), targets

    @classmethod
    def planted(cls) -> None:
        assert float(split_tensors(cls())["train"][0].abs().max()) == 0


class RawMicrometres(Cancer):
    """Measurements in a unit 10,000 times as small, without a normalisation."""

    name = "raw_micrometres"

    def normalise(self, inputs: np.ndarray, targets: np.ndarray, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        return inputs * 1e4, targets

    @classmethod
    def planted(cls) -> None:
        assert float(split_tensors(cls())["train"][0].std(dim=0).max()) > 1e6


class RawUnits(Wine):
    """The columns in their own units: proline in the hundreds beside phenols in tenths."""

    name = "raw_units"

    def normalise(self, inputs: np.ndarray, targets: np.ndarray, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        return inputs, targets

    @classmethod
    def planted(cls) -> None:
        spread = split_tensors(cls())["train"][0].std(dim=0)
        assert float(spread.max() / spread.min()) > 1000


class OneColumnForgotten(Wine):
    """All columns but one are standardised: proline was added later."""

    name = "one_column_forgotten"

    def normalise(self, inputs: np.ndarray, targets: np.ndarray, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        scaled, _ = super().normalise(inputs, targets, rows)
        return np.column_stack([scaled[:, :-1], inputs[:, -1]]), targets

    @classmethod
    def planted(cls) -> None:
        spread = split_tensors(cls())["train"][0].std(dim=0)
        assert float(spread[:-1].max()) < 1.1 and float(spread[-1]) > 100


class BytesLeftRaw(DigitsImages):
    """Images of 0 to 255 go into the network as they are."""

    name = "bytes_left_raw"

    def normalise(self, inputs: np.ndarray, targets: np.ndarray, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        return inputs / 16 * 255, targets

    @classmethod
    def planted(cls) -> None:
        inputs = split_tensors(cls())["train"][0]
        assert float(inputs.max()) == 255 and float(inputs.mean()) > 50


class ValidationLeftRaw(Cancer):
    """Train is standardised; nobody did the same to the two other splits."""

    name = "validation_left_raw"

    def normalise(self, inputs: np.ndarray, targets: np.ndarray, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        scaled, _ = super().normalise(inputs, targets, rows)
        result = inputs.copy()
        result[rows["train"]] = scaled[rows["train"]]
        return result, targets

    @classmethod
    def planted(cls) -> None:
        parts = split_tensors(cls())
        assert float(parts["train"][0].std(dim=0).max()) < 1.1 and float(parts["validation"][0].mean()) > 10


class ColumnsInOtherOrder(Cancer):
    """The validation file has its columns in alphabetical order, the train file in the order of the study."""

    name = "columns_in_other_order"

    def normalise(self, inputs: np.ndarray, targets: np.ndarray, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        inputs = inputs.copy()
        inputs[rows["validation"]] = inputs[rows["validation"]][:, np.argsort(load_breast_cancer().feature_names)]
        return super().normalise(inputs, targets, rows)

    @classmethod
    def planted(cls) -> None:
        parts = split_tensors(cls())
        assert float(parts["train"][0].std(dim=0).max()) < 1.1 and float(parts["validation"][0].abs().max()) > 100
        assert trained(cls())["validation/accuracy"] < majority(cls()) + 0.05


class TargetTimesThousand(Diabetes):
    """The target is in thousandths of the unit that the learning rate was chosen for."""

    name = "target_times_thousand"

    def normalise(self, inputs: np.ndarray, targets: np.ndarray, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        inputs, targets = super().normalise(inputs, targets, rows)
        return inputs, 1000 * targets

    @classmethod
    def planted(cls) -> None:
        assert float(split_tensors(cls())["train"][1].std()) > 900 and trained(cls())["validation/r2"] < 0.1


class TargetInRawUnits(Diabetes):
    """The target, 25 to 346, is neither centred nor scaled."""

    name = "target_in_raw_units"

    def normalise(self, inputs: np.ndarray, targets: np.ndarray, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        inputs, _ = super().normalise(inputs, targets, rows)
        return inputs, targets.astype(np.float32)

    @classmethod
    def planted(cls) -> None:
        targets = split_tensors(cls())["train"][1]
        assert float(targets.square().mean()) > 4 * float(targets.var())
        assert trained(cls())["validation/r2"] < 0
