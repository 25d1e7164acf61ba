"""Who takes part in the races of `bench fidelity`: hpweb's samplers under its schedulers, and the peers."""

from dataclasses import dataclass

from tests.benchmarks.peers import pruning
from tests.benchmarks.races import Contender, hpweb

BASELINE = "random"
OURS: dict[str, Contender] = {
    BASELINE: hpweb("random", None),
    "random, median": hpweb("random", "median"),
    "random, halving": hpweb("random", "successive_halving"),
    "random, Hyperband": hpweb("random", "hyperband"),
    "random, ASHA": hpweb("random", "asha"),
    "random, ASHA stopping": hpweb("random", "asha", type="stopping"),
    "tpe": hpweb("tpe", None),
    "tpe, median": hpweb("tpe", "median"),
    "tpe, halving": hpweb("tpe", "successive_halving"),
    "tpe, Hyperband": hpweb("tpe", "hyperband"),
    "tpe, ASHA": hpweb("tpe", "asha"),
    "tpe, ASHA stopping": hpweb("tpe", "asha", type="stopping"),
    "gp": hpweb("gp", None),
    "gp, median": hpweb("gp", "median"),
    "gp, halving": hpweb("gp", "successive_halving"),
    "gp, Hyperband": hpweb("gp", "hyperband"),
    "gp, ASHA": hpweb("gp", "asha"),
    "gp, ASHA stopping": hpweb("gp", "asha", type="stopping"),
}
# Models that start thousands of trials where they do not find, which takes minutes: of them those on Hyperband race on
# made curves, the others on real ones alone.
DEAR = tuple(name for name in OURS if not name.startswith("random") and "," in name and "Hyperband" not in name)


@dataclass(frozen=True)
class Peer:
    """Another project's search with early stopping."""

    package: str
    race: Contender


PEERS: dict[str, Peer] = {
    "optuna TPE, Hyperband": Peer("optuna", pruning.hyperband),
    "optuna TPE, halving": Peer("optuna", pruning.successive_halving),
    "optuna TPE, median": Peer("optuna", pruning.median),
    "syne-tune ASHA": Peer("syne_tune", pruning.syne_tune_asha),
}
