"""The supervisor's single steps, and what it knows of processes; the whole of it runs in test_cluster.py."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone

from tests.factories import make_running, make_slot, make_study
from tuning.models import Attempt, Host, Slot, Trial
from tuning.services.hosts import note_process
from tuning.workers import supervisor
from tuning.workers.launcher import SECRETS, environment_for
from tuning.workers.processes import attempt_alive, boot_id, children, end_session, session_members, start_time
from tuning.workers.slots import lock_folder, slot_lock, slot_mark
from tuning.workers.supervisor import (
    DEAF_SECONDS,
    SHAKEN_SECONDS,
    HostTaken,
    Supervisor,
)

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); print('up', flush=True); time.sleep(60)",
]


@pytest.fixture
def sleeper():
    process = subprocess.Popen(SLEEPER, start_new_session=True)
    yield process
    end_session(process.pid, grace=0.0)
    process.wait()


@pytest.fixture
def watch(settings, db):
    """A supervisor of this host whose cluster is some harmless process."""
    settings.HOST_NAME = "host-1"
    make_slot("host-1")
    watch = Supervisor()
    watch.host = Host.objects.get()
    watch.cluster = subprocess.Popen(SLEEPER, start_new_session=True)
    watch.cluster_started = time.monotonic()
    yield watch
    watch.end_cluster(0.0)


# --- processes ---------------------------------------------------------------------------------------------------
def test_a_process_is_known_by_pid_boot_and_start(sleeper):
    attempt = Attempt(pid=sleeper.pid, boot_id=boot_id(), process_started=start_time(sleeper.pid))
    assert attempt_alive(attempt)
    for field, value in {"boot_id": "another", "process_started": "1", "pid": None}.items():
        other = Attempt(pid=attempt.pid, boot_id=attempt.boot_id, process_started=attempt.process_started)
        setattr(other, field, value)
        assert not attempt_alive(other), field
    sleeper.kill()
    sleeper.wait()
    assert (attempt_alive(attempt), start_time(sleeper.pid)) == (False, "")


def test_a_session_is_ended_with_all_its_members():
    process = subprocess.Popen(STUBBORN, start_new_session=True, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "up\n"
    assert sorted(session_members(process.pid)) == sorted([process.pid, *children(process.pid)])
    assert len(session_members(process.pid)) == 2
    began = time.monotonic()
    end_session(process.pid, grace=0.1)
    assert time.monotonic() - began < 2
    assert session_members(process.pid) == []
    assert process.wait() == -signal.SIGKILL


# --- the process's environment ---------------------------------------------------------------------------------
def test_a_trial_process_sees_its_device_its_threads_and_no_secret(monkeypatch, db):
    for name in SECRETS:
        monkeypatch.setenv(name, "secret")
    slot = make_slot()
    slot.threads = 3
    environment = environment_for(slot)
    assert "secret" not in environment.values()
    assert (environment["CUDA_VISIBLE_DEVICES"], environment["OMP_NUM_THREADS"]) == ("", "3")
    slot.device.uuid = "GPU-1"
    assert environment_for(slot)["CUDA_VISIBLE_DEVICES"] == "GPU-1"


# --- steps -------------------------------------------------------------------------------------------------------
def test_a_host_is_supervised_once(settings):
    settings.HOST_NAME = "host-1"
    first, second = Supervisor(), Supervisor()
    first.take_host()
    with pytest.raises(HostTaken, match="HPWEB_HOST"):
        second.take_host()
    os.close(first._hold)
    second.take_host()
    os.close(second._hold)


def test_a_step_beats_reaps_and_hints_when_they_are_due(watch, alice):
    make_study(alice, started=True, workload="tiny")
    Host.objects.update(last_seen=timezone.now() - timedelta(minutes=1))
    Slot.objects.update(hinted=None)
    watch.step()
    assert Host.objects.get().last_seen > timezone.now() - timedelta(seconds=10)
    assert Slot.objects.get().hinted is not None
    study = make_study(alice, started=True)
    trial = make_running(study)
    Trial.objects.update(lease_until="2020-01-01T00:00:00Z")
    watch.step()
    trial.refresh_from_db()
    assert trial.state == "RUNNING", "not due yet"
    watch._due.clear()
    watch.step()
    trial.refresh_from_db()
    assert trial.state == "WAITING"


def test_a_database_that_is_away_does_not_end_the_supervisor(watch, monkeypatch):
    closed = []
    monkeypatch.setattr(supervisor, "connection", type("C", (), {"close": lambda self: closed.append(1)})())

    def away(**_words):
        raise OperationalError("gone")

    monkeypatch.setattr(supervisor, "beat_host", away)
    watch.step()
    assert closed == [1]


def age(watch, seconds=DEAF_SECONDS + 5):
    watch.cluster_started -= seconds
    Slot.objects.update(**dict.fromkeys(("hinted", "unheard"), timezone.now() - timedelta(seconds=seconds)))
    Host.objects.update(last_seen=timezone.now())


def test_a_cluster_is_well_while_it_is_young(watch):
    assert watch.cluster_is_well()
    watch.cluster.kill()
    watch.cluster.wait()
    assert not watch.cluster_is_well(), "main is gone"


def test_an_old_cluster_needs_a_sentinel(watch):
    watch.cluster_started -= DEAF_SECONDS + 1
    assert not watch.cluster_is_well()


def test_a_free_slot_that_ignores_hints_means_a_deaf_cluster(watch, monkeypatch):
    monkeypatch.setattr(supervisor, "children", lambda _pid: [1])
    age(watch)
    assert not watch.cluster_is_well()
    with slot_lock(Slot.objects.get().pk):
        assert watch.cluster_is_well(), "somebody works there"
    Slot.objects.update(hinted=None, unheard=None)
    assert watch.cluster_is_well()


def test_a_cluster_that_starts_slowly_is_given_more_time_each_time(watch, monkeypatch):
    monkeypatch.setattr(supervisor, "children", lambda _pid: [1])
    monkeypatch.setattr(watch, "start_cluster", lambda: None)
    age(watch)
    assert not watch.cluster_is_well()
    watch.restart_cluster()
    watch.cluster = subprocess.Popen(SLEEPER, start_new_session=True)
    assert watch.cluster_is_well(), "the same hint, twice the patience"
    age(watch, 2 * DEAF_SECONDS + 1)
    assert not watch.cluster_is_well()
    Slot.objects.update(hinted=None, unheard=None)
    assert watch.cluster_is_well()
    age(watch)
    assert not watch.cluster_is_well(), "it has listened meanwhile: the usual patience"


CLUSTER = {"sentinel": 11, "idle": 12, "busy": 13, "monitor": 14}


@pytest.fixture
def members(watch, monkeypatch):
    """The sentinel's children by number, as the supervisor sees them; a test takes one away."""
    left = {CLUSTER[name] for name in ("idle", "busy", "monitor")}
    monkeypatch.setattr(supervisor, "children", lambda pid: list(left) if pid == 11 else [11])
    return left


