"""Who takes part in a search: hpweb's samplers through the Optimizer, and the peers.

A contender minimises one problem: it gets the space, a function to call, a number of trials and a seed, and calls the
function that often with configurations. It sees the noisy values; what counts is kept by the caller.
"""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from tests.benchmarks.peers import optuna
from tests.benchmarks.peers.hebo import hebo
from tests.benchmarks.peers.hyperopt import hyperopt_tpe
from tests.benchmarks.peers.optuna import optuna_suggest
from tests.benchmarks.peers.smac import smac
from tests.benchmarks.spaces import Run, Tell, active

__all__ = ["OURS", "PEERS", "Peer", "Run", "Tell", "active", "hpweb", "installed", "optuna_suggest"]


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


OURS: dict[str, Run] = {
    "random": hpweb("random"),
    "qmc": hpweb("qmc"),
    "tpe": hpweb("tpe"),
    "gp": hpweb("gp"),
    "auto": hpweb("auto"),
    "auto, 8 pending": hpweb("auto", pending=8),
}


@dataclass(frozen=True)
class Peer:
    """Another project's sampler. A slow one plays fewer searches: see `searches.tasks_for`."""

    package: str
    run: Run
    slow: bool = False


PEERS: dict[str, Peer] = {  # in the order in which their values are computed: cheap ones first
    "optuna TPE": Peer("optuna", optuna.tpe),
    "optuna TPE, group": Peer("optuna", optuna.tpe_group),
    "hyperopt TPE": Peer("hyperopt", hyperopt_tpe),
    "optuna GP": Peer("optuna", optuna.gp),
    "SMAC, forest": Peer("smac", smac("HyperparameterOptimizationFacade"), slow=True),
    "SMAC, GP": Peer("smac", smac("BlackBoxFacade"), slow=True),
    "HEBO": Peer("hebo", hebo, slow=True),
}


def installed(package: str) -> bool:
    return find_spec(package) is not None
