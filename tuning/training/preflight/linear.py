"""A linear model by scikit-learn on flattened, standardised inputs: what a network should at least do better than."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from tuning.training.preflight.sample import Part
from tuning.training.preflight.task import Task

MOST_WORK = 50_000_000  # examples x features x classes
FEWEST = 100  # examples
MOST_TARGETS = 16  # of an example
ITERATIONS = 200


def linear_predictions(task: Task, train: Part, validation: Part) -> NDArray[np.float64] | str:
    """What a linear model predicts for the validation part: class numbers or target values; or why there is none."""
    inputs = train.inputs
    if inputs is None or train.targets is None or validation.inputs is None:
        return "the examples are no tensors"
    if not inputs.is_floating_point():
        return "the inputs are whole numbers that stand for something"
    if task.kind == "unknown" or (task.classifies and train.targets.ndim != 1 and not task.soft):
        return "an example has more than one label"
    if task.kind == "regression" and train.targets.numel() > MOST_TARGETS * len(inputs):
        return "an example has many targets"
    features, classes = inputs[0].numel(), max(1, task.classes)
    rows = min(len(inputs), MOST_WORK // (features * classes))
    if rows < min(FEWEST, len(inputs)):
        return f"{features:,} features are too many for it"
    x = np.nan_to_num(inputs[:rows].reshape(rows, -1).double().numpy())
    y = _answers(task, train.targets[:rows])
    if task.classifies and len(np.unique(y)) < 2:
        return "there is only one class"
    fit = _classifier if task.classifies else _regressor
    held = np.nan_to_num(validation.inputs.reshape(len(validation.inputs), -1).double().numpy())
    return fit(x, y)(held)


def _answers(task: Task, targets: Tensor) -> NDArray[np.float64]:
    values = task.labels(targets) if task.classifies else targets.reshape(len(targets), -1).squeeze(1)
    return np.asarray(values.double().numpy())


Predict = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def _classifier(x: NDArray[np.float64], y: NDArray[np.float64]) -> Predict:
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=ITERATIONS))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fit that has not quite converged is a baseline too
        model.fit(x, y)
    return lambda inputs: np.asarray(model.predict(inputs), dtype=float)


def _regressor(x: NDArray[np.float64], y: NDArray[np.float64]) -> Predict:
    model = make_pipeline(StandardScaler(), Ridge(alpha=1.0)).fit(x, y)
    return lambda inputs: np.asarray(model.predict(inputs), dtype=float)
