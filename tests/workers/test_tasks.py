"""A hint wakes a slot: what it claims, in which order, under which lock, and that a hint carries no authority."""

import subprocess
import sys

import pytest
from django_q.models import OrmQ

from tests.factories import DESCRIPTION, make_place, make_running, make_slot, make_study, make_workload
from tests.workers.fakes import FakeLauncher
from tuning.models import Job, Slot, Study, Trial, Workload
from tuning.selectors.work import slot_numbered
from tuning.services.hosts import drain_host, take_hint
from tuning.services.jobs import request_describe, request_job, request_split
from tuning.workers import wake
from tuning.workers.slots import slot_lock
from tuning.workers.tasks import claim_next, work


def finish(process):
    """A trial process that trains one step and is done; a describe job's answer where that was asked."""
    process.say(
        {"type": "step", "step": 1, "metrics": {"validation/loss": 0.5}, "wall": 1.0},
        {"type": "result", "steps": 1, "stopped": False, "workloads": [DESCRIPTION]},
    )


def describe(process):
    process.say({"type": "hello"}, {"type": "result", "workloads": [{**DESCRIPTION, "name": "found"}]})


# --- the lock ----------------------------------------------------------------------------------------------------
def test_a_slot_is_held_by_one_process_at_a_time(settings):
    code = (
        "import fcntl, os, sys\n"
        "handle = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)\n"
        "fcntl.flock(handle, fcntl.LOCK_EX)\n"
        "print('held', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with slot_lock(7) as held:
        assert held
        with slot_lock(7) as again:
            assert not again
        with slot_lock(8) as other:
            assert other
    path = settings.STATE_DIR / "locks" / "slot-7.lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "held\n"
    with slot_lock(7) as held:
        assert not held
    holder.kill()
    holder.communicate()
    with slot_lock(7) as held:
        assert held, "the kernel has freed it"


# --- claims ------------------------------------------------------------------------------------------------------
def test_jobs_go_first_then_studies_by_priority(alice):
    low, high = (make_study(alice, started=True, workload="tiny") for _ in range(2))
    Study.objects.filter(pk=high.pk).update(priority=1)
    request_job(kind="preflight", actor=None)
    slots = [make_slot(slots=3, index=index) for index in range(3)]
    claims = [claim_next(slot) for slot in slots]
    assert isinstance(claims[0], Job)
    assert [trial.study_id for trial in claims[1:]] == [high.pk, high.pk]
    assert Trial.objects.filter(study=low).count() == 0
    assert claims[1].attempts.get().device == "CPU, 2 cores, slot 1"


def test_a_draining_host_and_a_disabled_slot_claim_nothing(alice):
    make_study(alice, started=True, workload="tiny")
    slot = make_slot()
    drain_host(host_id=slot.device.host_id)
    assert claim_next(slot) is None
    drain_host(host_id=slot.device.host_id, draining=False)
    Slot.objects.update(enabled=False)
    assert claim_next(slot) is None
    assert not Trial.objects.exists()


def test_a_study_whose_sampler_fails_is_paused_and_the_others_go_on(alice, monkeypatch):
    broken = make_study(alice, started=True, workload="tiny", sampler="random")
    sound = make_study(alice, started=True, workload="tiny", sampler="auto")
    original = type(broken).objects

    def fail(self, space, history, rng):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("tuning.engine.samplers.random.Random.suggest", fail)
    monkeypatch.setattr("tuning.engine.samplers.auto.Auto.suggest", sound_suggestion)
    trial = claim_next(make_slot())
    assert trial.study_id == sound.pk
    row = original.get(pk=broken.pk)
    assert (row.state, "ZeroDivisionError: a bug" in row.state_reason) == ("PAUSED", True)


def sound_suggestion(self, space, history, rng):
    from tuning.engine import Suggestion

    return Suggestion(space.from_unit(rng.random(len(space))), "drawn")


# --- a whole hint ------------------------------------------------------------------------------------------------
def test_a_hint_works_until_there_is_nothing_and_again_is_a_no_op(alice):
    study = make_study(alice, started=True, workload="tiny", n_trials=3, parallel=1)
    slot = make_slot()
    take_hint(slot.pk)
    launcher = FakeLauncher(finish)
    assert work(slot.pk, launcher) == 3
    assert [trial.state for trial in Trial.objects.all()] == ["COMPLETE"] * 3
    assert all(process.ended for process in launcher.processes)
    study.refresh_from_db()
    assert (study.state, Slot.objects.get().hinted, Slot.objects.get().unheard) == ("FINISHED", None, None)
    before = list(Trial.objects.values())
    assert [work(slot.pk, launcher) for _ in range(3)] == [0, 0, 0]
    assert list(Trial.objects.values()) == before


def test_a_hint_for_a_slot_that_is_busy_or_gone_does_nothing(alice):
    make_study(alice, started=True, workload="tiny")
    slot = make_slot()
    with slot_lock(slot.pk):
        assert work(slot.pk, FakeLauncher(finish)) == 0
    assert work(10**9, FakeLauncher(finish)) == 0
    assert not Trial.objects.exists()


def test_an_idle_worker_does_not_swallow_the_hint_of_a_slot_that_another_holds(alice):
    slot = make_slot()
    take_hint(slot.pk)
    with slot_lock(slot.pk):  # a task that waits there with a warm process looks for the hint, as does the supervisor
        assert work(slot.pk, FakeLauncher()) == 0
    assert Slot.objects.get().hinted is not None
    assert work(slot.pk, FakeLauncher()) == 0
    assert (Slot.objects.get().hinted, Slot.objects.get().unheard) == (None, None)


def test_what_a_dead_worker_left_on_the_slot_is_taken_up_at_once(alice):
    study = make_study(alice, started=True, workload="tiny", n_trials=1)
    slot = make_slot()
    make_running(study, slot)
    launcher = FakeLauncher(finish)
    assert work(slot.pk, launcher) == 1
    trial = Trial.objects.get()
    assert (trial.state, trial.fence, trial.retries) == ("COMPLETE", 2, 1)
    assert [attempt.outcome for attempt in trial.attempts.all()] == ["process gone", "complete"]


def test_a_place_for_short_jobs_takes_no_trial_and_a_slot_no_short_job(alice):
    make_study(alice, started=True, workload="tiny")
    request_describe(actor=None)
    request_split(actor=None, workload="tiny")
    quick, bulk, slot = make_place("quick"), make_place("bulk"), Slot.objects.get(lane="device")
    assert isinstance(claim_next(slot_numbered(slot.pk)), Trial), "both jobs wait, and hold up no trial"
    assert [claim_next(place).kind for place in (quick, bulk)] == ["describe", "split"]
    assert [claim_next(place) for place in (quick, bulk)] == [None, None]


def test_a_place_works_off_its_jobs(alice):
    make_workload("tiny")
    request_describe(actor=None)
    assert work(make_place("quick").pk, FakeLauncher(describe)) == 1
    assert (Job.objects.get().state, Workload.objects.get().name) == ("COMPLETE", "found")


# --- jobs --------------------------------------------------------------------------------------------------------
def run_job(launcher, kind="describe"):
    request_job(kind=kind, actor=None, args={"workload": "tiny"})
    work((make_place("quick") if kind == "describe" else make_slot()).pk, launcher)
    return Job.objects.get()


@pytest.mark.django_db
def test_a_job_that_is_answered_with_an_error_fails_with_its_words():
    error = {"type": "error", "reason_code": "code_error", "message": "No.", "remedy": "Do.", "traceback": "T"}
    job = run_job(FakeLauncher(lambda process: process.say(error)))
    assert (job.state, job.error, job.slot) == ("FAILED", "No.\nDo.\nT", None)


@pytest.mark.django_db
def test_a_job_whose_process_dies_is_tried_four_times():
    launcher = FakeLauncher(lambda process: process.die(-9))
    job = run_job(launcher)
    assert (job.state, len(launcher.processes)) == ("FAILED", 4)
    assert "exit code -9" in job.error


@pytest.mark.parametrize("line", [b"nonsense\n", b'{"type": "error", "message": 7}\n', b'{"type": "result"}\n'])
@pytest.mark.django_db
def test_a_job_that_is_answered_with_garbage_fails(line):
    job = run_job(FakeLauncher(lambda process: process.say_raw(line)))
    assert job.state == "FAILED"
    assert job.error


@pytest.mark.django_db
def test_a_job_of_unknown_kind_fails_and_launches_nothing():
    launcher = FakeLauncher()
    job = run_job(launcher, kind="dance")
    assert (job.state, launcher.processes) == ("FAILED", [])
    assert "dance" in job.error


@pytest.mark.django_db
def test_a_job_whose_process_cannot_be_started_is_given_up_in_words():
    job = run_job(FakeLauncher(error=OSError(11, "Resource temporarily unavailable")))
    assert (job.state, job.retries) == ("FAILED", 3)
    assert "could not be started" in job.error


# --- hints -------------------------------------------------------------------------------------------------------
@pytest.mark.django_db
def test_idle_slots_are_hinted_once_on_their_hosts_queue(alice):
    make_slot("a", slots=2)
    make_slot("b")
    wake.send()
    assert OrmQ.objects.count() == 0, "nothing is due"
    make_study(alice, started=True, workload="tiny")
    for _ in range(3):
        wake.send()
    assert sorted(OrmQ.objects.values_list("key", flat=True)) == ["hpweb-a", "hpweb-a", "hpweb-b"]


def test_a_start_sends_hints_when_it_is_committed(alice, django_capture_on_commit_callbacks):
    make_slot("a", slots=2)
    with django_capture_on_commit_callbacks(execute=True):
        make_study(alice, started=True, workload="tiny")
        assert OrmQ.objects.count() == 0
    assert OrmQ.objects.count() == 2


def test_a_broker_that_is_away_breaks_no_service(alice, monkeypatch, django_capture_on_commit_callbacks):
    def away(*_args, **_words):
        raise ConnectionError("redis is away")

    make_slot("a")
    monkeypatch.setattr(wake, "async_task", away)
    with django_capture_on_commit_callbacks(execute=True):
        study = make_study(alice, started=True, workload="tiny")
    assert study.state == "RUNNING"
