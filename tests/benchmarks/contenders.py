"""Who takes part in a search: hpweb's samplers through the Optimizer, and the peers that are installed.

A contender minimises one problem: it gets the space, a function to call, a number of trials and a seed, and calls the
function that often with configurations. It sees the noisy values; what counts is kept by the caller.
"""

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any

Tell = Callable[[Mapping[str, Any]], float]
Run = Callable[[dict[str, Any], Tell, int, int], None]


def hpweb(sampler: str, pending: int = 1) -> Run:
    """hpweb's sampler of this name, with `pending` trials running at any time: as one ends, the next is asked for."""

    def run(space: dict[str, Any], tell: Tell, n: int, seed: int) -> None:
        from tuning.engine import Optimizer

        optimizer = Optimizer(space, sampler=sampler, seed=seed, budget=n, parallel=pending)
        running = optimizer.ask_many(min(pending, n))
        for asked in range(len(running), n + len(running)):
            ended = running.pop(0)
            optimizer.tell(ended.number, tell(ended.params))
            if asked < n:
                running.append(optimizer.ask())

    return run


def optuna_suggest(trial: Any, space: dict[str, Any]) -> dict[str, Any]:
    """The configuration that an Optuna trial suggests for a space in hpweb's form, conditions included."""
    params: dict[str, Any] = {}
    for name, form in space.items():
        if not active(form.get("when", {}), params):
            continue
        if form["type"] == "categorical":
            params[name] = trial.suggest_categorical(name, form["choices"])
        elif form["type"] == "int":
            params[name] = trial.suggest_int(name, form["low"], form["high"], log=form.get("log", False))
        else:
            params[name] = trial.suggest_float(name, form["low"], form["high"], log=form.get("log", False))
    return params


def active(when: Mapping[str, Any], params: Mapping[str, Any]) -> bool:
    for parent, wanted in when.items():
        if parent not in params:
            return False
        if isinstance(wanted, dict):
            low, high = wanted.get("low", float("-inf")), wanted.get("high", float("inf"))
            if not low <= params[parent] <= high:
                return False
        elif params[parent] not in wanted:
            return False
    return True


def optuna(make_sampler: Callable[[Any, int], Any]) -> Run:
    def run(space: dict[str, Any], tell: Tell, n: int, seed: int) -> None:
        import warnings

        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            study = optuna.create_study(sampler=make_sampler(optuna.samplers, seed))
            study.optimize(lambda trial: tell(optuna_suggest(trial, space)), n_trials=n)

    return run


def hyperopt_tpe(space: dict[str, Any], tell: Tell, n: int, seed: int) -> None:
    """hyperopt's TPE; its own way to write conditions needs one choice node a parent, so spaces with `when` are flat
    here: inactive parameters are drawn and left out of the configuration."""
    import hyperopt
    import numpy as np

    flat = {}
    for name, form in space.items():
        if form["type"] == "categorical":
            flat[name] = hyperopt.hp.choice(name, form["choices"])
        elif form["type"] == "int" and not form.get("log"):
            flat[name] = hyperopt.hp.uniformint(name, form["low"], form["high"])
        elif form["type"] == "int":
            flat[name] = hyperopt.hp.qloguniform(name, np.log(form["low"]), np.log(form["high"]), 1)
        elif form.get("log"):
            flat[name] = hyperopt.hp.loguniform(name, np.log(form["low"]), np.log(form["high"]))
        else:
            flat[name] = hyperopt.hp.uniform(name, form["low"], form["high"])

    def objective(drawn: dict[str, Any]) -> float:
        params: dict[str, Any] = {}
        for name, form in space.items():
            if active(form.get("when", {}), params):
                value = drawn[name]
                params[name] = min(max(int(value), form["low"]), form["high"]) if form["type"] == "int" else value
        return tell(params)

    hyperopt.fmin(
        objective,
        flat,
        algo=hyperopt.tpe.suggest,
        max_evals=n,
        rstate=np.random.default_rng(seed),
        show_progressbar=False,
    )


OURS: dict[str, Run] = {
    "random": hpweb("random"),
    "qmc": hpweb("qmc"),
    "tpe": hpweb("tpe"),
    "gp": hpweb("gp"),
    "auto": hpweb("auto"),
    "auto, 8 pending": hpweb("auto", pending=8),
}
PEERS: dict[str, tuple[str, Run]] = {  # name -> (package, how it searches)
    "optuna TPE": ("optuna", optuna(lambda samplers, seed: samplers.TPESampler(seed=seed))),
    "optuna TPE, group": (
        "optuna",
        optuna(lambda samplers, seed: samplers.TPESampler(seed=seed, multivariate=True, group=True)),
    ),
    "optuna GP": ("optuna", optuna(lambda samplers, seed: samplers.GPSampler(seed=seed))),
    "hyperopt TPE": ("hyperopt", hyperopt_tpe),
}


def installed(package: str) -> bool:
    return find_spec(package) is not None
