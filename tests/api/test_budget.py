"""Limits in steps and time over REST."""

import pytest

from tests.api.conftest import fields_of
from tests.factories import make_study, make_workload

pytestmark = pytest.mark.django_db
LIMITS = {"total_resource": 90, "device_seconds": 5400, "study_seconds": 7200}


def test_limits_are_set_shown_changed_and_cloned(as_alice):
    make_workload("tiny")
    study = as_alice.post("studies/", {"name": "limited", "workload": "tiny", **LIMITS}).json()
    assert {name: study[name] for name in LIMITS} == LIMITS
    assert (study["n_trials"], study["spent"]) == (None, dict.fromkeys(LIMITS, 0))
    address = f"studies/{study['id']}/"
    clone = as_alice.post(f"{address}clone/", {}).json()
    assert {name: clone[name] for name in LIMITS} == LIMITS
    changed = as_alice.patch(address, {"total_resource": None, "study_seconds": 60}).json()
    assert (changed["total_resource"], changed["study_seconds"], changed["device_seconds"]) == (None, 60, 5400)
    more = as_alice.post(f"{address}extend/", {"device_seconds": 9000})
    assert (more.status_code, more.json()["device_seconds"]) == (200, 9000)


@pytest.mark.parametrize("field", LIMITS)
@pytest.mark.parametrize("wrong", [0, -3, 1.5, "60", True, 10**20])
def test_a_limit_that_is_none_is_refused(as_alice, alice, field, wrong):
    study = make_study(alice, workload="tiny")
    answer = as_alice.patch(f"studies/{study.pk}/", {field: wrong})
    assert (answer.status_code, list(fields_of(answer))) == (400, [field])


def test_a_study_that_would_never_end_is_refused(as_alice, alice):
    study = make_study(alice, workload="tiny")
    answer = as_alice.patch(f"studies/{study.pk}/", {"n_trials": None})
    assert (answer.status_code, list(fields_of(answer))) == (400, ["n_trials"])
    answer = as_alice.post("studies/", {"name": "endless", "workload": "tiny"})
    assert (answer.status_code, list(fields_of(answer))) == (400, ["n_trials"])
