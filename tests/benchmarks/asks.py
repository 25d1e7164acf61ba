"""`manage.py bench asks`: CPU seconds of one ask on one thread, 10 mixed dimensions, beside Optuna in the same run."""

import gc
import math
import resource
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from tests.benchmarks.contenders import installed, optuna_suggest
from tests.benchmarks.report import Mark, Report, run_facts

SPACE: dict[str, Any] = {
    "lr": {"type": "float", "low": 1e-5, "high": 1.0, "log": True},
    "weight_decay": {"type": "float", "low": 1e-6, "high": 0.1, "log": True},
    "dropout": {"type": "float", "low": 0.0, "high": 0.7},
    "momentum": {"type": "float", "low": 0.0, "high": 0.99},
    "label_smoothing": {"type": "float", "low": 0.0, "high": 0.3},
    "layers": {"type": "int", "low": 1, "high": 8},
    "units": {"type": "int", "low": 16, "high": 1024, "log": True},
    "batch": {"type": "int", "low": 16, "high": 512, "log": True},
    "activation": {"type": "categorical", "choices": ["relu", "tanh", "gelu"]},
    "optimizer": {"type": "categorical", "choices": ["sgd", "adamw", "rmsprop"]},
}
ASKS = 5


def loss_of(params: dict[str, Any]) -> float:
    return (
        (math.log10(params["lr"]) + 3) ** 2
        + params["dropout"] ** 2
        + 0.1 * params["layers"]
        + hash_noise(params["units"])
    )


def hash_noise(units: int) -> float:
    return (units * 2654435761 % 1000) / 5000


def seconds_of(ask: Callable[[], Any]) -> float:
    """Median CPU seconds of ASKS calls, after one that warms caches."""
    ask()
    times = []
    for _ in range(ASKS):
        began = time.process_time()
        ask()
        times.append(time.process_time() - began)
    return median(times)


def ours(sampler: str, n: int) -> float:
    """One ask of hpweb's sampler with n finished trials; the trial is told, so each ask meets a new history."""
    from tuning.engine import Optimizer, SearchSpace

    optimizer = Optimizer(SPACE, sampler=sampler, seed=0)
    space = SearchSpace.from_json(SPACE)
    rng = np.random.default_rng(0)
    for _ in range(n):
        params = space.from_unit(rng.random(len(space)))
        optimizer.add(params, loss_of(params))

    def ask() -> None:
        trial = optimizer.ask()
        optimizer.tell(trial.number, loss_of(trial.params))

    return seconds_of(ask)


def optunas(sampler: str, n: int) -> float:
    """The same for Optuna, in memory."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=getattr(optuna.samplers, sampler)(seed=0))
    random = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(n):
        trial = random.ask()
        params = optuna_suggest(trial, SPACE)
        study.add_trial(
            optuna.trial.create_trial(params=params, distributions=trial.distributions, value=loss_of(params))
        )

    def ask() -> None:
        trial = study.ask()
        study.tell(trial, loss_of(optuna_suggest(trial, SPACE)))

    return seconds_of(ask)


def growth(sampler: str, n: int, asks: int) -> float:
    """How much the process grew, in MB, over `asks` asks that are not told (after ten that warm it up)."""
    from tuning.engine import Optimizer, SearchSpace

    optimizer = Optimizer(SPACE, sampler=sampler, seed=0)
    space = SearchSpace.from_json(SPACE)
    rng = np.random.default_rng(0)
    for _ in range(n):
        params = space.from_unit(rng.random(len(space)))
        optimizer.add(params, loss_of(params))
    for step in range(asks + 10):
        if step == 10:
            gc.collect()
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        trial = optimizer.ask()
        optimizer.tell(trial.number, state="failed", reason="cancelled")
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def run(*, quick: bool = False) -> Report:
    """Time the asks; ratios against Optuna in this run."""
    import torch

    torch.set_num_threads(1)  # Optuna's Gaussian process computes with it
    with threadpool_limits(1):
        return _timed(quick)


def _timed(quick: bool) -> Report:
    have_optuna = installed("optuna")
    rows, marks = [], []
    limits = {"tpe": ("TPESampler", 1 / 3), "gp": ("GPSampler", 1 / 10)}
    sizes = {"tpe": (100, 1000) if quick else (100, 1000, 10_000), "gp": (100,) if quick else (100, 500, 10_000)}
    for sampler, (peer, limit) in limits.items():
        for n in sizes[sampler]:
            row: dict[str, Any] = {"sampler": sampler, "finished trials": n, "seconds": ours(sampler, n)}
            feasible = have_optuna and not (sampler == "gp" and n > 1000)  # it runs out of memory there
            if feasible:
                row |= {"peer": f"optuna {peer}", "peer's seconds": optunas(peer, n)}
                row["ratio"] = row["seconds"] / row["peer's seconds"]
                marks.append(
                    Mark(
                        f"{sampler} at {n:,} against {peer}",
                        row["ratio"],
                        f"at most {limit:.3g}",
                        row["ratio"] <= limit,
                    )
                )
            elif sampler == "gp":
                marks.append(Mark(f"gp at {n:,}, CPU seconds", row["seconds"], "under 1", row["seconds"] < 1))
            rows.append(row)
        grown = growth(sampler, 200, 20 if quick else 100)
        marks.append(Mark(f"{sampler}: MB that asks leave behind", grown, "under 20", grown < 20))
    notes = [] if have_optuna else ["left out, not installed: optuna"]
    return Report("asks", rows, marks, notes, run_facts(["optuna", "numpy", "scipy"], threads=1))
