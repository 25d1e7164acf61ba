"""A process of the cluster that is frozen past its lease, or while the database does not answer, is ended."""

import os
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from tests.chaos.disturbances import writers
from tuning.workers.frozen import FROZEN_SECONDS, FrozenWatch
from tuning.workers.processes import children, end_session, is_stopped

LEASE = 20.0
TREE = """
import os, subprocess, sys, time
depth = int(sys.argv[1])
if depth:
    subprocess.Popen([sys.executable, "-c", sys.argv[2], str(depth - 1), sys.argv[2]])
else:
    print("up", flush=True)
time.sleep(60)
"""


@pytest.fixture
def cluster():
    """(main, sentinel, worker) of something that has a cluster's form."""
    main = subprocess.Popen(
        [sys.executable, "-c", TREE, "2", TREE], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert main.stdout.readline() == "up\n"
    (sentinel,) = children(main.pid)
    (worker,) = children(sentinel)
    yield main.pid, sentinel, worker
    end_session(main.pid, grace=0.0)
    main.communicate()


def freeze(pid):
    os.kill(pid, signal.SIGSTOP)
    deadline = time.monotonic() + 5
    while not is_stopped(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("place", [0, 1, 2], ids=["main", "sentinel", "worker"])
def test_a_frozen_process_is_ended_once_its_lease_is_over(cluster, place, settings):
    settings.LEASE_SECONDS = LEASE
    watch = FrozenWatch(lambda: cluster[0])
    assert watch.look(0.0) == []
    freeze(cluster[place])
    assert watch.look(100.0) == []
    assert watch.look(100.0 + LEASE) == [], "it may still wake in time"
    assert watch.look(101.0 + LEASE + FROZEN_SECONDS) == [cluster[place]]


def test_one_that_woke_in_between_begins_anew(cluster, settings):
    settings.LEASE_SECONDS = LEASE
    watch = FrozenWatch(lambda: cluster[0])
    worker = cluster[2]
    freeze(worker)
    watch.look(0.0)
    os.kill(worker, signal.SIGCONT)
    while is_stopped(worker):
        time.sleep(0.01)
    watch.look(20.0)
    freeze(worker)
    assert watch.look(25.0) == []
    assert watch.look(25.0 + LEASE) == []


def test_while_the_supervisor_hangs_it_is_ended_sooner(cluster, settings):
    settings.LEASE_SECONDS = LEASE
    watch = FrozenWatch(lambda: cluster[0])
    freeze(cluster[2])
    now = time.monotonic()
    watch.look(now)
    watch.asks(True)
    assert watch.look(now + FROZEN_SECONDS - 1) == []
    watch.asks(False)
    assert watch.look(now + FROZEN_SECONDS + 1) == [], "the database answers"
    watch.asks(True)
    assert watch.look(now + 2 * FROZEN_SECONDS + 2) == [cluster[2]]


def test_there_may_be_no_cluster():
    assert FrozenWatch(lambda: None).look(0.0) == []
    FrozenWatch(lambda: None).stop()


def test_who_writes_to_a_sqlite_database(tmp_path):
    """What the storm strikes by."""
    path = tmp_path / "some.sqlite3"
    with sqlite3.connect(path, isolation_level=None) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE some (number INTEGER)")
        assert writers(path) == set()
        database.execute("BEGIN IMMEDIATE")
        assert writers(path) == {os.getpid()}
        database.execute("COMMIT")
        assert writers(path) == set()
    database.close()
