"""Real tuning problems: scikit-learn models on the data sets that it bundles, tabulated once so that a run is quick.

Each problem's parameters are laid on a grid, equally spaced in the unit coordinate that hpweb's space gives them (so
evenly in the exponent for log scales); every node is the mean over three folds of the loss on the held-out fold,
trained for real. Between nodes the table is interpolated linearly in each numeric coordinate; choices are exact. The
least value of the table is therefore the least value of the problem. `python -m tests.benchmarks.real` trains the
tables anew, which takes about half an hour on one core; they are committed under tables/.
"""

import itertools
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.synthetic import Problem
from tuning.engine import SearchSpace

TABLES = Path(__file__).with_name("tables")


def number(low: float, high: float) -> dict[str, Any]:
    return {"type": "float", "low": low, "high": high}


def log(low: float, high: float) -> dict[str, Any]:
    return {"type": "float", "low": low, "high": high, "log": True}


def whole(low: int, high: int, *, log: bool = False) -> dict[str, Any]:
    return {"type": "int", "low": low, "high": high, **({"log": True} if log else {})}


def choice(*choices: Any) -> dict[str, Any]:
    return {"type": "categorical", "choices": list(choices)}


@dataclass(frozen=True)
class Recipe:
    """How a table is made: the data, the model of a configuration, and how many grid lines each parameter gets."""

    data: str
    space: dict[str, Any]
    lines: tuple[int, ...]
    model: Callable[[Mapping[str, Any]], Any]


def _svc(params: Mapping[str, Any]) -> Any:
    from sklearn.svm import SVC

    return SVC(C=params["C"], gamma=params["gamma"])


def _svr(params: Mapping[str, Any]) -> Any:
    from sklearn.svm import SVR

    return SVR(C=params["C"], gamma=params["gamma"], epsilon=params["epsilon"])


def _mlp(regression: bool) -> Callable[[Mapping[str, Any]], Any]:
    def model(params: Mapping[str, Any]) -> Any:
        from sklearn.neural_network import MLPClassifier, MLPRegressor

        kind = MLPRegressor if regression else MLPClassifier
        return kind(
            hidden_layer_sizes=(params["units"],),
            alpha=params["alpha"],
            learning_rate_init=params["lr"],
            batch_size=params["batch"],
            max_iter=25,
            random_state=0,
        )

    return model


def _forest(regression: bool) -> Callable[[Mapping[str, Any]], Any]:
    def model(params: Mapping[str, Any]) -> Any:
        from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

        kind = RandomForestRegressor if regression else RandomForestClassifier
        return kind(
            n_estimators=15,
            max_depth=params["depth"],
            max_features=params["features"],
            min_samples_split=params["split"],
            min_samples_leaf=params["leaf"],
            random_state=0,
        )

    return model


def _tree(params: Mapping[str, Any]) -> Any:
    from sklearn.tree import DecisionTreeClassifier

    return DecisionTreeClassifier(
        max_depth=params["depth"],
        min_samples_split=params["split"],
        min_samples_leaf=params["leaf"],
        criterion=params["criterion"],
        random_state=0,
    )


def _knn(params: Mapping[str, Any]) -> Any:
    from sklearn.neighbors import KNeighborsClassifier

    return KNeighborsClassifier(n_neighbors=params["k"], weights=params["weights"], p=params["p"])


def _logistic(params: Mapping[str, Any]) -> Any:
    from sklearn.linear_model import SGDClassifier

    return SGDClassifier(
        loss="log_loss",
        penalty="elasticnet",
        alpha=params["alpha"],
        l1_ratio=params["l1_ratio"],
        learning_rate="constant",
        eta0=params["lr"],
        max_iter=15,
        tol=None,
        random_state=0,
    )


def _boosting(regression: bool) -> Callable[[Mapping[str, Any]], Any]:
    def model(params: Mapping[str, Any]) -> Any:
        from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor

        kind = GradientBoostingRegressor if regression else GradientBoostingClassifier
        return kind(
            learning_rate=params["lr"],
            max_depth=params["depth"],
            subsample=params["subsample"],
            n_estimators=params["trees"],
            random_state=0,
        )

    return model


def _elastic(params: Mapping[str, Any]) -> Any:
    from sklearn.linear_model import ElasticNet

    return ElasticNet(alpha=params["alpha"], l1_ratio=params["l1_ratio"], max_iter=2000)


