"""DUPLICATES: examples that lie in two splits, the sealed test split among them, by keyed content hashes.

The key is drawn anew each time and forgotten; of the test split nothing but counts leaves this module. After this
check and TEST-LABELS this process may not train again.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from typing import Any

from torch.utils.data import Dataset, Subset

from tuning.training.batches import size_of
from tuning.training.determinism import seed_everything
from tuning.training.preflight.check import Result, bars, named, percent
from tuning.training.preflight.errors import workload_code
from tuning.training.preflight.subject import SEED, Subject
from tuning.training.splits import example_hashes, opened_seal

CHUNK = 256
SHARE, FEWEST = 0.01, 5  # of the smaller split's examples: fewer than either hold nobody back
MOST = 400_000  # examples of a split


def duplicates(subject: Subject) -> Result:
    """Count the examples that two splits share by their inputs."""
    key = secrets.token_bytes(32)
    found: dict[str, Counter[str]] = {}
    sizes: dict[str, int] = {}
    with opened_seal():
        for name, dataset in _splits(subject):  # the small ones first: the training split may not be read to its end
            sizes[name] = size_of(dataset)
            found[name] = _hashes(subject, dataset, key)
    return _told({name: found[name] for name in ("training", *found)}, sizes)


def _splits(subject: Subject) -> Iterator[tuple[str, Dataset[Any]]]:
    yield "validation", subject.splits.validation
    if subject.workload.has_test_data():
        with workload_code("test_data()"):
            test = subject.workload.test_data()
        yield "test", test
    yield "training", subject.splits.train


def _hashes(subject: Subject, dataset: Dataset[Any], key: bytes) -> Counter[str]:
    """How often each example occurs, of as many as there is time for."""
    hashes: Counter[str] = Counter()
    seed_everything(SEED)  # an augmentation inside dataset[i] draws
    size = min(size_of(dataset), MOST)
    for start in range(0, size, CHUNK):
        with workload_code("reading the examples of a split"):
            hashes.update(example_hashes(Subset(dataset, range(start, min(start + CHUNK, size))), key))
        if subject.clock.over():
            break
    return hashes


def _told(found: dict[str, Counter[str]], sizes: dict[str, int]) -> Result:
    pairs = combinations(found, 2)
    common = {f"{one} and {other}": len(found[one].keys() & found[other].keys()) for one, other in pairs}
    within = {name: hashes.total() - len(hashes) for name, hashes in found.items()}
    read = {name: hashes.total() for name, hashes in found.items()}
    evidence = {"common": common, "repeated within a split": within, "examples read": read, "examples": sizes}
    plot = bars(common, "splits", "examples in both")
    partly = [f"{read[name]:,} of {sizes[name]:,} {name} examples" for name in found if read[name] < sizes[name]]
    note = f" Read within the time: {named(partly)}." if partly else ""
    if not any(common.values()):
        splits = ", ".join(found)
        says = f"No example lies in two splits ({splits})."
        return Result("passed", says + note, "", "", evidence, plot)
    listed = ", ".join(f"{count:,} in {names}" for names, count in common.items() if count)
    worst = max((_share(names, count, found) for names, count in common.items() if count >= FEWEST), default=0.0)
    return Result(
        "failed" if worst >= SHARE else "warning",
        f"Examples with the same inputs lie in two splits: {listed}.{note}",
        "On these a model is measured by what it has learned by heart, so that its score is too good"
        + (f": up to {percent(worst)} of a split." if worst else "."),
        "Remove duplicates before splitting; where one person, object or recording gives several examples, keep them "
        "in "
        "one split.",
        evidence,
        plot,
    )


def _share(names: str, count: int, found: dict[str, Counter[str]]) -> float:
    one, other = names.split(" and ")
    return count / max(1, min(len(found[one]), len(found[other])))
