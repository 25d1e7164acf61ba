"""Caps that administrators set, and the ledger of device time."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from tests.factories import make_running, make_slot, make_study
from tuning.models import Account, AuditEvent, DeviceTime, Trial
from tuning.services.device_time import LONGEST_HOURS, book_device_time, hours_of
from tuning.services.endings import complete_trial, park_trial, requeue_trial
from tuning.services.errors import Forbidden, Invalid, NotFound
from tuning.services.lifecycle import cancel_trial, pause_study, stop_study
from tuning.services.sharing import set_cap
from tuning.services.starting import Holder, start_next

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


# --- caps -------------------------------------------------------------------------------------------------------------
def test_an_administrator_sets_a_cap_and_takes_it_back(alice, admin):
    set_cap(user_id=alice.pk, actor=admin, max_running=4)
    assert Account.objects.get(user=alice).max_running == 4
    set_cap(user_id=alice.pk, actor=admin, max_running=4)
    set_cap(user_id=alice.pk, actor=admin, max_running=None)
    events = AuditEvent.objects.filter(verb="set the cap of").order_by("pk")
    assert [(event.before, event.after) for event in events] == [
        ({"max_running": None}, {"max_running": 4}),
        ({"max_running": 4}, {"max_running": None}),
    ], "the same again is no event"
    assert (events[0].object_kind, events[0].object_name) == ("user", "alice")


def test_others_may_set_none_not_even_their_own(alice, bob):
    for person in (alice, bob):
        with pytest.raises(Forbidden, match="Only administrators"):
            set_cap(user_id=alice.pk, actor=person, max_running=4)


def test_a_cap_is_a_whole_number_of_a_person(alice, admin):
    for wrong in (-1, 1.5, "4", True, 10**9):
        with pytest.raises(Invalid, match=r"max_running.*whole number from 0"):
            set_cap(user_id=alice.pk, actor=admin, max_running=wrong)
    with pytest.raises(NotFound):
        set_cap(user_id=10**6, actor=admin, max_running=1)


def test_at_the_cap_nothing_starts_and_what_runs_goes_on(alice, admin):
    study = make_study(alice, started=True, workload="tiny", parallel=4)
    slots = [make_slot(slots=3, index=index) for index in range(3)]
    first, second = (make_running(study, slot) for slot in slots[:2])
    set_cap(user_id=alice.pk, actor=admin, max_running=1)
    assert start_next(study_id=study.pk, holder=Holder(slot=slots[2], host="h")) is None
    assert Trial.objects.filter(state="RUNNING").count() == 2
    for trial in (first, second):
        complete_trial(trial_id=trial.pk, fence=1, value=1.0)
    assert start_next(study_id=study.pk, holder=Holder(slot=slots[2], host="h")) is not None


# --- the ledger -------------------------------------------------------------------------------------------------------
def test_a_run_lies_in_the_hours_that_it_lasted():
    until = NOON + timedelta(minutes=20)
    assert list(hours_of(600, until)) == [(NOON, 600.0)]
    assert list(hours_of(3600, until)) == [(NOON - timedelta(hours=1), 2400.0), (NOON, 1200.0)]
    assert list(hours_of(3 * 3600, NOON)) == [(NOON - timedelta(hours=n), 3600.0) for n in (3, 2, 1)]
    assert list(hours_of(0, until)) == list(hours_of(-5, until)) == []


def test_a_run_of_days_keeps_its_sum_in_few_rows():
    rows = list(hours_of(100 * 3600, NOON))
    assert len(rows) <= LONGEST_HOURS
    assert sum(seconds for _, seconds in rows) == pytest.approx(100 * 3600)
    assert rows[-1] == (NOON - timedelta(hours=1), 3600.0)


def test_runs_of_an_hour_add_up(alice):
    study = make_study(alice)
    for _ in range(3):
        book_device_time(study, seconds=90, until=NOON + timedelta(minutes=30))
    row = DeviceTime.objects.get()
    assert (row.owner, row.study, row.hour, row.seconds) == (alice, study, NOON, 270.0)


def ended_by_stop(study, trial, alice):
    stop_study(study_id=study.pk, actor=alice)


@pytest.mark.parametrize(
    "end",
    [
        lambda study, trial, alice: complete_trial(trial_id=trial.pk, fence=1, value=1.0),
        lambda study, trial, alice: requeue_trial(trial_id=trial.pk, fence=1, why="", lost=True),
        lambda study, trial, alice: park_trial(trial_id=trial.pk, fence=1),
        lambda study, trial, alice: cancel_trial(trial_id=trial.pk, actor=alice),
        lambda study, trial, alice: pause_study(study_id=study.pk, actor=alice),
        ended_by_stop,
    ],
)
def test_however_a_run_ends_it_is_booked(alice, end):
    study = make_study(alice, started=True, workload="tiny")
    trial = make_running(study, make_slot())
    Trial.objects.update(claimed=timezone.now() - timedelta(seconds=90))
    end(study, trial, alice)
    assert sum(DeviceTime.objects.values_list("seconds", flat=True)) == pytest.approx(90, abs=20)
    assert Trial.objects.get(pk=trial.pk).run_seconds == pytest.approx(90, abs=20)


def test_a_script_holds_no_device(alice):
    trial = make_running(make_study(alice, started=True))
    complete_trial(trial_id=trial.pk, fence=1, value=1.0)
    assert not DeviceTime.objects.exists()


def test_a_run_from_before_the_ledger_counts_nothing(alice):
    """A trial that ran when hpweb was updated has no time of its claim."""
    trial = make_running(make_study(alice, started=True, workload="tiny"), make_slot())
    Trial.objects.update(claimed=None)
    complete_trial(trial_id=trial.pk, fence=1, value=1.0)
    assert Trial.objects.get().run_seconds == 0.0
    assert not DeviceTime.objects.exists()
