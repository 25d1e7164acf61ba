"""The gallery of real learning curves is what its lists say it is."""

import json
import math
from collections import Counter

import pytest

from tests.analysis.curve_gallery.broken import BROKEN
from tests.analysis.curve_gallery.example import train_example
from tests.analysis.curve_gallery.make import FOLDER, HALVES

VERDICTS = {
    "diverged", "train_rises", "spikes", "underfit", "overfit_turning", "overfit", "noise", "plateau", "negative_gap",
    "healthy", "unclear",
}  # fmt: skip
FILES = {name: json.loads((FOLDER / f"{name}.json").read_text()) for name in HALVES}


@pytest.mark.parametrize("name", HALVES)
def test_a_file_holds_the_examples_of_its_list(name):
    runs = FILES[name]["runs"]
    assert len(runs) == len(HALVES[name])
    for run, example in zip(runs, HALVES[name], strict=True):
        assert (run["kind"], run["intervention"], run["seed"]) == (example.kind, example.words, example.seed)
        assert (run["expected"], run["changes"]) == (list(example.expected), json.loads(json.dumps(example.changes)))
        assert run["params"].items() >= example.params.items()
        assert run["diverged"] == (run["epochs"] < example.epochs)


@pytest.mark.parametrize("name", HALVES)
def test_curves_are_whole_and_finite(name):
    for run in FILES[name]["runs"]:
        assert {"train/loss", "validation/loss"} < set(run["curves"])
        assert 5 <= run["epochs"] <= 60 and run["n_validation"] > 0 and run["base"] > 0
        for curve in run["curves"].values():
            assert len(curve) == run["epochs"] and all(map(math.isfinite, curve))


def test_labels_are_verdicts_and_at_most_three():
    for document in FILES.values():
        for run in document["runs"]:
            assert 1 <= len(run["expected"]) <= 3 and set(run["expected"]) <= VERDICTS
            assert len(set(run["expected"])) == len(run["expected"])


def test_both_halves_hold_every_family_and_no_training_twice():
    seen, unseen = (Counter(example.kind for example in HALVES[half]) for half in ("seen", "unseen"))
    assert seen == unseen
    assert sum(seen.values()) + sum(unseen.values()) >= 64 and len(HALVES["healthy"]) == 30
    seeds = [example.seed for examples in HALVES.values() for example in examples]
    assert len(set(seeds)) == len(seeds)


def test_an_example_is_made_again():
    """One whose end another processor's rounding cannot move: others diverge on the one and barely not on the other."""
    example = next(e for e in BROKEN if e.workload == "diabetes" and "nan_from" in e.changes)
    stored = next(run for half in FILES.values() for run in half["runs"] if run["seed"] == example.seed)
    again = train_example(example)
    assert (again["diverged"], again["epochs"], again["n_train"]) == (True, stored["epochs"], stored["n_train"])
    assert again["curves"]["train/loss"][:3] == pytest.approx(stored["curves"]["train/loss"][:3], rel=1e-3)