def test_a_cluster_that_has_lost_an_idle_process_is_not_kept_while_nobody_works(watch, members):
    assert watch.cluster_is_well()
    members.remove(CLUSTER["idle"])
    assert not watch.cluster_is_well(), "it may have died with the queue's lock, and nothing would be lost"


def test_a_cluster_that_has_lost_an_idle_process_must_hear_sooner_while_somebody_works(watch, members, alice):
    make_slot("host-1", slots=2)
    busy, idle = Slot.objects.select_related("device__host").order_by("index")
    make_running(make_study(alice, started=True, workload="tiny"), busy)
    with slot_lock(busy.pk):
        assert watch.cluster_is_well()
        age(watch, SHAKEN_SECONDS + 1)
        assert watch.cluster_is_well(), "all its processes live"
        members.remove(CLUSTER["idle"])
        assert not watch.cluster_is_well()
        Slot.objects.filter(pk=idle.pk).update(hinted=None, unheard=None)
        assert watch.cluster_is_well(), "nobody needs it to hear"


def test_a_worker_that_dies_at_work_held_no_lock_of_the_queue(watch, members, alice):
    slot = Slot.objects.select_related("device__host").get()
    make_running(make_study(alice, started=True, workload="tiny"), slot)
    (lock_folder() / f"slot-{slot.pk}.lock").write_text(str(CLUSTER["busy"]))
    assert watch.cluster_is_well()
    members.remove(CLUSTER["busy"])
    Trial.objects.update(state="WAITING", slot=None)  # its slot is released before anybody looks at the cluster
    assert watch.cluster_is_well()
    assert watch.cluster_is_well(), "the sentinel starts another"


