"""Threads with transactions of their own: nothing is claimed twice, budgets are exact, nobody waits for nobody.

On SQLite the file's write lock makes them queue; on PostgreSQL (CI runs this folder on both) rows do.
"""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, connections
from django.utils import timezone

from tests.factories import make_slot, make_study, make_user, make_workload
from tuning.models import Account, AuditEvent, Device, DeviceTime, Job, Metric, Study, Trial, Workload
from tuning.services.endings import complete_trial, fail_trial, requeue_trial
from tuning.services.errors import Conflict, StaleLease
from tuning.services.jobs import claim_job, request_describe, request_job
from tuning.services.lifecycle import cancel_trial, pause_study, resume_study, stop_study
from tuning.services.metrics import Point
from tuning.services.reporting import CheckpointNote, record_points, renew
from tuning.services.reserving import reserve_device
from tuning.services.starting import Holder, start_next
from tuning.services.suggestions import answer_suggestion
from tuning.services.trials import enqueue_trial

pytestmark = pytest.mark.django_db(transaction=True)
THREADS = 4
UNIT = {"type": "float", "low": 0.0, "high": 1.0}


@pytest.fixture
def owner(transactional_db, tmp_path):
    """Alice, in a database that threads share: SQLite's test database in memory would be one connection for all."""
    if connection.vendor == "sqlite" and connection.is_in_memory_db():
        yield from _in_a_file(tmp_path)
    else:
        yield make_user("alice")


def _in_a_file(tmp_path):
    """A copy of the test database in a file, for the length of one test."""
    path = str(tmp_path / "shared.sqlite3")
    connection.ensure_connection()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM INTO %s", [path])
    memory, name = connection.connection, connection.settings_dict["NAME"]
    connection.connection, connection.settings_dict["NAME"] = None, path
    try:
        yield make_user("alice")
    finally:
        connection.connection.close()
        connection.connection, connection.settings_dict["NAME"] = memory, name


def in_threads(target: Callable[[int], None], n: int = THREADS, seconds: float = 240.0) -> None:
    """Run target(0), …, target(n - 1) at once, each with a connection of its own; raise what one of them raised."""
    failures: list[BaseException] = []
    gate = threading.Barrier(n)

    def body(index: int) -> None:
        try:
            gate.wait()
            target(index)
        except BaseException as error:
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=body, args=(index,), daemon=True) for index in range(n)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    assert not any(thread.is_alive() for thread in threads), "somebody waits for ever"
    if failures:
        raise failures[0]


def check_study(study_id: int) -> Study:
    """What holds at every moment: counters, numbers, order of ending, the best trial."""
    study = Study.objects.get(pk=study_id)
    states = Counter(study.trials.values_list("state", flat=True))
    for state in Trial.State.values:
        assert getattr(study, f"n_{state.lower()}") == states[state], state
    numbers = sorted(study.trials.values_list("number", flat=True))
    assert numbers == list(range(study.next_number))
    ended = sorted(study.trials.filter(finish_seq__isnull=False).values_list("finish_seq", flat=True))
    assert ended == list(range(1, study.n_ended + 1))
    values = list(study.trials.filter(state="COMPLETE").values_list("value", flat=True))
    assert (study.best_trial.value if study.best_trial else None) == (min(values) if values else None)
    if study.budget_total is not None:
        assert study.n_created <= study.budget_total
    return study


def test_a_hundred_trials_are_claimed_once_and_the_budget_is_exact(owner):
    study = make_study(owner, started=True, n_trials=100, parallel=THREADS)
    slots = [make_slot(slots=THREADS, index=index) for index in range(THREADS)]
    claims: list[tuple[int, int]] = []
    most = []

    def worker(index: int) -> None:
        rng = random.Random(index)
        while (trial := start_next(study_id=study.pk, holder=Holder(slot=slots[index], host="h"))) is not None:
            claims.append((trial.pk, trial.fence))
            most.append(Trial.objects.filter(study=study, state="RUNNING").count())
            record_points(
                trial_id=trial.pk, fence=trial.fence, points=[Point(1, {"validation/loss": rng.random()}, 1.0)]
            )
            complete_trial(trial_id=trial.pk, fence=trial.fence)

    in_threads(worker)
    assert len(claims) == len(set(claims)) == 100
    assert {fence for _, fence in claims} == {1}
    assert max(most) <= THREADS
    study = check_study(study.pk)
    assert (study.state, study.n_complete, study.n_created) == ("FINISHED", 100, 100)
    assert AuditEvent.objects.filter(verb="finished").count() == 1