SVM = {"C": log(1e-2, 1e4), "gamma": log(1e-6, 1.0)}
MLP = {"units": whole(4, 128, log=True), "alpha": log(1e-6, 10), "lr": log(1e-4, 0.3), "batch": whole(8, 128, log=True)}
FOREST = {
    "depth": whole(1, 20),
    "features": number(0.05, 1.0),
    "split": number(0.001, 0.5),
    "leaf": number(0.001, 0.3),
}
BOOSTING = {"lr": log(1e-3, 1.0), "depth": whole(1, 6), "subsample": number(0.3, 1.0), "trees": whole(5, 80, log=True)}
TREE = {
    "depth": whole(1, 20),
    "split": number(0.001, 0.3),
    "leaf": number(0.001, 0.2),
    "criterion": choice("gini", "entropy"),
}
RECIPES: dict[str, Recipe] = {
    "svc_digits": Recipe("digits", SVM, (25, 25), _svc),
    "svc_cancer": Recipe("cancer", SVM, (25, 25), _svc),
    "svc_wine": Recipe("wine", SVM, (25, 25), _svc),
    "svr_diabetes": Recipe("diabetes", {**SVM, "epsilon": log(1e-3, 10)}, (12, 12, 8), _svr),
    "mlp_cancer": Recipe("cancer", MLP, (5, 6, 8, 5), _mlp(False)),
    "mlp_wine": Recipe("wine", MLP, (5, 6, 8, 5), _mlp(False)),
    "mlp_diabetes": Recipe("diabetes", MLP, (5, 6, 8, 5), _mlp(True)),
    "forest_cancer": Recipe("cancer", FOREST, (6, 6, 6, 6), _forest(False)),
    "forest_diabetes": Recipe("diabetes", FOREST, (6, 6, 6, 6), _forest(True)),
    "boosting_diabetes": Recipe("diabetes", BOOSTING, (9, 6, 5, 6), _boosting(True)),
    "boosting_cancer": Recipe("cancer", BOOSTING, (7, 4, 4, 5), _boosting(False)),
    "tree_digits": Recipe("digits", TREE, (10, 8, 8, 2), _tree),
    "knn_digits": Recipe(
        "digits", {"k": whole(1, 40), "weights": choice("uniform", "distance"), "p": number(1, 5)}, (20, 2, 6), _knn
    ),
    "logistic_digits": Recipe(
        "digits", {"alpha": log(1e-7, 1), "l1_ratio": number(0, 1), "lr": log(1e-5, 1)}, (10, 6, 12), _logistic
    ),
    "elastic_diabetes": Recipe("diabetes", {"alpha": log(1e-4, 10), "l1_ratio": number(0.01, 1)}, (30, 20), _elastic),
}


@cache
def data_of(name: str) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Standardised inputs and targets; of the digits every third example."""
    from sklearn import datasets
    from sklearn.preprocessing import StandardScaler

    load = {
        "digits": datasets.load_digits,
        "cancer": datasets.load_breast_cancer,
        "wine": datasets.load_wine,
        "diabetes": datasets.load_diabetes,
    }[name]
    inputs, targets = load(return_X_y=True)
    if name == "digits":
        inputs, targets = inputs[::3], targets[::3]
    if name == "diabetes":
        targets = (targets - targets.mean()) / targets.std()
    return StandardScaler().fit_transform(inputs), targets


def coordinates(form: dict[str, Any], lines: int) -> NDArray[np.float64]:
    """The unit coordinates of a parameter's grid lines; of choices the middles of their bins."""
    if form["type"] == "categorical":
        return (np.arange(lines) + 0.5) / lines
    return np.linspace(0, 1, lines)


def train_table(name: str) -> NDArray[np.float64]:
    """Train every node of a problem; the mean loss over three folds, clipped at the loss of guessing times two."""
    from sklearn.model_selection import KFold, StratifiedKFold

    recipe = RECIPES[name]
    inputs, targets = data_of(recipe.data)
    regression = recipe.data == "diabetes"
    folds = list((KFold if regression else StratifiedKFold)(3, shuffle=True, random_state=0).split(inputs, targets))
    space = SearchSpace.from_json(recipe.space)
    axes = [coordinates(form, lines) for form, lines in zip(recipe.space.values(), recipe.lines, strict=True)]
    table = np.empty(recipe.lines)
    for node in itertools.product(*(range(lines) for lines in recipe.lines)):
        params = space.from_unit([axis[index] for axis, index in zip(axes, node, strict=True)])
        losses = []
        for train, test in folds:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model = recipe.model(params).fit(inputs[train], targets[train])
                predicted = model.predict(inputs[test])
            loss = np.mean((predicted - targets[test]) ** 2) if regression else np.mean(predicted != targets[test])
            losses.append(min(float(loss), 2.0) if np.isfinite(loss) else 2.0)
        table[node] = np.mean(losses)
    return table


@cache
def table_of(name: str) -> NDArray[np.float64]:
    """The committed table of a problem."""
    with np.load(TABLES / f"{name}.npz") as stored:
        return np.asarray(stored["table"], dtype=np.float64)


def problem(name: str) -> Problem:
    """A tabulated problem as the samplers meet it."""
    recipe = RECIPES[name]
    table = table_of(name)
    space = SearchSpace.from_json(recipe.space)

    def value(params: Mapping[str, Any]) -> float:
        return interpolate(table, list(recipe.space.values()), space.to_unit(params))

    return Problem(name, recipe.space, value, float(table.min()), kind="real")


def interpolate(table: NDArray[np.float64], forms: list[dict[str, Any]], unit: NDArray[np.float64]) -> float:
    """Multilinear in the numeric coordinates, exact in the choices."""
    for form, coordinate in zip(forms, unit, strict=True):
        lines = table.shape[0]
        if form["type"] == "categorical":
            table = table[min(int(coordinate * lines), lines - 1)]
            continue
        place = float(coordinate) * (lines - 1)
        left = min(int(place), lines - 2)
        table = table[left] + (place - left) * (table[left + 1] - table[left])
    return float(table)


def main(names: list[str]) -> None:
    TABLES.mkdir(exist_ok=True)
    for name in names or RECIPES:
        began = time.monotonic()
        table = train_table(name)
        np.savez_compressed(TABLES / f"{name}.npz", table=table.astype(np.float32))
        print(
            f"{name}: {table.size} nodes, best {table.min():.4f}, median {np.median(table):.4f}, "
            f"{time.monotonic() - began:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
