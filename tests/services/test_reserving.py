"""Reserving a device: for oneself until a time, by an administrator for anybody; over by the database's clock."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from tests.factories import make_running as run
from tests.factories import make_slot, make_study
from tuning.models import AuditEvent, Device, Job, Trial
from tuning.services.errors import Conflict, Forbidden, Invalid, NotFound
from tuning.services.hosts import FoundDevice, register_host
from tuning.services.jobs import request_job
from tuning.services.reserving import release_device, reserve_device
from tuning.workers.tasks import claim_next

pytestmark = pytest.mark.django_db


@pytest.fixture
def slot(db):
    return make_slot()


def reserve(slot, actor, **words):
    return reserve_device(device_id=slot.device_id, actor=actor, **{"reason": "a deadline", "hours": 2, **words})


def device():
    return Device.objects.get()


def test_a_person_reserves_for_himself_and_gives_back(slot, alice):
    reserve(slot, alice)
    assert (device().reserved_for, device().reserved_reason, device().reserved_by) == (alice, "a deadline", "alice")
    assert (device().reserved_until - timezone.now()).total_seconds() == pytest.approx(7200, abs=20)
    release_device(device_id=slot.device_id, actor=alice)
    release_device(device_id=slot.device_id, actor=alice)
    assert (device().reserved_for, device().reserved_until, device().reserved_reason) == (None, None, "")
    events = AuditEvent.objects.order_by("pk")
    assert [event.verb for event in events] == ["reserved", "gave back"]
    assert events[0].after["for"] == events[1].before["for"] == "alice"
    assert events[0].object_name == "host-1, CPU, 2 cores"


def test_again_is_another_end_and_reason(slot, alice):
    reserve(slot, alice)
    until = timezone.now() + timedelta(hours=5)
    reserve(slot, alice, hours=None, until=until, reason="longer")
    assert (device().reserved_until, device().reserved_reason) == (until, "longer")


def test_another_person_waits_until_it_is_over_or_given_back(slot, alice, bob, admin):
    reserve(slot, alice)
    for person in (bob, admin):
        with pytest.raises(Conflict, match=r"reserved for alice until .*a deadline\. Ask them, or an administrator"):
            reserve(slot, person)
    with pytest.raises(Forbidden, match="Only they and administrators"):
        release_device(device_id=slot.device_id, actor=bob)
    Device.objects.update(reserved_until=timezone.now() - timedelta(seconds=1))
    release_device(device_id=slot.device_id, actor=bob)
    assert reserve(slot, bob).reserved_for == bob


def test_an_administrator_reserves_for_anybody_and_releases_anybodys(slot, alice, bob, admin):
    reserve(slot, admin, person="alice")
    assert (device().reserved_for, device().reserved_by) == (alice, "admin")
    release_device(device_id=slot.device_id, actor=admin)
    assert device().reserved_for is None
    with pytest.raises(Forbidden, match="Only administrators may reserve a device for somebody else"):
        reserve(slot, bob, person="alice")
    assert reserve(slot, bob, person="bob").reserved_for == bob
    with pytest.raises(Invalid, match="nobody named 'dora'"):
        reserve(slot, admin, person="dora")


@pytest.mark.parametrize(
    ("words", "field"),
    [
        ({"hours": 0}, "hours"),
        ({"hours": float("nan")}, "hours"),
        ({"hours": 10**6}, "hours"),
        ({"hours": True}, "hours"),
        ({"hours": None}, "hours"),
        ({"until": datetime(2099, 1, 1)}, "hours"),
        ({"hours": None, "until": datetime(2099, 1, 1)}, "until"),
        ({"hours": None, "until": timezone.now() - timedelta(minutes=1)}, "until"),
        ({"hours": None, "until": timezone.now() + timedelta(days=400)}, "until"),
        ({"reason": " "}, "reason"),
        ({"reason": "x" * 300}, "reason"),
    ],
)
def test_what_cannot_be_taken_is_named(slot, alice, words, field):
    with pytest.raises(Invalid) as refused:
        reserve(slot, alice, **words)
    assert list(refused.value.fields) == [field]
    assert device().reserved_for is None


def test_a_device_that_is_not_there(alice):
    for service in (lambda: reserve_device(device_id=9, actor=alice, hours=1, reason="x"),
                    lambda: release_device(device_id=9, actor=alice)):  # fmt: skip
        with pytest.raises(NotFound, match="no device 9"):
            service()


def test_it_outlasts_a_restart_of_the_workers(slot, alice):
    reserve(slot, alice)
    register_host(name="host-1", boot_id="b2", facts={}, devices=[FoundDevice("cpu", "CPU", 2**33, 1, 1)])
    assert device().reserved_for == alice


def test_what_runs_goes_on_nothing_of_others_starts_and_jobs_do(alice, bob):
    slots = [make_slot(slots=3, index=index) for index in range(3)]
    hers, his = (make_study(owner, started=True, workload="tiny") for owner in (alice, bob))
    running = run(hers, slots[0])
    reserve(slots[0], bob)
    assert Trial.objects.get(pk=running.pk).state == "RUNNING"
    request_job(kind="preflight", actor=None)
    assert isinstance(claim_next(slots[1]), Job)
    assert claim_next(slots[2]).study == his
    Trial.objects.filter(study=his).update(slot=None)
    his.refresh_from_db()
    type(his).objects.filter(pk=his.pk).update(state="PAUSED")
    assert claim_next(slots[2]) is None, "nothing of hers"
