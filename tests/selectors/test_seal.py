"""How far a study's test set is sealed: enforced by us, declared by its trials, or not known at all."""

import pytest

from tests.factories import make_running, make_slot, make_study, make_workload, report
from tuning.models import Split, Workload
from tuning.selectors.seal import seal_of


def test_a_workload_with_test_data_has_an_enforced_seal(alice):
    make_workload("tiny", test_data=True)
    seal = seal_of(make_study(alice, workload="tiny"))
    assert (seal.state, seal.metrics) == ("enforced", ())
    assert "process of its own" in seal.message


@pytest.mark.parametrize(("test", "state"), [(2, "enforced"), (0, "none")])
def test_where_the_description_does_not_tell_it_the_counted_split_does(alice, test, state):
    study = make_study(alice, workload="tiny")
    Split.objects.update(sizes={"train": 6, "validation": 2, "test": test})
    assert seal_of(study).state == state


def test_a_workload_without_test_data_has_none(alice):
    make_workload("tiny", test_data=False)
    assert seal_of(make_study(alice, workload="tiny")).state == "none"


def test_a_script_declares_its_test_set_with_the_first_such_metric(alice):
    study = make_study(alice, started=True)
    assert (seal_of(study).state, seal_of(study).metrics) == ("none", ())
    report(make_running(study), [0.5], test__accuracy=[0.9])
    seal = seal_of(study)
    assert (seal.state, seal.metrics) == ("declared", ("test/accuracy",))
    assert "test/accuracy" in seal.message and "0.9" not in seal.message
    assert seal_of(make_study(alice, started=True)).state == "none"


def test_a_program_does_as_well_whatever_its_split_says(alice):
    make_workload("program", kind="command", test_data=False)
    study = make_study(alice, workload="program", started=True)
    report(make_running(study, make_slot()), [0.5], test__accuracy=[0.9], test__loss=[0.1], test__a=[0.1], test__b=[1])
    seal = seal_of(study)
    assert (seal.state, len(seal.metrics)) == ("declared", 4)
    assert "…) is stored" in seal.message
    Workload.objects.all().delete()
    assert seal_of(study).state == "declared"
