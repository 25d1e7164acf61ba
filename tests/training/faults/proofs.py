"""That the gallery is what it says: each fault is there and not in the sound workload, each healthy one learns."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.training.faults.evidence import majority, trained
from tests.training.faults.gallery import Fault
from tuning.training import Workload, check_workload

ABSENT = (AssertionError, pytest.fail.Exception, KeyError, IndexError, AttributeError)


def not_proved(fault: Fault) -> str:
    """Why the fault is not shown to be there by its own proof; "" where it is. The contract must not see it."""
    check_workload(fault.workload)
    try:
        fault.workload.planted()
    except ABSENT as error:
        return f"{fault.name}: its proof fails ({error})"
    sound = fault.workload.__mro__[1]
    try:  # the proof of the fault, held against the class that it broke
        fault.workload.planted.__func__(sound)
    except ABSENT:
        return ""
    return f"{fault.name}: its proof holds where nothing was planted"


def learned(workload: Workload) -> bool:
    """Whether eight epochs in the middle of the space beat the majority or the mean on validation, and clearly."""
    scores = trained(workload)
    if "r2" in {score.name for score in workload.scores}:
        return scores["validation/r2"] > 0.25
    return scores["validation/accuracy"] > chance(workload) + 0.25


def chance(workload: Workload) -> float:
    """The share of the commonest class; without a look at tensors where the dataset has none."""
    dataset = workload.data().validation
    if hasattr(dataset, "tensors"):
        return majority(workload)
    counts = Counter(int(dataset[row][1]) for row in range(len(dataset)))
    return max(counts.values()) / len(dataset)
