"""Optuna's samplers as contenders: their defaults, and TPE also as its documentation advises for conditional spaces."""

from collections.abc import Callable
from typing import Any

from tests.benchmarks.spaces import Run, Tell, active


def optuna_suggest(trial: Any, space: dict[str, Any]) -> dict[str, Any]:
    """The configuration that an Optuna trial suggests for a space in hpweb's form, conditions included."""
    params: dict[str, Any] = {}
    for name, form in space.items():
        if not active(form.get("when", {}), params):
            continue
        if form["type"] == "categorical":
            params[name] = trial.suggest_categorical(name, form["choices"])
        elif form["type"] == "int":
            step, log = form.get("step", 1), form.get("log", False)
            params[name] = trial.suggest_int(name, form["low"], form["high"], step=step, log=log)
        else:
            step, log = form.get("step"), form.get("log", False)
            params[name] = trial.suggest_float(name, form["low"], form["high"], step=step, log=log)
    return params


def optuna(make_sampler: Callable[[Any, int], Any]) -> Run:
    """The sampler that `make_sampler` makes of `optuna.samplers` and a seed."""

    def run(space: dict[str, Any], tell: Tell, n: int, seed: int) -> None:
        import warnings

        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            study = optuna.create_study(sampler=make_sampler(optuna.samplers, seed))
            study.optimize(lambda trial: tell(optuna_suggest(trial, space)), n_trials=n)

    return run


tpe = optuna(lambda samplers, seed: samplers.TPESampler(seed=seed))
tpe_group = optuna(lambda samplers, seed: samplers.TPESampler(seed=seed, multivariate=True, group=True))
gp = optuna(lambda samplers, seed: samplers.GPSampler(seed=seed))