def test_waiting_trials_are_claimed_once(owner):
    study = make_study(owner, started=True, n_trials=60, parallel=100)
    for _ in range(60):
        enqueue_trial(study_id=study.pk, actor=owner, params={})
    claims: list[int] = []

    def worker(_index: int) -> None:
        while (trial := start_next(study_id=study.pk, holder=Holder(host="h"))) is not None:
            claims.append(trial.number)

    in_threads(worker)
    assert sorted(claims) == list(range(60))
    assert check_study(study.pk).n_running == 60


def test_a_grid_on_four_slots_at_once_repeats_nothing_and_finishes(owner):
    space = {name: {"type": "int", "low": 1, "high": 4} for name in ("a", "b")}
    study = make_study(owner, started=True, space=space, sampler="grid", n_trials=None, parallel=THREADS)

    def worker(index: int) -> None:
        while Study.objects.get(pk=study.pk).state == "RUNNING":
            trial = start_next(study_id=study.pk, holder=Holder(host=f"h{index}"))
            if trial is not None:
                complete_trial(trial_id=trial.pk, fence=trial.fence, value=1.0)

    in_threads(worker)
    study = check_study(study.pk)
    tried = [json.dumps(params, sort_keys=True) for params in study.trials.values_list("params", flat=True)]
    assert (study.state, len(tried), len(set(tried))) == ("FINISHED", 16, 16)


def test_an_ending_is_told_once_by_whoever_is_first(owner):
    study = make_study(owner, started=True, n_trials=40, parallel=40)
    trials = [start_next(study_id=study.pk, holder=Holder(host="h")) for _ in range(20)]
    told: list[int] = []

    def teller(index: int) -> None:
        for trial in trials:
            try:
                if index % 2:
                    complete_trial(trial_id=trial.pk, fence=1, value=float(index))
                else:
                    fail_trial(trial_id=trial.pk, fence=1, reason_code="diverged", reason="")
            except StaleLease:
                continue
            told.append(trial.pk)

    in_threads(teller)
    assert sorted(told) == sorted(trial.pk for trial in trials)
    assert check_study(study.pk).n_ended == 20


def test_jobs_are_claimed_once_and_asked_for_once(owner):
    def asker(_index: int) -> None:
        for name in ("a", "b", "c"):
            request_job(kind="preflight", actor=None, dedupe=name)
        request_describe(actor=None)

    in_threads(asker)
    assert Job.objects.count() == 4
    Job.objects.filter(kind="describe").update(kind="preflight")
    slots = [make_slot(slots=THREADS, index=index) for index in range(THREADS)]
    claims: list[int] = []

    def claimer(index: int) -> None:
        job = claim_job(slot=slots[index])
        claims.append(job.pk)

    in_threads(claimer)
    assert len(set(claims)) == 4


def test_reports_endings_and_people_at_once_never_wait_in_a_circle(owner):
    """Reports touch a trial and then its study, endings and people the study and then its trials: no deadlock."""
    study = make_study(owner, started=True, n_trials=400, parallel=12)
    began = time.monotonic()
    deadlocks: list[DatabaseError] = []
    done: Counter[str] = Counter()

    def attempt(service: Callable[..., object], **words: Any) -> None:
        try:
            service(**words)
        except (StaleLease, Conflict):
            return
        except DatabaseError as error:
            deadlocks.append(error)
        else:
            done[service.__name__] += 1

    def going_on() -> bool:
        """For three seconds at least, and on a busy machine until each of them has met the others often."""
        often = min(done[name] for name in ("record_points", "renew", "complete_trial", "pause_study")) >= 5
        return not deadlocks and time.monotonic() < began + (3.0 if often else 40.0)

    def worker(index: int) -> None:
        rng = random.Random(index)
        while going_on():
            trial = start_next(study_id=study.pk, holder=Holder(host="h"))
            if trial is None:
                time.sleep(0.001)
                continue
            held = {"trial_id": trial.pk, "fence": trial.fence}
            for step in range(1, 5):
                names = [f"metric/{rng.randrange(40)}" for _ in range(3)] + ["validation/loss"]
                points = [Point(step, {name: rng.random() for name in names}, 1.0)]
                attempt(record_points, **held, points=points, checkpoints=[CheckpointNote("last", step, "c.pt")])
                attempt(answer_suggestion, **held, name=f"x{rng.randrange(9)}", distribution=UNIT)
                attempt(renew, **held)
                Study.objects.filter(pk=study.pk).update(last_activity="2020-01-01T00:00:00Z")  # each report raises
            if rng.random() < 0.3:
                attempt(requeue_trial, **held, why="killed", lost=False)
            else:
                attempt(complete_trial, **held)

    def person(_index: int) -> None:
        rng = random.Random(99)
        while going_on():
            attempt(pause_study, study_id=study.pk, actor=owner)
            attempt(resume_study, study_id=study.pk, actor=owner)
            for trial_id in Trial.objects.filter(study=study, state="RUNNING").values_list("pk", flat=True)[:1]:
                attempt(cancel_trial, trial_id=trial_id, actor=owner)
            time.sleep(rng.uniform(0.05, 0.8))

    in_threads(lambda index: person(index) if index == 0 else worker(index), n=THREADS + 1)
    assert deadlocks == []
    assert min(done[name] for name in ("record_points", "renew", "complete_trial", "pause_study")) >= 5, done
    stop_study(study_id=study.pk, actor=owner)
    check_study(study.pk)
    names = list(Metric.objects.values_list("name", flat=True))
    assert len(names) == len(set(names))


