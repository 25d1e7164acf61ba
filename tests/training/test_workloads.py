"""The shipped workloads on their real data."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits

from tests.training.problems import Record, run_of
from tuning.training import check_workload, opened_seal, train
from tuning.training.splits import fingerprint
from tuning.training.workloads.breast_cancer_mlp import BreastCancerMLP
from tuning.training.workloads.diabetes_mlp import DiabetesMLP
from tuning.training.workloads.digits_cnn import DigitsCNN
from tuning.training.workloads.digits_mlp import DigitsMLP
from tuning.training.workloads.digits_transformer import DigitsTransformer

ALL = [BreastCancerMLP, DiabetesMLP, DigitsCNN, DigitsMLP, DigitsTransformer]
CNN = {
    "lr": 0.01,
    "optimizer": "adamw",
    "schedule": "onecycle",
    "batch_size": 64,
    "weight_decay": 1e-3,
    "l1": 1e-6,
    "dropout": 0.2,
    "augment": 0.5,
    "filters": 32,
    "layers": 2,
}
TRANSFORMER = {
    "lr": 0.003,
    "warmup": 0.1,
    "weight_decay": 0.05,
    "batch_size": 32,
    "heads": 4,
    "head_width": 16,
    "blocks": 2,
    "dropout": 0.1,
    "label_smoothing": 0.05,
    "augment": 0.5,
}
MLP = {"lr": 0.003, "weight_decay": 0.01, "dropout": 0.2, "batch_size": 32, "layers": 2, "units": 64}


def in_the_middle(space):
    """The configuration at the middle of every range, with the first of the choices."""
    params = {}
    for name, document in space.items():
        if document["type"] == "categorical":
            params[name] = document["choices"][0]
        else:
            low, high = document["low"], document["high"]
            middle = (low * high) ** 0.5 if document.get("log") else (low + high) / 2
            params[name] = round(middle) if document["type"] == "int" else middle
    return params


@pytest.mark.parametrize("cls", ALL)
def test_the_contract_holds_and_the_splits_do_not_overlap(cls):
    check_workload(cls)
    splits = cls().data()
    with opened_seal():
        test = cls().test_data()
    found = fingerprint({"train": splits.train, "validation": splits.validation, "test": test}, bytes(16))
    total = {"breast_cancer_mlp": 569, "diabetes_mlp": 442}.get(cls.name, 1797)
    assert sum(found.sizes.values()) == total
    assert abs(found.sizes["train"] - 0.6 * total) <= 5 and abs(found.sizes["test"] - 0.2 * total) <= 5
    assert not set(found.hashes["train"]) & set(found.hashes["validation"])
    assert not set(found.hashes["train"] + found.hashes["validation"]) & set(found.hashes["test"])


@pytest.mark.parametrize("cls", ALL)
def test_inputs_are_normalised_by_the_train_split_alone(cls):
    splits = cls().data()
    train_inputs = splits.train.tensors[0].double()
    validation = splits.validation.tensors[0].double()
    axis = tuple(range(train_inputs.ndim)) if "digits" in cls.name else (0,)
    assert np.allclose(train_inputs.mean(dim=axis), 0, atol=1e-5)
    assert np.allclose(train_inputs.std(dim=axis), 1, atol=0.01)
    assert not np.allclose(validation.mean(dim=axis), 0, atol=1e-4)


def test_the_target_of_the_regression_is_standardised_by_the_train_split():
    splits = DiabetesMLP().data()
    targets = splits.train.tensors[1]
    assert abs(float(targets.mean())) < 1e-5 and abs(float(targets.std()) - 1) < 1e-5
    assert abs(float(splits.validation.tensors[1].mean())) > 1e-4


def test_classes_have_the_same_share_in_every_split():
    for cls, load, bins in ((DigitsCNN, load_digits, 10), (BreastCancerMLP, load_breast_cancer, 2)):
        shares = np.bincount(load().target, minlength=bins) / len(load().target)
        for dataset in (cls().data().train, cls().data().validation):
            labels = dataset.tensors[1].long().numpy()
            assert np.abs(np.bincount(labels, minlength=bins) / len(labels) - shares).max() < 0.01
    assert len(load_diabetes().target) == 442


@pytest.mark.parametrize("cls", ALL)
def test_the_middle_of_the_space_trains(cls, tmp_path):
    record = Record()
    train(cls(), run_of(tmp_path, params=in_the_middle(cls.space), epochs=4, max_epochs=4), record)
    assert record.steps[4]["train/loss"] < record.steps[1]["train/loss"]


@pytest.mark.parametrize("choice", [("sgd", "cosine"), ("sgd", "none"), ("adamw", "cosine")])
def test_every_optimizer_and_schedule_of_the_network_learns(choice, tmp_path):
    optimizer, schedule = choice
    params = CNN | {"optimizer": optimizer, "schedule": schedule, "filters": 8, "layers": 3}
    params |= {"lr": 0.05, "momentum": 0.9} if optimizer == "sgd" else {}
    record = Record()
    train(DigitsCNN(), run_of(tmp_path, params=params, epochs=3, max_epochs=3), record)
    assert record.steps[3]["validation/accuracy"] > 0.85


def test_a_good_configuration_of_the_network_reaches_98_percent_in_8_epochs(tmp_path):
    record = Record()
    train(DigitsCNN(), run_of(tmp_path, params=CNN, seed=0, epochs=8, max_epochs=8), record)
    assert max(step["validation/accuracy"] for step in record.steps.values()) >= 0.98


@pytest.mark.parametrize(
    ("cls", "params", "metric", "reached"),
    [
        (DigitsMLP, MLP, "validation/accuracy", 0.96),
        (BreastCancerMLP, MLP, "validation/accuracy", 0.95),
        (DiabetesMLP, MLP | {"weight_decay": 1.0}, "validation/r2", 0.3),
    ],
)
def test_good_configurations_of_the_perceptrons_learn(cls, params, metric, reached, tmp_path):
    record = Record()
    train(cls(), run_of(tmp_path, params=params, epochs=15, max_epochs=15), record)
    assert max(step[metric] for step in record.steps.values()) >= reached


@pytest.mark.parametrize("filters", [32, 64, 128])
@pytest.mark.parametrize("layers", [3, 4, 5])
def test_the_filters_double_after_each_pooling_and_three_are_all(filters, layers):
    """The founding article's grid: nine networks that differ, of which none pools an image away."""
    model = DigitsCNN().build_model(CNN | {"filters": filters, "layers": layers})
    widths = [module.out_channels for module in model if isinstance(module, torch.nn.Conv2d)]
    assert widths == [filters * factor for factor in (1, 2, 4, 8, 8)][:layers]
    assert sum(isinstance(module, torch.nn.MaxPool2d) for module in model) == 3
    assert model.eval()(torch.zeros(2, 1, 8, 8)).shape == (2, 10)


