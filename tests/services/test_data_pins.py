"""Which data a study is pinned to: by the first of its trials that reads any, by counts, by what most hosts have."""

import importlib
from unittest.mock import ANY

import pytest
from django.apps import apps

from tests.factories import DESCRIPTION, make_running, make_slot, make_study, make_workload
from tuning.models import Host, Offering, Study
from tuning.selectors.offerings import differences, present_data, uncounted_workloads
from tuning.selectors.sharing import with_room
from tuning.services.errors import StaleLease
from tuning.services.offerings import note_found
from tuning.services.pinning import hold_to_data
from tuning.services.workloads import store_descriptions

pytestmark = pytest.mark.django_db
CODE, ONE, OTHER = "0" * 64, "d" * 64, "e" * 64


def described(host: str, **changes) -> Host:
    row = make_slot(host).device.host
    store_descriptions(entries=[{**DESCRIPTION, "digest": CODE, **changes}], host=row)
    return row


def has(host: Host, data: str, error: str = "") -> None:
    note_found(host=host, workload="tiny", code=CODE, digest=data, error=error)


@pytest.fixture
def study(alice) -> Study:
    described("a")
    return make_study(alice, workload="tiny", name="wide", started=True)


def test_of_two_first_trials_with_different_data_one_pins_the_study(study):
    a, b = Host.objects.get(name="a"), described("b")
    first = make_running(study, make_slot("a"))
    second = make_running(study, make_slot("b"))
    version = Study.objects.get().version
    for _ in range(2):
        assert hold_to_data(trial_id=first.pk, fence=first.fence, host=a, digest=ONE) is True
    assert hold_to_data(trial_id=second.pk, fence=second.fence, host=b, digest=OTHER) is False
    assert hold_to_data(trial_id=second.pk, fence=second.fence, host=b, digest=ONE) is True
    row = Study.objects.get()
    assert (row.data_digest, row.version) == (ONE, version + 1)
    assert [(row.host.name, row.data_digest) for row in Offering.objects.order_by("pk")] == [("a", ONE), ("b", "")]


def test_a_claim_that_is_no_longer_the_newest_pins_nothing(study):
    trial = make_running(study, make_slot("a"))
    with pytest.raises(StaleLease):
        hold_to_data(trial_id=trial.pk, fence=trial.fence - 1, host=Host.objects.get(), digest=ONE)
    with pytest.raises(StaleLease):
        hold_to_data(trial_id=10**9, fence=1, host=Host.objects.get(), digest=ONE)
    assert Study.objects.get().data_digest == ""


def test_a_look_asks_again_only_for_what_keeps_the_host_from_a_study(study):
    a, b, c = Host.objects.get(name="a"), described("b"), described("c")
    Study.objects.update(data_digest=ONE)
    has(a, ONE), has(b, OTHER), has(c, "", "FileNotFoundError: wine.csv")
    assert [uncounted_workloads(host) for host in (a, b, c)] == [[], [], []], "they have just found out"
    for host in ("a", "b", "c"):
        described(host)
    assert [uncounted_workloads(host) for host in (a, b, c)] == [[], ["tiny"], ["tiny"]]
    assert [study.name for study in with_room(a)] == ["wide"], "a restart keeps nobody waiting"
    assert [list(with_room(host)) for host in (b, c)] == [[], []], "what is known holds until it is known better"


def test_most_live_hosts_decide_what_there_is_to_take_over_and_a_tie_keeps_the_pin(study):
    a, b, c = Host.objects.get(name="a"), described("b"), described("c")
    Study.objects.update(data_digest=OTHER)
    has(a, OTHER), has(b, ONE)
    assert [row.adoptable for row in differences()[b.pk]] == [False]
    assert present_data("tiny", CODE, prefer=OTHER) == OTHER and present_data("tiny", CODE) == ONE
    has(c, ONE)
    assert [(row.adoptable, row.subject) for row in differences()[b.pk]] == [(True, "data")]
    Host.objects.exclude(name="a").update(last_seen=None)
    assert present_data("tiny", CODE) == OTHER
    Host.objects.update(last_seen=None)
    assert present_data("tiny", CODE) == ONE, "where nobody lives, all that looked count"
    assert present_data("tiny", "1" * 64) == ""


@pytest.mark.parametrize("kind", ["command", "objective"])
def test_files_come_with_the_description_and_replace_what_a_trial_found(alice, kind):
    a = described("a", kind=kind, data_digest=ONE)
    study = make_study(alice, workload="tiny", started=True)
    assert study.data_digest == ONE
    has(a, OTHER)
    assert not with_room(a).exists()
    described("a", kind=kind, data_digest=ONE)
    assert with_room(a).exists()
    assert Offering.objects.values("data_digest", "data_error", "counted").get() == {
        "data_digest": ONE, "data_error": "", "counted": ANY,
    }  # fmt: skip


def test_fingerprints_of_the_old_kind_are_forgotten_and_those_of_programs_kept(study, alice):
    make_workload("program", kind="command")
    make_study(alice, workload="program", name="script")
    described("b", name="program", kind="command", data_digest=ONE)
    has(Host.objects.get(name="a"), ONE)
    Study.objects.update(data_digest=ONE)
    importlib.import_module("tuning.migrations.0015_data_pins").forget(apps, None)
    assert dict(Study.objects.values_list("name", "data_digest")) == {"wide": "", "script": ONE}
    assert dict(Offering.objects.values_list("workload", "data_digest")) == {"tiny": "", "program": ONE}
