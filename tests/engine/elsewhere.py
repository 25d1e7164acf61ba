"""What the samplers suggest in another process: run as a script it prints the suggestions, as JSON."""

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

from tests.engine.histories import Kind, history_of, random_trials
from tuning.engine import SearchSpace, registry, rng_for

MIXED = {
    "lr": {"type": "float", "low": 1e-5, "high": 1.0, "log": True},
    "momentum": {"type": "float", "low": 0.0, "high": 0.99, "when": {"lr": {"high": 0.1}}},
    "units": {"type": "int", "low": 1, "high": 300, "log": True},
    "optimizer": {"type": "categorical", "choices": ["sgd", "adamw", None]},
    "nesterov": {"type": "categorical", "choices": [True, False], "when": {"optimizer": ["sgd"]}},
}
COUNTED = {name: MIXED[name] for name in ("units", "optimizer", "nesterov")}
SITUATIONS = [(0, 0), (9, 3), (40, 9), (400, 2)]  # trials finished and open


Suggested = list[dict[str, object]]


def suggestions(sampler: str) -> Suggested:
    """The suggested configuration in each situation."""
    space, found = SearchSpace.from_json(COUNTED if sampler == "grid" else MIXED), []
    for n, pending in SITUATIONS:
        history = history_of(space, random_trials(space, n, pending, Kind(), seed=n))
        found.append(registry.make_sampler(sampler).suggest(space, history, rng_for(7, n + pending)).params)
    return found


@functools.cache
def suggestions_elsewhere(hash_seed: int, threads: int) -> dict[str, Suggested]:
    """The same by sampler, from a process with this seed of text hashes and this number of threads for matrices."""
    count = {f"{library}_NUM_THREADS": str(threads) for library in ("OMP", "OPENBLAS", "MKL")}
    answer = subprocess.run(
        [sys.executable, "-m", "tests.engine.elsewhere"],
        cwd=Path(__file__).parents[2],
        env={**os.environ, **count, "PYTHONHASHSEED": str(hash_seed)},
        capture_output=True,
        text=True,
        check=True,
    )
    result: dict[str, Suggested] = json.loads(answer.stdout)
    return result


if __name__ == "__main__":
    json.dump({name: suggestions(name) for name in registry.samplers()}, sys.stdout)
