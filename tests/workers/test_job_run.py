"""A job seen from the worker: its deadline, its cancel, a drain, a database that is away, files that spoil a search."""

import signal
import threading
import time
from types import SimpleNamespace

import pytest
from django.db import OperationalError
from django.utils import timezone

from tests.factories import DESCRIPTION, make_place, make_workload
from tests.workers.fakes import FakeLauncher
from tests.workers.workloads import overload
from tuning.models import Job, Offering, Workload
from tuning.services.draining import start_drain
from tuning.services.hosts import drain_host
from tuning.services.job_endings import cancel_job
from tuning.services.jobs import claim_job, request_describe, request_split
from tuning.workers import job_run, patience
from tuning.workers.job_run import JobRun
from tuning.workers.local import LocalLauncher
from tuning.workers.patience import LeaseInDanger
from tuning.workers.processes import session_members
from tuning.workers.tasks import work

pytestmark = pytest.mark.django_db
PAST = "2020-01-01T00:00:00Z"
SPLIT = {"type": "result", "sizes": {"train": 8}, "hashes": {}, "digest": "d" * 64, "data_digest": "e" * 64}


def found(name, **changes):
    return {"type": "found", "workloads": [{**DESCRIPTION, "name": name, **changes}]}


def looking(source):
    return {"type": "looking", "source": source}


def answer(*names):
    return {"type": "result", "workloads": [{**DESCRIPTION, "name": name} for name in names]}


def a_run(lane, request, **words):
    request(actor=None, **words)
    place = make_place(lane)
    run = JobRun(claim_job(slot=place), place, FakeLauncher())
    run.start()
    run.process.heard()
    return run


@pytest.fixture
def search():
    """A describe whose process has been started; nothing is due by the clock alone."""
    run = a_run("quick", request_describe)
    yield run
    run.unwatch()


@pytest.fixture
def count():
    run = a_run("bulk", request_split, workload="tiny")
    yield run
    run.unwatch()


def later(run, **seconds):
    for name, by in seconds.items():
        setattr(run, name, getattr(run, name) - by)


def look(run, settings):
    """The next look at the claim is due, and happens."""
    later(run, looked=settings.CONTROL_SECONDS)
    run.tick(time.monotonic())


def hear(run, *messages):
    run.process.say(*messages)
    run.step()


# --- deadline ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("kind", "seconds"), [("describe", 120), ("split", 1800)])
def test_a_claim_has_its_kinds_limit(kind, seconds, search, count):
    job = Job.objects.get(kind=kind)
    assert (job.deadline - job.started).total_seconds() == pytest.approx(seconds, abs=0.1)


def test_a_job_past_its_deadline_is_ended_and_says_what_helps(count, settings):
    look(count, settings)
    assert count.outcome == ""
    Job.objects.update(started="2020-01-01T00:00:00Z", deadline="2020-01-01T00:30:00Z")
    look(count, settings)
    job = Job.objects.get()
    assert (count.outcome, job.state, job.slot, job.deadline) == ("failed", "FAILED", None, None)
    assert "run for 30 min, the limit for a job of kind split" in job.error
    assert "raise HPWEB_SPLIT_SECONDS" in job.error
    assert Offering.objects.get(workload="tiny").data_error == job.error, "the workers page says so"
    process = count.process
    count._let_go(clean=False)
    assert process.ended


def test_what_a_search_had_found_at_its_deadline_is_kept_beside_what_was_known(search, settings):
    make_workload("before")
    hear(search, looking("a.py"), found("early"), looking("slow.py"))
    Job.objects.update(deadline=PAST)
    look(search, settings)
    assert set(Workload.objects.values_list("name", flat=True)) == {"before", "early"}
    job = Job.objects.get()
    assert job.state == "FAILED"
    assert "It was importing slow.py." in job.error
    assert "HPWEB_DESCRIBE_SECONDS" in job.error


# --- files that spoil a search -----------------------------------------------------------------------------------
def test_a_file_that_hangs_is_left_out_by_the_next_process_and_named(search, settings):
    hear(search, looking("good.py"), found("good"), looking("loop.py"))
    first = search.process
    search.tick(search.search.source_ends - 0.1)
    assert search.process is first
    search.tick(search.search.source_ends)
    assert first.ended
    assert search.process is not first
    (start,) = search.process.heard()
    assert set(start["spec"]["given_up"]) == {"loop.py"}
    assert "half of the 120 s" in start["spec"]["given_up"]["loop.py"]
    hear(search, looking("good.py"), found("good"), answer("good", "rest"))
    assert (search.outcome, Job.objects.get().state) == ("answered", "COMPLETE")
    assert Workload.objects.count() == 2


def test_each_file_has_half_of_the_time_that_is_left(search):
    now = time.monotonic()
    search.search.ends = now + 100.0
    search.search.hear(looking("a.py"), now)
    assert search.search.source_ends - now == pytest.approx(50.0)
    search.search.hear(looking("b.py"), now + 60.0)
    assert search.search.source_ends - now == pytest.approx(80.0)
    search.search.hear(looking("c.py"), now + 200.0)
    assert search.search.hangs(now + 200.0), "there is none left"


