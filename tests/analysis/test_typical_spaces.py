"""What the lint says of spaces as people write them: every finding is listed, so that a new false alarm is seen."""

import pytest

from tests.analysis.test_lint import listed, real, whole
from tuning.analysis import lint_space
from tuning.training.workloads.breast_cancer_mlp import BreastCancerMLP
from tuning.training.workloads.diabetes_mlp import DiabetesMLP
from tuning.training.workloads.digits_cnn import DigitsCNN
from tuning.training.workloads.digits_mlp import DigitsMLP
from tuning.training.workloads.digits_transformer import DigitsTransformer

SHIPPED = {
    BreastCancerMLP: ["batch_size BATCH-2 info"],
    DiabetesMLP: ["batch_size BATCH-2 info"],
    DigitsCNN: ["momentum MIRROR info", "batch_size BATCH-2 info"],
    DigitsMLP: ["batch_size BATCH-2 info"],
    DigitsTransformer: ["batch_size BATCH-2 info"],
}


def said(space, *args, **plan):
    return [f"{f.parameter or 'space'} {f.rule} {f.severity}" for f in lint_space(space, *args, **plan)]


@pytest.mark.parametrize("workload", SHIPPED)
def test_the_shipped_workloads_raise_no_error_and_only_what_is_listed(workload):
    assert said(workload.space) == SHIPPED[workload]
    assert said(workload.space, 10 * len(workload.space)) == SHIPPED[workload]
    assert said(workload.space, 30, scheduler="hyperband") == [*SHIPPED[workload], "space DIM-BUDGET warning"]


FINE = {
    "a transformer, fine-tuned": {
        "learning_rate": real(1e-6, 1e-4, log=True), "weight_decay": real(1e-4, 0.3, log=True),
        "warmup_ratio": real(0.0, 0.2), "per_device_train_batch_size": listed(8, 16, 32), "lr_scheduler_type":
        listed("linear", "cosine"), "label_smoothing": real(0.0, 0.2), "num_train_epochs": whole(1, 5),
    },
    "two optimisers, each with its own": {
        "optimizer": listed("adam", "sgd"),
        "adam_lr": real(1e-5, 1e-2, log=True, when={"optimizer": ["adam"]}),
        "sgd_lr": real(1e-4, 1.0, log=True, when={"optimizer": ["sgd"]}),
        "sgd_momentum": real(0.0, 0.9, when={"optimizer": ["sgd"]}), "nesterov": listed(True, False),
    },
    "a perceptron in Optuna's manner": {
        "n_layers": whole(1, 3), "n_units_l0": whole(4, 128, log=True), "n_units_l1": whole(4, 128, log=True),
        "dropout_l0": real(0.2, 0.5), "dropout_l1": real(0.2, 0.5), "optimizer": listed("Adam", "RMSprop", "SGD"),
        "lr": real(1e-5, 0.1, log=True),
    },
    "boosted trees": {
        "booster": listed("gbtree", "dart"), "lambda": real(1e-8, 1.0, log=True) | {"low": 1e-6},
        "subsample": real(0.2, 1.0), "colsample_bytree": real(0.2, 1.0), "max_depth": whole(3, 9, step=2),
        "min_child_weight": whole(2, 10), "eta": real(1e-4, 1.0, log=True), "gamma": real(1e-6, 1.0, log=True),
    },
    "a support vector machine": {"C": real(1e-3, 1e3, log=True), "gamma": real(1e-4, 1.0, log=True)},
    "reinforcement learning": {
        "lr": real(1e-5, 1e-3, log=True), "clip_epsilon": real(0.1, 0.3), "gae_lambda": real(0.9, 1.0),
        "n_steps": listed(512, 1024), "ent_coef": real(1e-6, 0.1, log=True), "epsilon_greedy": real(0.0, 0.2),
    },
    "an elastic net": {"alpha": real(1e-4, 10.0, log=True), "l1_ratio": real(0.0, 1.0)},
    "vision": {
        "lr0": real(1e-4, 0.1, log=True), "lrf": real(0.01, 0.5), "mixup": real(0.0, 1.0), "drop_path": real(0.0, 0.4),
        "image_size": whole(160, 320, step=32), "batch_size": whole(32, 256, step=32), "lr_decay": real(0.1, 0.9),
        "ema_decay": real(0.5, 0.9), "label_smoothing": real(0.0, 0.2), "randaugment": whole(1, 15),
    },
}  # fmt: skip
POOR = {
    "a first sweep": (
        {"learning_rate": real(0.0, 0.1), "batch_size": whole(32, 256), "dropout": listed(0.3, 0.4, 0.5),
         "fc_layer_size": listed(128, 256, 512), "epochs": listed(1), "optimizer": listed("adam", "sgd")},
        ["learning_rate LOG-LR error", "batch_size BATCH-2 info", "dropout ORDERED-CAT info",
         "fc_layer_size ORDERED-CAT info", "epochs DUP-CAT warning"],
    ),
    "dropout from 0 to 1": ({"dropout": real(0.0, 1.0)}, ["dropout DROPOUT error"]),
    "the boosted trees of a tutorial": (
        {"lambda": real(1e-8, 1.0, log=True), "n_estimators": whole(10, 1000), "reg_alpha": real(0.0, 1.0)},
        ["lambda TOO-WIDE warning", "n_estimators WIDE-LIN warning", "reg_alpha LOG-LR error"],
    ),
    "reinforcement learning, discounts": (
        {"gamma": real(0.9, 0.9999), "seed": whole(0, 10)}, ["gamma MIRROR info", "seed SEED error"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FINE)
def test_a_space_as_it_should_be_is_left_in_peace(case):
    assert said(FINE[case], 200) == []


@pytest.mark.parametrize("case", POOR)
def test_a_space_with_common_mistakes_gets_them_told(case):
    space, expected = POOR[case]
    assert said(space, 200) == expected
