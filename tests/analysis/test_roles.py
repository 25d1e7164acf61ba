import pytest

from tuning.analysis import role_of

KNOWN = {
    "learning_rate": (
        "lr", "LR", "learning_rate", "learningRate", "learn_rate", "optimizer.lr", "head_lr", "lr_head", "lr1",
        "max_lr", "base-lr", "learning_rate_init", "eta",
    ),
    "penalty": (
        "weight_decay", "weightDecay", "optim.wd", "l1", "l2", "L2", "l2_reg", "reg_alpha", "reg_lambda", "lambda_l1",
    ),
    "epsilon": ("eps", "adam_eps", "adam_epsilon"),
    "dropout": ("dropout", "dropout_rate", "attention_dropout", "dropout_l1", "dropout2", "drop_rate"),
    "near_one": ("momentum", "sgd.momentum", "beta1", "adam_beta_2", "ema_decay", "gamma", "momentum1"),
    "batch_size": ("batch_size", "batchSize", "train_batch_size", "bs", "per_device_train_batch_size", "batch"),
    "epochs": ("epochs", "n_epochs", "num_epochs", "max_steps"),
    "train_fraction": ("train_fraction", "training_fraction", "data.train_fraction"),
    "train_size": ("train_size", "n_train", "train_examples"),
    "seed": ("seed", "random_state", "data.seed"),
}  # fmt: skip
OTHERS = (
    "lr_decay", "lr_scheduler", "lr_gamma", "warmup_lr_ratio", "lr_patience", "lr_min", "color", "filters",
    "n_units_l1", "n_units_l2", "l1_ratio", "l2_norm", "hidden_l1", "clip_eps", "epsilon_greedy", "label_smoothing_eps",
    "n_dropout_layers",
    "batch_norm", "batchnorm_momentum_n", "warmup_epochs", "patience_epochs", "n_seeds", "alpha", "units", "layers",
    "l12", "train_crop_size", "image_train_size", "validation_fraction",
)  # fmt: skip


@pytest.mark.parametrize(("role", "name"), [(role, name) for role, names in KNOWN.items() for name in names])
def test_a_name_tells_its_role(role, name):
    assert role_of(name) == role


@pytest.mark.parametrize("name", OTHERS)
def test_a_name_that_only_looks_like_one_tells_none(name):
    assert role_of(name) is None


def test_an_annotation_says_it_where_the_name_does_not_and_silences_the_name():
    assert role_of("pace", "learning_rate") == "learning_rate"
    assert role_of("lr", "dropout") == "dropout"
    assert role_of("lr", "none") is None