@pytest.mark.parametrize("code", [3, 0, -signal.SIGSEGV])
def test_a_file_that_ends_the_process_is_left_out_by_the_next_and_named(search, code):
    hear(search, looking("deadly.py"))
    search.process.die(code, "its last words")
    search.step()
    (start,) = search.process.heard()
    why = start["spec"]["given_up"]["deadly.py"]
    assert "Its last words: its last words" in why
    assert ("SIGSEGV" if code < 0 else f"exit code {code}") in why
    hear(search, answer("rest"))
    assert (Job.objects.get().state, Job.objects.get().retries) == ("COMPLETE", 0)


def test_a_kill_from_outside_is_no_files_doing_the_first_time(search):
    hear(search, looking("innocent.py"))
    search.process.die(-signal.SIGKILL)
    search.step()
    job = Job.objects.get()
    assert (search.outcome, job.state, job.retries) == ("waiting", "WAITING", 1)
    again = JobRun(claim_job(slot=search.slot), search.slot, FakeLauncher())
    again.start()
    hear(again, looking("greedy.py"))
    again.process.die(-signal.SIGKILL)
    again.step()
    again.unwatch()
    assert set(again.search.given_up) == {"greedy.py"}, "killed for memory again and again, it would hide all others"


def test_a_process_that_ends_between_two_files_is_tried_again(search):
    hear(search, looking("a.py"), found("a"))
    search.process.die(1)
    search.step()
    assert (search.outcome, Job.objects.get().retries) == ("waiting", 1)


@pytest.mark.parametrize("words", [{"type": "found", "workloads": 7}, {"type": "looking", "source": 7}])
def test_a_search_that_is_told_garbage_fails(search, words):
    hear(search, words)
    assert (search.outcome, Job.objects.get().state) == ("failed", "FAILED")
    assert "broke the protocol" in Job.objects.get().error


# --- cancel, drain, shutdown -------------------------------------------------------------------------------------
def test_a_cancelled_job_loses_its_process(count, admin, settings):
    cancel_job(job_id=count.job.pk, actor=admin)
    count.start = lambda: None
    later(count, looked=settings.CONTROL_SECONDS)
    process = count.process
    assert count.run() == "ended from outside: Cancelled by admin."
    assert (process.ended, count.launcher.finished) == (True, [False])
    assert Job.objects.get().state == "FAILED"


def test_a_drain_lets_a_job_run_and_a_drain_now_sends_it_back(count, admin, settings):
    start_drain(host_id=count.slot.device.host_id, actor=admin)
    look(count, settings)
    assert count.outcome == ""
    start_drain(host_id=count.slot.device.host_id, actor=admin, now=True)
    look(count, settings)
    job = Job.objects.get()
    assert (count.outcome, job.state, job.retries, job.slot) == ("waiting", "WAITING", 0, None)


def test_a_shutdown_costs_no_retry(search, settings):
    drain_host(host_id=search.slot.device.host_id)
    look(search, settings)
    assert (Job.objects.get().state, Job.objects.get().retries) == ("WAITING", 0)


# --- the database away -------------------------------------------------------------------------------------------
@pytest.fixture
def away(monkeypatch):
    """The database is away: each service named raises as often as told. The real connection stays open."""
    for module in (job_run, patience):
        monkeypatch.setattr(module, "connection", SimpleNamespace(close=lambda: None))
    monkeypatch.setattr(patience, "AWAY_SECONDS", 0.0)

    def be_away(name, times):
        original, left = getattr(job_run, name), [times]

        def service(*args, **words):
            if left[0] > 0:
                left[0] -= 1
                raise OperationalError("server closed the connection unexpectedly")
            return original(*args, **words)

        monkeypatch.setattr(job_run, name, service)
        return left

    return be_away


@pytest.mark.parametrize("service", ["job_control", "renew_job"])
def test_looks_and_heartbeats_forgive_a_database_that_is_away_for_a_moment(count, away, settings, service):
    away(service, 3)
    for _ in range(4):
        later(count, looked=settings.CONTROL_SECONDS, beaten=settings.HEARTBEAT_SECONDS)
        count.tick(time.monotonic())
    assert count.outcome == ""
    hear(count, SPLIT)
    assert (Job.objects.get().state, Job.objects.get().retries) == ("COMPLETE", 0)


@pytest.mark.parametrize(
    ("service", "message", "state"),
    [("complete_job", SPLIT, "COMPLETE"), ("finish_job", {"type": "error", "message": "No."}, "FAILED")],
)
def test_an_ending_is_told_again_until_the_database_is_back(count, away, service, message, state):
    left = away(service, 3)
    hear(count, message)
    assert (left, Job.objects.get().state) == ([0], state)