def test_what_a_dead_worker_left_waits_again_at_once(watch, alice):
    slot = Slot.objects.select_related("device__host").get()
    trial = make_running(make_study(alice, started=True, workload="tiny"), slot)
    with slot_lock(slot.pk):
        watch.step()
    trial.refresh_from_db()
    assert trial.state == "RUNNING", "its worker has the lock"
    watch._due.clear()
    watch.step()
    trial.refresh_from_db()
    assert (trial.state, trial.retries, trial.attempts.get().outcome) == ("WAITING", 1, "process gone")
    assert Slot.objects.get().hinted is not None


def test_a_busy_slot_is_not_deaf(watch, alice, monkeypatch):
    monkeypatch.setattr(supervisor, "children", lambda _pid: [1])
    make_running(make_study(alice, started=True, workload="tiny"), Slot.objects.select_related("device__host").get())
    age(watch)
    assert watch.cluster_is_well()


def test_an_unwell_cluster_is_ended_whole_and_its_trials_requeued(watch, alice, monkeypatch, sleeper):
    slot = Slot.objects.select_related("device__host").get()
    trial = make_running(make_study(alice, started=True, workload="tiny"), slot)
    note_process(
        attempt_id=trial.attempts.get().pk,
        pid=sleeper.pid,
        boot_id=boot_id(),
        process_started=start_time(sleeper.pid),
        log="",
    )
    started = []
    monkeypatch.setattr(watch, "start_cluster", lambda: started.append(1))
    former = watch.cluster
    former.kill()
    former.wait()
    watch.step()
    assert started == [1]
    assert former.returncode is not None
    assert sleeper.wait(5) == -signal.SIGTERM
    trial.refresh_from_db()
    assert (trial.state, trial.retries) == ("WAITING", 1)


def test_what_a_dead_trial_process_had_started_is_ended_unless_somebody_works_the_slot(watch):
    """Its own end is the kernel's work when its worker dies; nobody told those that it started."""
    slot = Slot.objects.get()
    orphan = subprocess.Popen(SLEEPER, env={**os.environ, **slot_mark(slot)}, start_new_session=True)
    with slot_lock(slot.pk):
        watch.end_leftovers()
    assert orphan.poll() is None
    watch.shut_down()
    assert orphan.wait(5) == -signal.SIGKILL


def test_the_cluster_of_a_killed_supervisor_is_ended(settings, tmp_path):
    settings.HOST_NAME = "host-1"
    watch = Supervisor()
    script = tmp_path / "qcluster"
    script.write_text("import time; time.sleep(60)")
    former = subprocess.Popen([sys.executable, str(script)], start_new_session=True)
    note = watch._folder() / "cluster-host-1.json"
    note.write_text(json.dumps({"session": former.pid, "boot_id": "another boot"}))
    watch.end_former_cluster()
    assert former.poll() is None, "the number belongs to another boot"
    note.write_text(json.dumps({"session": former.pid, "boot_id": boot_id()}))
    watch.end_former_cluster()
    assert former.wait(5) == -signal.SIGKILL
    assert not note.exists()
    watch.end_former_cluster()


def test_a_note_that_was_cut_off_does_not_stop_a_start(settings):
    settings.HOST_NAME = "host-1"
    watch = Supervisor()
    note = watch._folder() / "cluster-host-1.json"
    for text in ("", "{", "[]", '{"session": 1}'):
        note.write_text(text)
        watch.end_former_cluster()
        assert not note.exists()


def test_shutting_down_waits_for_trials_ends_the_cluster_and_costs_no_retry(watch, alice, settings):
    settings.GRACE_SECONDS = 0.2
    slot = Slot.objects.select_related("device__host").get()
    trial = make_running(make_study(alice, started=True, workload="tiny"), slot)
    began = time.monotonic()
    watch.shut_down()
    assert 0.2 <= time.monotonic() - began < 2
    assert watch.cluster.returncode is not None
    trial.refresh_from_db()
    assert (trial.state, trial.retries, trial.reason) == ("WAITING", 0, "the host was shut down")
    assert (Host.objects.get().last_seen, Host.objects.get().draining) == (None, False)


def test_shutting_down_an_idle_host_does_not_wait(watch, settings):
    settings.GRACE_SECONDS = 30
    settings.STATE_DIR.mkdir(exist_ok=True)
    began = time.monotonic()
    watch.shut_down()
    assert time.monotonic() - began < 5
