"""Thirty trainings with settings that a careful person would choose: nothing was done to data, network or training.

Regularised where the data are few, ended about when learning ends.
"""

from tests.analysis.curve_gallery.example import Example as E

REPLACED = {"overfitting": 0, "other": 0}  # settings tried first and given up

ORDINARY = [
    E("ordinary", "usual settings, short", "digits", 201, 10, ("healthy",), {"lr": 1e-3}),
    E("ordinary", "usual settings, dropout", "digits", 202, 20, ("healthy",), {"lr": 1e-3, "dropout": 0.3}),
    E("ordinary", "wide layers, dropout, small batches", "digits", 203, 12, ("healthy",),
      {"lr": 5e-4, "dropout": 0.4, "units": 128, "batch_size": 16}),
    E("ordinary", "low rate, longer", "digits", 204, 40, ("healthy",), {"lr": 3e-4, "dropout": 0.2}),
    E("ordinary", "large batches", "digits", 205, 30, ("healthy",), {"lr": 2e-3, "batch_size": 128, "dropout": 0.2}),
    E("ordinary", "SGD with momentum 0.9", "digits", 206, 25, ("healthy",), {"lr": 0.01, "units": 96}, {"sgd": 0.9}),
    E("ordinary", "SGD without momentum", "digits", 207, 40, ("healthy",), {"lr": 0.05, "layers": 1}, {"sgd": 0.0}),
    E("ordinary", "one hidden layer", "digits", 208, 25, ("healthy",), {"lr": 1e-3, "layers": 1, "units": 32}),
    E("ordinary", "a linear schedule of three steps", "digits", 209, 30, ("healthy", "plateau"),
      {"lr": 1e-3, "dropout": 0.3, "units": 64}, {"rate_from": {16: 0.3, 24: 0.1}}),
    E("ordinary", "half of the training data, dropout", "digits", 210, 30, ("healthy",),
      {"lr": 1e-3, "dropout": 0.3, "units": 48}, {"train_size": 540}),
    E("ordinary", "noise drawn at every access, dropout", "digits", 211, 25, ("healthy", "negative_gap"),
      {"lr": 1e-3, "dropout": 0.2}, {"redrawn": 0.2}),
    E("ordinary", "the running loss is reported, light dropout", "digits", 212, 20, ("healthy", "negative_gap"),
      {"lr": 1e-3, "dropout": 0.2}, {"running_loss": True}),
    E("ordinary", "usual settings", "cancer", 213, 30, ("healthy",), {"lr": 5e-4, "units": 16, "dropout": 0.2}),
    E("ordinary", "one hidden layer, low rate", "cancer", 214, 40, ("healthy",), {"lr": 3e-4, "units": 32, "layers": 1}),
    E("ordinary", "strong dropout", "cancer", 215, 30, ("healthy",), {"lr": 1e-3, "units": 32, "dropout": 0.5}),
    E("ordinary", "SGD with momentum 0.9", "cancer", 216, 40, ("healthy",), {"lr": 3e-3, "units": 16, "layers": 1}, {"sgd": 0.9}),
    E("ordinary", "small batches, short", "cancer", 217, 10, ("healthy",), {"lr": 1e-3, "units": 16, "batch_size": 16}),
    E("ordinary", "large batches", "cancer", 218, 50, ("healthy",), {"lr": 1e-3, "units": 24, "batch_size": 128, "dropout": 0.3}),
    E("ordinary", "the running loss is reported, dropout", "cancer", 219, 30, ("healthy", "negative_gap"),
      {"lr": 1e-3, "units": 32, "dropout": 0.4}, {"running_loss": True}),
    E("ordinary", "small network", "diabetes", 220, 40, ("healthy",), {"lr": 5e-4, "units": 8, "layers": 1}),
    E("ordinary", "dropout", "diabetes", 221, 40, ("healthy",), {"lr": 1e-3, "units": 16, "dropout": 0.4}),
    E("ordinary", "SGD with momentum 0.9", "diabetes", 222, 30, ("healthy",), {"lr": 1e-3, "units": 16, "layers": 1},
      {"sgd": 0.9}),
    E("ordinary", "large batches, low rate", "diabetes", 223, 60, ("healthy",), {"lr": 5e-4, "units": 16, "batch_size": 128, "dropout": 0.2}),
    E("ordinary", "strong decay, small batches", "diabetes", 224, 25, ("healthy",),
      {"lr": 5e-4, "units": 16, "batch_size": 16, "weight_decay": 1.0, "dropout": 0.3, "layers": 1}),
    E("ordinary", "usual settings, dropout", "cnn", 225, 12, ("healthy",), {"lr": 1e-3, "dropout": 0.3}),
    E("ordinary", "augmentation and one cycle", "cnn", 226, 16, ("healthy",),
      {"lr": 5e-3, "augment": 0.5, "schedule": "onecycle", "dropout": 0.2}),
    E("ordinary", "SGD with momentum, cosine", "cnn", 227, 15, ("healthy",),
      {"optimizer": "sgd", "lr": 0.02, "momentum": 0.9, "schedule": "cosine", "dropout": 0.3}),
    E("ordinary", "the running loss under augmentation is reported", "cnn", 228, 14, ("healthy", "negative_gap"),
      {"lr": 2e-3, "augment": 0.5, "dropout": 0.2}, {"running_loss": True}),
    E("ordinary", "usual settings", "transformer", 229, 14, ("healthy",), {"dropout": 0.2}),
    E("ordinary", "augmentation, label smoothing", "transformer", 230, 20, ("healthy",),
      {"lr": 4e-3, "augment": 0.5, "label_smoothing": 0.05, "dropout": 0.2}),
]  # fmt: skip
