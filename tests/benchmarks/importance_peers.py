"""Optuna's importances of the same trials, kept in importance_peers.json: its fANOVA takes a minute a study.

`python -m tests.benchmarks.importance_peers` computes what is missing where Optuna is installed and writes after every
study. The file: by "evaluator function seed" the CPU seconds on one thread and the importances, not normalised; values
of another version of Optuna, or of another function by its fingerprint, are computed anew.
"""

import hashlib
import json
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

from tests.analysis.sobol import KNOWN, Known
from tuning.engine import SearchSpace

PATH = Path(__file__).with_name("importance_peers.json")
EVALUATORS = {"fANOVA": "FanovaImportanceEvaluator", "MDI": "MeanDecreaseImpurityImportanceEvaluator",
              "PED-ANOVA": "PedAnovaImportanceEvaluator"}  # fmt: skip
TRIALS = 1000
REPORT_SEED = 7400  # no forest was chosen on these
PEER_SEEDS = 3


def fingerprint(known: Known) -> str:
    """A hash of the space and of sixteen values."""
    values = " ".join(f"{value:.9g}" for _, value in known.trials(16, 0))
    return hashlib.sha256((SearchSpace.from_json(known.document).digest() + values).encode()).hexdigest()[:16]


def kept() -> dict[str, dict[str, Any]]:
    """What the file has of the functions as they are, by key."""
    if not PATH.exists():
        return {}
    fresh = {known.name: fingerprint(known) for known in KNOWN}
    values: dict[str, dict[str, Any]] = json.loads(PATH.read_text())["values"]
    return {key: entry for key, entry in values.items() if fresh.get(entry["function"]) == entry["fingerprint"]}


def keep(entry: dict[str, Any]) -> None:
    """Add one study's; a reader sees the file before or after, never between."""
    values = kept() | {f"{entry['evaluator']} {entry['function']} {entry['seed']}": entry}
    lines = ",\n".join(f"  {json.dumps(key)}: {json.dumps(values[key])}" for key in sorted(values))
    fresh = PATH.with_suffix(".new")
    fresh.write_text('{\n "values": {\n' + lines + "\n }\n}\n")
    fresh.replace(PATH)


def measured(known: Known, evaluator: str, seed: int) -> dict[str, Any]:
    """One evaluator on one study."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    places = {name: optuna.distributions.FloatDistribution(e["low"], e["high"]) for name, e in known.document.items()}
    study = optuna.create_study()
    for params, value in known.trials(TRIALS, seed):
        study.add_trial(optuna.trial.create_trial(params=params, distributions=places, value=value))
    kind = getattr(optuna.importance, EVALUATORS[evaluator])
    made = kind() if evaluator == "PED-ANOVA" else kind(seed=seed)
    began = time.process_time()
    found = optuna.importance.get_param_importances(study, evaluator=made, normalize=False)
    return {
        "evaluator": evaluator,
        "function": known.name,
        "seed": seed,
        "version": metadata.version("optuna"),
        "fingerprint": fingerprint(known),
        "seconds": round(time.process_time() - began, 3),
        "main": {name: round(float(found[name]), 6) for name in known.document},
    }


def main() -> int:
    version, known_values = metadata.version("optuna"), kept()
    for evaluator in ("PED-ANOVA", "MDI", "fANOVA"):
        for seed in range(REPORT_SEED, REPORT_SEED + PEER_SEEDS):
            for known in KNOWN:
                found = known_values.get(f"{evaluator} {known.name} {seed}")
                if found is None or found["version"] != version:
                    entry = measured(known, evaluator, seed)
                    keep(entry)
                    print(f"{evaluator}, {known.name}, seed {seed}: {entry['seconds']} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
