"""FINITE, LABELS, CONSTANT, NORMALISED, DUPLICATES: what the data look like, healthy and with one fault."""

import json

import pytest
import torch

from tests.training.preflight.examined import changed, examine, one
from tuning.training import Splits, TensorDataset
from tuning.training.splits import SealedTestError
from tuning.training.workloads.breast_cancer_mlp import BreastCancerMLP
from tuning.training.workloads.diabetes_mlp import DiabetesMLP
from tuning.training.workloads.digits_cnn import digits
from tuning.training.workloads.digits_mlp import DigitsMLP


def with_data(base, make):
    return type("Changed", (base,), {"data": lambda self: make(base.data(self))})


def broken(value, row=3):
    def put(x):
        x = x.clone()
        x[row].view(-1)[-1] = value
        return x

    return put


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nan_and_infinity_are_counted_where_they_are(value):
    found = one(with_data(BreastCancerMLP, lambda s: changed(s, inputs=broken(value))), "FINITE")
    assert found["status"] == "failed" and found["evidence"]["training inputs"] == 1
    assert "1 in the training inputs, 1 in the validation inputs" in found["says"]
    targets = one(with_data(DiabetesMLP, lambda s: changed(s, targets=broken(value, 2))), "FINITE")
    assert targets["status"] == "failed" and targets["evidence"]["training inputs"] == 0


def test_where_the_loss_is_no_number_one_check_says_so_and_the_others_do_not_repeat_it():
    found = examine(
        with_data(DiabetesMLP, lambda s: changed(s, inputs=broken(float("nan")))),
        "FINITE", "INIT-LOSS", "LOSS-FALLS", "BASELINES", "REPEATS",
    )  # fmt: skip
    assert found["FINITE"]["status"] == found["INIT-LOSS"]["status"] == "failed"
    assert found["INIT-LOSS"]["says"] == "The loss of a fresh model is NaN."
    assert found["LOSS-FALLS"]["status"] == found["BASELINES"]["status"] == "skipped"
    assert found["REPEATS"]["says"] == "Both trainings diverged: there is nothing to compare."


def test_constant_features_are_named():
    def same(x):
        return x.index_fill(1, torch.tensor([7]), 2.0)

    found = one(with_data(BreastCancerMLP, lambda s: changed(s, inputs=same)), "CONSTANT")
    assert found["status"] == "warning" and found["evidence"]["first"] == [7] and "1 of 30 features" in found["says"]
    nothing = one(with_data(BreastCancerMLP, lambda s: changed(s, inputs=torch.zeros_like)), "CONSTANT")
    assert nothing["status"] == "failed"


@pytest.mark.parametrize(
    ("scale", "says"),
    [
        (lambda x: 100 * x + 500, "neither about mean 0 and deviation 1, nor within [0, 1]"),
        (lambda x: 0.01 * x, "neither about mean 0 and deviation 1, nor within [0, 1]"),
        (lambda x: torch.cat([x[:, :1] * 1e-3, x[:, 1:]], 1), "The range of one feature differs"),
    ],
)
def test_inputs_of_another_scale_are_told(scale, says):
    found = one(with_data(BreastCancerMLP, lambda s: changed(s, inputs=scale)), "NORMALISED")
    assert found["status"] == "warning" and says in found["says"] and found["todo"]


def test_a_validation_split_that_is_scaled_otherwise_is_told():
    def make(splits):
        x, y = splits.validation.tensors
        return Splits(splits.train, TensorDataset(x * 3 + 1, y))

    found = one(with_data(BreastCancerMLP, make), "NORMALISED")
    assert found["status"] == "warning" and "The validation inputs differ" in found["says"]


def test_unit_range_is_normalised_too():
    assert one(with_data(DigitsMLP, lambda s: changed(s, inputs=torch.sigmoid)), "NORMALISED")["status"] == "passed"


def test_labels_that_the_model_cannot_name_are_told_beside_the_crash():
    from_one = with_data(DigitsMLP, lambda s: changed(s, targets=lambda y: y + 1))
    found = examine(from_one, "LABELS", "OVERFIT", "BASELINES")
    assert found["RUNS"]["status"] == "failed" and "Target 10 is out of bounds" in found["RUNS"]["says"]
    assert found["LABELS"]["status"] == "failed" and "a label 10" in found["LABELS"]["says"]
    assert found["OVERFIT"]["status"] == found["BASELINES"]["status"] == "skipped"


def by_class(splits):
    x, y = (torch.cat([d.tensors[i] for d in (splits.train, splits.validation)]) for i in range(2))
    order = y.argsort(stable=True)
    x, y = x[order], y[order]
    return Splits(TensorDataset(x[:1100], y[:1100]), TensorDataset(x[1100:], y[1100:]))


