"""Optuna's pruners with its TPE, and syne-tune's ASHA, as contenders of races.

Their defaults, but for the length of a training, one epoch as the first rung, and the reduction factor of everybody, 3.

Neither resumes a trial: what is cut is gone, and what goes on goes on at once.
"""

from collections.abc import Callable
from typing import Any

from tests.benchmarks.peers.optuna import optuna_suggest
from tests.benchmarks.races import ETA, Contender, Problem, Track


def optuna_pruner(make: Callable[[Any, int], Any]) -> Contender:
    """TPESampler with the pruner that `make` makes of `optuna.pruners` and the epochs of a full training."""

    def run(problem: Problem, seed: int, track: Track) -> None:
        import warnings

        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            study = optuna.create_study(
                study_name=f"race {seed}",  # HyperbandPruner divides trials among its brackets by it
                sampler=optuna.samplers.TPESampler(seed=seed),
                pruner=make(optuna.pruners, problem.epochs),
            )
            while True:
                trial = study.ask()
                params = optuna_suggest(trial, dict(problem.space))
                for step in range(1, problem.epochs + 1):
                    loss = track.train(trial.number, params, step)
                    trial.report(loss, step)
                    if trial.should_prune():
                        study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                        break
                else:
                    study.tell(trial, loss)

    return run


hyperband = optuna_pruner(lambda pruners, epochs: pruners.HyperbandPruner(1, epochs, ETA))
successive_halving = optuna_pruner(lambda pruners, epochs: pruners.SuccessiveHalvingPruner(1, ETA))
median = optuna_pruner(lambda pruners, epochs: pruners.MedianPruner())


def syne_tune_asha(problem: Problem, seed: int, track: Track) -> None:
    """AsynchronousSuccessiveHalving with its random searcher, as it is by default."""
    from datetime import datetime

    import numpy as np
    from syne_tune.backend.trial_status import Trial
    from syne_tune.config_space import choice, finrange, randint
    from syne_tune.optimizer.scheduler import SchedulerDecision
    from syne_tune.optimizer.schedulers.asha import AsynchronousSuccessiveHalving

    space: dict[str, Any] = {}
    for name, form in problem.space.items():
        if form["type"] == "categorical":
            space[name] = choice(form["choices"])
        elif form["type"] == "int" and form["step"] == 1:
            space[name] = randint(form["low"], form["high"])
        else:
            space[name] = finrange(form["low"], form["high"], len(problem.nodes[name]))
    np.random.seed(seed)  # it draws brackets from the global generator
    scheduler = AsynchronousSuccessiveHalving(
        space,
        metric="loss",
        time_attr="epoch",
        max_t=problem.epochs,
        grace_period=1,
        reduction_factor=ETA,
        random_seed=seed,
    )
    number = 0
    while True:
        suggestion = scheduler.suggest()
        trial = Trial(number, suggestion.config, datetime.now())
        scheduler.on_trial_add(trial)
        for step in range(1, problem.epochs + 1):
            result = {"loss": track.train(number, suggestion.config, step), "epoch": step}
            if step == problem.epochs:
                scheduler.on_trial_complete(trial, result)
            elif scheduler.on_trial_result(trial, result) == SchedulerDecision.STOP:
                scheduler.on_trial_remove(trial)
                break
        number += 1
