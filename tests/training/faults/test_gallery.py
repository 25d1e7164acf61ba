"""Samples of the gallery: the fault is there, the healthy learns, and the preflight tells them apart.

The whole gallery, the proofs among it, is `manage.py bench preflight`.
"""

from collections import Counter

import pytest

from tests.training.faults.gallery import BETWEEN_PROCESSES, GALLERY, LATER, RULES
from tests.training.faults.healthy import HEALTHY
from tests.training.faults.proofs import learned, not_proved
from tests.training.faults.sound import SOUND, Diabetes, Wine
from tests.training.faults.verdicts import TRUE_WARNINGS, is_caught, loud, verdicts
from tuning.training import check_workload


def test_the_gallery_covers_every_rule_and_names_no_other():
    assert len(GALLERY) >= 25 and len(HEALTHY) == 30
    of_rule = Counter(rule for fault in GALLERY for rule in fault.rules)
    assert set(of_rule) == {*RULES, *LATER} and min(of_rule[rule] for rule in RULES) >= 3
    assert {fault.severity for fault in GALLERY} == {"failed", "warning"}


def test_every_workload_has_a_name_of_its_own():
    faulty = [fault.workload for fault in (*GALLERY, *BETWEEN_PROCESSES)]
    names = [workload.name for workload in (*faulty, *HEALTHY, *SOUND)]
    assert [name for name, count in Counter(names).items() if count > 1] == []


@pytest.mark.parametrize("fault", [pytest.param(fault, id=fault.name) for fault in GALLERY[::9]])
def test_the_fault_is_there_and_the_contract_does_not_see_it(fault):
    assert not_proved(fault) == ""


@pytest.mark.parametrize("workload", [pytest.param(workload, id=workload.name) for workload in HEALTHY[::7]])
def test_what_is_healthy_trains(workload):
    check_workload(workload)
    assert learned(workload())


@pytest.mark.parametrize("fault", [pytest.param(fault, id=fault.name) for fault in BETWEEN_PROCESSES])
def test_what_one_process_cannot_see_is_there_between_two(fault):
    check_workload(fault.workload)
    fault.workload.planted()


SAMPLE = ("trained_on_the_test", "label_among_features", "layers_in_a_list", "sigmoid_twice", "seeded_anew")


@pytest.mark.parametrize("fault", [pytest.param(fault, id=fault.name) for fault in GALLERY if fault.name in SAMPLE])
def test_the_preflight_catches_it_by_the_right_rule(fault):
    found = verdicts(fault.workload(), fault.rules)
    assert is_caught(fault, found), f"expected {fault.severity} by one of {sorted(fault.rules)}, found {found}"


@pytest.mark.parametrize("workload", [pytest.param(workload, id=workload.name) for workload in (Wine, Diabetes)])
def test_the_preflight_raises_no_false_alarm(workload):
    found = loud(verdicts(workload()))
    assert "failed" not in found.values()
    assert set(found) <= TRUE_WARNINGS