def claim_at_once(studies, slots, rounds=6):
    """Each thread claims from a study, on a slot of its own, and completes: the most that ran at once, and how many."""
    most, done = [], []

    def worker(index: int) -> None:
        study, slot = studies[index % len(studies)], slots[index]
        for _ in range(rounds):
            trial = start_next(study_id=study.pk, holder=Holder(slot=slot, host="h"))
            if trial is None:
                time.sleep(0.002)
                continue
            most.append(Trial.objects.filter(state="RUNNING").count())
            complete_trial(trial_id=trial.pk, fence=trial.fence, value=1.0)
            done.append(trial.pk)

    in_threads(worker, n=len(slots))
    return max(most), len(done)


def test_the_cap_of_a_person_holds_over_studies_that_are_claimed_from_at_once(owner, settings):
    """Each study has a lock of its own: without one of their owner, two claims would both take the last place."""
    studies = [make_study(owner, started=True, workload="tiny", n_trials=100, parallel=10) for _ in range(THREADS)]
    slots = [make_slot(slots=THREADS, index=index) for index in range(THREADS)]
    settings.MAX_RUNNING = 2
    most, done = claim_at_once(studies, slots, rounds=25)
    assert most <= 2
    assert done > 2
    Account.objects.update(max_running=1)
    assert claim_at_once(studies, slots, rounds=15)[0] == 1
    Account.objects.update(max_running=0)
    assert start_next(study_id=studies[0].pk, holder=Holder(slot=slots[0], host="h")) is None
    assert start_next(study_id=make_study(owner, started=True).pk, holder=Holder(host="script")) is not None
    for study in studies:
        check_study(study.pk)


def test_memory_of_a_device_is_promised_once_to_claims_at_once(owner):
    make_workload("half")
    Workload.objects.filter(name="half").update(memory=4 * 10**9)
    studies = [make_study(owner, started=True, workload="half", n_trials=100, parallel=10) for _ in range(THREADS)]
    slots = [make_slot(slots=THREADS, index=index) for index in range(THREADS)]
    Device.objects.update(memory=9 * 10**9)
    most, done = claim_at_once(studies, slots, rounds=25)
    assert most <= 2
    assert done > 2


def test_a_device_is_reserved_for_one_of_those_who_want_it_at_once(owner):
    people = [make_user(f"person-{index}") for index in range(THREADS)]
    device_id = make_slot().device_id
    refused = []

    def person(index: int) -> None:
        try:
            reserve_device(device_id=device_id, actor=people[index], hours=1, reason="mine")
        except Conflict as error:
            refused.append(error.message)

    in_threads(person)
    assert len(refused) == THREADS - 1
    holder = Device.objects.get().reserved_for.username
    assert all(holder in message for message in refused)
    assert AuditEvent.objects.filter(verb="reserved").count() == 1


def test_device_time_is_booked_once_by_whoever_ends_a_run(owner):
    study = make_study(owner, started=True, workload="tiny", n_trials=THREADS, parallel=THREADS)
    slots = [make_slot(slots=THREADS, index=index) for index in range(THREADS)]
    trials = [start_next(study_id=study.pk, holder=Holder(slot=slot, host="h")) for slot in slots]
    Trial.objects.update(claimed=timezone.now() - timedelta(seconds=600))

    def ender(index: int) -> None:
        for trial in trials:
            try:
                if index % 2:
                    complete_trial(trial_id=trial.pk, fence=1, value=1.0)
                else:
                    requeue_trial(trial_id=trial.pk, fence=1, why="lost", lost=True)
            except StaleLease:
                continue

    in_threads(ender)
    booked = sum(DeviceTime.objects.values_list("seconds", flat=True))
    assert 600 * THREADS <= booked < 600 * THREADS + 120
    assert sum(Trial.objects.values_list("run_seconds", flat=True)) == pytest.approx(booked)
