"""Real learning curves of scikit-learn models on the data sets that it bundles, for `bench advice`.

`python -m tests.benchmarks.staged_curves` trains the tables anew, in less than ten minutes on one core; they are
committed under staged/. As in `learning_curves`: a grid of configurations, three seeds each, the loss on one held-out
third after every epoch (of boosting: after every tree), and a space that is exactly the grid. A loss that is not finite
stays away from there on.
"""

import itertools
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.learning_curves import SEEDS, Nodes
from tests.benchmarks.real import data_of

STAGED = Path(__file__).with_name("staged")
MOST = 10.0  # a loss above it is written as this, so that one that explodes does not hide the others' differences
Array = NDArray[np.float64]
Curve = Callable[[Mapping[str, Any], int, int, Any], Iterator[Array]]  # params, seed, epochs, data -> predictions


@dataclass(frozen=True)
class Recipe:
    """The data, the values of the grid, how many epochs, and what is predicted for the held-out third after each."""

    data: str
    nodes: Nodes
    epochs: int
    curve: Curve


def _boosting(params: Mapping[str, Any], seed: int, epochs: int, data: Any) -> Iterator[Array]:
    from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor

    x, y, held_out = data
    kind = GradientBoostingRegressor if y.dtype == np.float64 else GradientBoostingClassifier
    model = kind(
        n_estimators=epochs,
        learning_rate=10.0 ** params["log10_lr"],
        max_depth=params["depth"],
        subsample=params["subsample"],
        max_features=params["features"],
        random_state=seed,
    ).fit(x, y)
    staged = model.staged_predict if y.dtype == np.float64 else model.staged_predict_proba
    return iter(staged(held_out))


def _epochs(model: Any, seed: int, epochs: int, data: Any) -> Iterator[Array]:
    """A model that learns by partial_fit: an epoch in an order of its own each."""
    x, y, held_out = data
    rng = np.random.default_rng(seed)
    regression = y.dtype == np.float64
    for _epoch in range(epochs):
        order = rng.permutation(len(x))
        known = {} if regression else {"classes": np.unique(y)}
        model.partial_fit(x[order], y[order], **known)
        yield model.predict(held_out) if regression else model.predict_proba(held_out)


def _linear(params: Mapping[str, Any], seed: int, epochs: int, data: Any) -> Iterator[Array]:
    from sklearn.linear_model import SGDClassifier

    model = SGDClassifier(
        loss="log_loss",
        penalty="elasticnet",
        alpha=10.0 ** params["log10_alpha"],
        l1_ratio=params["l1_ratio"],
        learning_rate="constant",
        eta0=10.0 ** params["log10_lr"],
        random_state=seed,
    )
    return _epochs(model, seed, epochs, data)


def _mlp(params: Mapping[str, Any], seed: int, epochs: int, data: Any) -> Iterator[Array]:
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    kind = MLPRegressor if data[1].dtype == np.float64 else MLPClassifier
    model = kind(
        hidden_layer_sizes=(2 ** params["log2_units"],) * params["layers"],
        alpha=10.0 ** params["log10_alpha"],
        learning_rate_init=10.0 ** params["log10_lr"],
        solver=params.get("solver", "adam"),
        batch_size=32,
        random_state=seed,
    )
    return _epochs(model, seed, epochs, data)


BOOSTING: Nodes = {
    "log10_lr": (-2.0, -1.5, -1.0, -0.5, 0.0),
    "depth": (1, 2, 3, 4),
    "subsample": (0.4, 0.7, 1.0),
    "features": (0.2, 0.6, 1.0),
}
RECIPES = {
    "boosting_cancer": Recipe("cancer", BOOSTING, 81, _boosting),
    "boosting_diabetes": Recipe("diabetes", BOOSTING, 81, _boosting),
    "linear_digits": Recipe(
        "digits",
        {
            "log10_lr": (-5.0, -4.5, -4.0, -3.5, -3.0, -2.5, -2.0, -1.5, -1.0, -0.5, 0.0),
            "log10_alpha": (-6.0, -4.0, -2.0, 0.0),
            "l1_ratio": (0.0, 0.5, 1.0),
        },
        27,
        _linear,
    ),
    "mlp_cancer": Recipe(
        "cancer",
        {
            "solver": ("sgd", "adam"),
            "log10_lr": (-4.0, -3.5, -3.0, -2.5, -2.0, -1.5, -1.0),
            "log2_units": (2, 4, 6),
            "log10_alpha": (-4.0, -2.0, 0.0),
            "layers": (1, 2),
        },
        27,
        _mlp,
    ),
    "mlp_diabetes": Recipe(
        "diabetes",
        {
            "log10_lr": (-4.0, -3.5, -3.0, -2.5, -2.0, -1.5, -1.0),
            "log2_units": (2, 4, 6),
            "log10_alpha": (-4.0, -2.0, 0.0),
            "layers": (1, 2, 3),
        },
        81,
        _mlp,
    ),
}


def train(name: str, params: Mapping[str, Any], seed: int) -> list[float]:
    """The loss on the held-out third after each epoch: cross-entropy, of regressions the mean square."""
    recipe = RECIPES[name]
    inputs, targets = data_of(recipe.data)
    order = np.random.default_rng(0).permutation(len(inputs))
    held_out, rest = order[: len(order) // 3], order[len(order) // 3 :]
    truth = targets[held_out]
    curve: list[float] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of overflows in models that diverge
        try:
            for predicted in recipe.curve(params, seed, recipe.epochs, (inputs[rest], targets[rest], inputs[held_out])):
                if predicted.ndim == 1:
                    loss = float(np.mean((predicted - truth) ** 2))
                else:
                    loss = float(-np.log(np.maximum(predicted[np.arange(len(truth)), truth], 1e-12)).mean())
                if not np.isfinite(loss):
                    break
                curve.append(min(loss, MOST))
        except ValueError as error:
            if "finite" not in str(error) and "NaN" not in str(error):  # how scikit-learn says that a model diverged
                raise
    return curve + [float("nan")] * (recipe.epochs - len(curve))


def configurations(name: str) -> list[dict[str, Any]]:
    """The grid's configurations in the order of the table's rows."""
    nodes = RECIPES[name].nodes
    return [dict(zip(nodes, values, strict=True)) for values in itertools.product(*nodes.values())]


def make(name: str) -> None:
    """Train a table's every configuration and write it."""
    began = time.monotonic()
    rows = [
        [train(name, params, 1000 * seed + index) for seed in range(SEEDS)]
        for index, params in enumerate(configurations(name))
    ]
    STAGED.mkdir(exist_ok=True)
    losses = np.array([[[float(f"{loss:.4g}") for loss in curve] for curve in row] for row in rows], dtype=np.float32)
    np.savez_compressed(STAGED / f"{name}.npz", losses=losses)
    print(f"{name}: {len(rows)} configurations, {time.monotonic() - began:.0f} s", flush=True)


@cache
def table(name: str) -> Array:
    """The losses (configurations, seeds, epochs)."""
    with np.load(STAGED / f"{name}.npz") as stored:
        losses: Array = stored["losses"].astype(np.float64)
    return losses


if __name__ == "__main__":
    for wanted in sys.argv[1:] or list(RECIPES):
        make(wanted)