def test_a_split_of_sorted_data_has_classes_that_training_never_sees():
    found = one(with_data(DigitsMLP, by_class), "LABELS")
    assert found["status"] == "failed" and "that the training split does not have" in found["says"]


def test_a_rare_class_makes_accuracy_say_little():
    def rare(splits):
        def cut(part):
            x, y = part.tensors
            kept = (y == 1) | (torch.arange(len(y)) % 12 == 0)
            return TensorDataset(x[kept], y[kept])

        return Splits(cut(splits.train), cut(splits.validation))

    found = one(with_data(BreastCancerMLP, rare), "LABELS")
    assert found["status"] == "warning" and "unbalanced" in found["says"]


def test_a_target_far_from_zero_is_told():
    found = one(with_data(DiabetesMLP, lambda s: changed(s, targets=lambda y: 77 * y + 152)), "LABELS")
    assert found["status"] == "warning" and "mean 152 and deviation 77" in found["says"]


@pytest.mark.parametrize(("count", "status"), [(1, "warning"), (30, "failed")])
def test_duplicates_of_the_sealed_test_split_are_counted_and_nothing_else_leaves(count, status):
    def with_test(splits):
        x, y = splits.train.tensors
        more, labels = digits("test")[0].tensors
        train = TensorDataset(torch.cat([x, more[:count]]), torch.cat([y, labels[:count]]))
        return Splits(train, splits.validation)

    workload = with_data(DigitsMLP, with_test)
    found = one(workload, "DUPLICATES")
    assert found["status"] == status and f"{count} in training and test" in found["says"]
    assert set(found["evidence"]) == {"common", "repeated within a split", "examples read", "examples"}
    assert len(json.dumps(found["evidence"])) < 500
    with pytest.raises(SealedTestError):
        workload().test_data()


def test_duplicates_with_the_validation_split_are_counted():
    def both(splits):
        x, y = splits.train.tensors
        return Splits(splits.train, TensorDataset(x[:50], y[:50]))

    found = one(with_data(DigitsMLP, both), "DUPLICATES")
    assert found["status"] == "failed" and found["evidence"]["common"]["training and validation"] == 50


def test_a_validation_split_of_one_class_measures_nothing():
    def one_class(splits):
        x, y = splits.validation.tensors
        return Splits(splits.train, TensorDataset(x[y == 1], y[y == 1]))

    found = one(with_data(BreastCancerMLP, one_class), "LABELS")
    assert found["status"] == "failed" and "All validation labels are the same" in found["says"]


def holding(column, make):
    """Splits with a column made from the targets."""

    def put(splits):
        parts = []
        for dataset in (splits.train, splits.validation):
            x, y = dataset.tensors
            x = x.clone()
            x[:, column] = make(y.reshape(len(y)))
            parts.append(TensorDataset(x, y))
        return Splits(*parts)

    return put


@pytest.mark.parametrize(
    ("base", "make"),
    [
        (BreastCancerMLP, lambda y: 3 - 2 * y),
        (BreastCancerMLP, lambda y: y + 0.1 * torch.rand(len(y))),
        (DiabetesMLP, lambda y: (0.5 * y).exp()),
    ],
)
def test_a_feature_that_is_the_target_in_other_units_is_named(base, make):
    found = one(with_data(base, holding(4, make)), "TARGET-LEAK")
    assert found["status"] == "warning" and found["evidence"]["telling"] == [4]


def test_a_feature_that_helps_a_lot_is_no_leak():
    noisy = holding(4, lambda y: y + 0.3 * torch.randn(len(y), generator=torch.Generator().manual_seed(0)))
    assert one(with_data(DiabetesMLP, noisy), "TARGET-LEAK")["status"] == "passed"


def test_one_class_of_several_that_a_yes_or_no_gives_away_is_named():
    def put(splits):
        parts = []
        for dataset in (splits.train, splits.validation):
            x, y = dataset.tensors
            x = x.clone()
            x[:, 0, 0, 0] = (y == 3).float()
            parts.append(TensorDataset(x, y))
        return Splits(*parts)

    assert one(with_data(DigitsMLP, put), "TARGET-LEAK")["evidence"]["telling"] == [0]


def test_a_test_split_without_a_class_is_told_and_no_more_of_it():
    class Zeros(DigitsMLP):
        def test_data(self):
            x, y = digits("test")[0].tensors
            return TensorDataset(x[y == 0], y[y == 0])

    found = one(Zeros, "TEST-LABELS")
    assert found["status"] == "warning" and "lacks 9 of the 10 classes" in found["says"]
    assert found["evidence"] == {"classes": 10, "lacking": 9, "unseen": 0}
    with pytest.raises(SealedTestError):
        Zeros().test_data()
