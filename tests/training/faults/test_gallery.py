"""Every planted fault is really there, every healthy workload really trains, and the preflight tells them apart."""

from collections import Counter

import pytest

from tests.training.faults.evidence import majority, trained
from tests.training.faults.gallery import BETWEEN_PROCESSES, GALLERY, RULES
from tests.training.faults.healthy import HEALTHY
from tests.training.faults.sound import SOUND
from tests.training.faults.verdicts import TRUE_WARNINGS, is_caught, loud, verdicts
from tuning.training import Workload, check_workload


def named(workloads):
    return [pytest.param(workload, id=workload.name) for workload in workloads]


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


# Without the preflight --------------------------------------------------------------------------------------


def test_the_gallery_covers_every_rule_and_names_no_other():
    assert len(GALLERY) >= 25 and len(HEALTHY) == 30
    of_rule = Counter(rule for fault in GALLERY for rule in fault.rules)
    assert set(of_rule) == set(RULES) and min(of_rule.values()) >= 3
    assert {fault.severity for fault in GALLERY} == {"failed", "warning"}


def test_every_workload_has_a_name_of_its_own():
    faulty = [fault.workload for fault in (*GALLERY, *BETWEEN_PROCESSES)]
    names = [workload.name for workload in (*faulty, *HEALTHY, *SOUND)]
    assert [name for name, count in Counter(names).items() if count > 1] == []


@pytest.mark.parametrize("fault", [pytest.param(fault, id=fault.name) for fault in GALLERY])
def test_the_fault_is_there_and_the_contract_does_not_see_it(fault):
    check_workload(fault.workload)
    fault.workload.planted()


@pytest.mark.parametrize("workload", named([*SOUND, *HEALTHY]))
def test_what_is_healthy_trains(workload):
    check_workload(workload)
    assert learned(workload())


@pytest.mark.parametrize("fault", [pytest.param(fault, id=fault.name) for fault in GALLERY])
def test_the_proof_fails_where_nothing_was_planted(fault):
    sound = fault.workload.__mro__[1]
    absent = (AssertionError, pytest.fail.Exception, KeyError, IndexError, AttributeError)
    with pytest.raises(absent):  # the proof of the fault, held against the class that it broke
        fault.workload.planted.__func__(sound)


@pytest.mark.parametrize("fault", [pytest.param(fault, id=fault.name) for fault in BETWEEN_PROCESSES])
def test_what_one_process_cannot_see_is_there_between_two(fault):
    check_workload(fault.workload)
    fault.workload.planted()


# With it: the whole gallery is `manage.py bench preflight` -------------------------------------------------------

SAMPLE = [
    next(fault for fault in GALLERY if fault.rules == {rule}) if any(fault.rules == {rule} for fault in GALLERY) else
    next(fault for fault in GALLERY if rule in fault.rules)
    for rule in RULES
]  # fmt: skip


@pytest.mark.parametrize("fault", [pytest.param(fault, id=fault.name) for fault in dict.fromkeys(SAMPLE)])
def test_the_preflight_catches_it_by_the_right_rule(fault):
    found = verdicts(fault.workload())
    assert is_caught(fault, found), f"expected {fault.severity} by one of {sorted(fault.rules)}, found {found}"


@pytest.mark.parametrize("workload", named(SOUND))
def test_the_preflight_raises_no_false_alarm(workload):
    found = loud(verdicts(workload()))
    assert "failed" not in found.values()
    assert set(found) <= TRUE_WARNINGS