def test_a_network_of_five_layers_learns(tmp_path):
    record = Record()
    params = CNN | {"filters": 16, "layers": 5}
    train(DigitsCNN(), run_of(tmp_path, params=params, epochs=4, max_epochs=4), record)
    assert max(step["validation/accuracy"] for step in record.steps.values()) > 0.9


def test_a_good_configuration_of_the_transformer_reaches_98_percent_in_10_epochs(tmp_path):
    record = Record()
    train(DigitsTransformer(), run_of(tmp_path, params=TRANSFORMER, epochs=10, max_epochs=10), record)
    assert max(step["validation/accuracy"] for step in record.steps.values()) >= 0.98


def test_the_transformers_heads_divide_its_width_whatever_is_drawn():
    space = DigitsTransformer.space
    for heads in range(space["heads"]["low"], space["heads"]["high"] + 1):
        for head_width in range(space["head_width"]["low"], space["head_width"]["high"] + 1):
            params = TRANSFORMER | {"heads": heads, "head_width": head_width, "blocks": 1}
            assert DigitsTransformer().build_model(params).places.shape == (8, heads * head_width)


def test_the_learning_rate_warms_up_and_falls_to_nothing():
    workload, params = DigitsTransformer(), TRANSFORMER | {"warmup": 0.25, "lr": 1.0}
    optimizer = workload.build_optimizer(workload.build_model(params), params)
    schedule = workload.build_schedule(optimizer, params, 4, 10)
    rates = []
    for _ in range(40):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    assert rates[0] == pytest.approx(0.1) and rates[9] == pytest.approx(1.0) == max(rates)
    assert rates[10:] == sorted(rates[10:], reverse=True) and rates[-1] < 0.01


def test_labels_are_smoothed_in_training_and_not_where_the_loss_is_reported():
    workload = DigitsTransformer()
    model = workload.build_model(TRANSFORMER).eval()
    inputs, targets = (tensor[:50] for tensor in workload.data().validation.tensors)
    plain = workload.loss(model(inputs), targets)
    assert workload.train_step(model, inputs, targets, TRANSFORMER | {"label_smoothing": 0.0}) == plain
    assert workload.train_step(model, inputs, targets, TRANSFORMER | {"label_smoothing": 0.2}) != plain


def test_augmentation_moves_images_a_little_and_only_as_told():
    images = DigitsCNN().data().train.tensors[0][:200]
    generator = torch.Generator().manual_seed(0)
    same = DigitsCNN().augment(images, {"augment": 0.0}, generator)
    assert torch.allclose(same, images, atol=1e-5)
    distances = [
        float((DigitsCNN().augment(images, {"augment": strength}, generator) - images).abs().mean())
        for strength in (0.25, 0.5, 1.0)
    ]
    assert 0.02 < distances[0] < distances[1] < distances[2] < 0.8


def test_l1_is_a_penalty_on_weights():
    model = DigitsCNN().build_model(CNN)
    total = sum(float(p.detach().abs().sum()) for p in model.parameters() if p.ndim > 1)
    assert float(DigitsCNN().penalty(model, CNN | {"l1": 0.5})) == pytest.approx(0.5 * total, rel=1e-5)