def test_a_database_that_is_away_for_longer_than_the_lease_ends_the_process(count, away, settings):
    away("job_control", 10**6)
    later(count, looked=settings.CONTROL_SECONDS)
    count.patience.held -= settings.LEASE_SECONDS - patience.MARGIN_SECONDS
    with pytest.raises(LeaseInDanger):
        count.tick(time.monotonic())
    later(count, looked=settings.CONTROL_SECONDS)
    count.start = lambda: None
    process = count.process
    assert count.run() == "the database was away for too long"
    assert process.ended
    assert Job.objects.get().state == "RUNNING", "nobody could tell the database; the slot's next look does"


def test_a_query_that_hangs_does_not_keep_the_process(monkeypatch, settings, away):
    settings.LEASE_SECONDS, settings.HEARTBEAT_SECONDS = 1.0, 0.1
    monkeypatch.setattr(patience, "WATCH_SECONDS", 0.01)
    count = a_run("bulk", request_split, workload="tiny")
    process, kill, healed = count.process, count.process.kill, threading.Event()

    def heal():
        kill()
        healed.set()

    def hang(**_words):
        assert healed.wait(30)
        raise OperationalError("server closed the connection unexpectedly")

    count.watch._end = heal
    monkeypatch.setattr(job_run, "renew_job", hang)
    count.start = lambda: None
    began = time.monotonic()
    assert count.run() == "the database was away for too long"
    assert time.monotonic() - began < 1.0 * overload()
    assert process.code == -signal.SIGKILL


# --- with real processes -----------------------------------------------------------------------------------------
OBJECTIVE = "def objective(trial):\n    return 0.0\n"
SPOILERS = {
    "a_exit.py": "import os\nprint('so long')\nos._exit(3)\n",
    "b_loop.py": "while True:\n    try:\n        x = 1\n    except BaseException:\n        pass\n",
    "c_error.py": "import nothing_of_this_name\n",
}


def test_no_file_spoils_the_search_for_others(settings, tmp_path):
    folder = tmp_path / "workloads"
    folder.mkdir()
    for name, text in SPOILERS.items():
        (folder / name).write_text(text)
    (folder / "z_fine.py").write_text(OBJECTIVE)
    settings.WORKLOADS, settings.WORKLOAD_DIR = "", str(folder)
    settings.JOB_SECONDS = {**settings.JOB_SECONDS, "describe": 20.0 * overload()}
    request_describe(actor=None)
    began = timezone.now()
    assert work(make_place("quick").pk) == 1
    job = Job.objects.get()
    print(f"described beside a loop and an exit in {(timezone.now() - began).total_seconds():.1f} s")
    assert (job.state, job.error, job.retries) == ("COMPLETE", "", 0)
    errors = dict(Workload.objects.values_list("name", "error"))
    assert errors["z_fine"] == errors["digits_mlp"] == ""
    assert "HPWEB_DESCRIBE_SECONDS" in errors["b_loop.py"]
    assert "exit code 3" in errors["a_exit.py"]
    assert "so long" in errors["a_exit.py"]
    assert "No module named" in errors["c_error.py"]


class Disturbed(JobRun):
    """Does something once, as soon as the process imports the file that waits."""

    def __init__(self, job, slot, act):
        super().__init__(job, slot, LocalLauncher())
        self._act = act
        self.disturbed_at, self.pid = 0.0, 0

    def step(self):
        if not self.disturbed_at and self.search.source == "slow.py":
            self.disturbed_at, self.pid = time.monotonic(), self.running().pid
            self._act(self)
        super().step()


ACTS = {
    "cancel": lambda run, person: cancel_job(job_id=run.job.pk, actor=person),
    "deadline": lambda run, person: Job.objects.update(deadline=PAST),
    "drain": lambda run, person: start_drain(host_id=run.slot.device.host_id, actor=person, now=True),
}


@pytest.mark.parametrize(("act", "state"), [("cancel", "FAILED"), ("deadline", "FAILED"), ("drain", "WAITING")])
def test_it_is_through_within_a_second(settings, tmp_path, admin, act, state):
    folder = tmp_path / "workloads"
    folder.mkdir()
    (folder / "slow.py").write_text("import time\ntime.sleep(600)\n")
    settings.WORKLOADS, settings.WORKLOAD_DIR = "", str(folder)
    settings.JOB_SECONDS = {**settings.JOB_SECONDS, "describe": 600.0}
    request_describe(actor=admin)
    place = make_place("quick")
    run = Disturbed(claim_job(slot=place), place, lambda run: ACTS[act](run, admin))
    run.run()
    took = time.monotonic() - run.disturbed_at
    print(f"{act}: the job's process is gone after {took:.2f} s")
    assert took < 1.0 * overload()
    assert session_members(run.pid) == []
    job = Job.objects.get()
    assert (job.state, job.retries, job.slot) == (state, 0, None)
    assert (act == "deadline") == ("It was importing slow.py." in job.error)
    assert Workload.objects.filter(name="digits_mlp").exists() == (act == "deadline"), "what was found is kept"
