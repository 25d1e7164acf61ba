"""The real thing: `manage.py worker` with its django-q cluster on a database of its own, struck and shut down."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tests.workers.workloads import NAME, overload, write_workload
from tuning.workers.processes import children

SETUP = f"""
from tests.factories import make_user, make_workload
from tests.workers.workloads import SPACE
from tuning.services.lifecycle import start_study
from tuning.services.studies import create_study, update_study
make_workload("{NAME}", space=SPACE)
alice = make_user("alice")
for name, n_trials, resource, priority in (("short", 2, 3, 1), ("long", 1, 5000, 0)):
    study = create_study(owner=alice, name=name, workload="{NAME}", n_trials=n_trials, max_resource=resource, seed=1)
    update_study(study=study, actor=alice, priority=priority)
    start_study(study_id=study.pk, actor=alice, despite="it is about something else")
"""

LONG = f"""
from tests.factories import make_user, make_workload
from tests.workers.workloads import SPACE
from tuning.services.lifecycle import start_study
from tuning.services.studies import create_study
make_workload("{NAME}", space=SPACE, source="{NAME}.py")
alice = make_user("alice")
study = create_study(owner=alice, name="long", workload="{NAME}", n_trials=1, max_resource=100000, seed=1)
start_study(study_id=study.pk, actor=alice, despite="it is about something else")
"""
REFRESH = "from tuning.services.jobs import request_descriptions; request_descriptions(actor=None)"
DESCRIBED = "SELECT state, error, (JULIANDAY(completed) - JULIANDAY(created)) * 86400 FROM tuning_job ORDER BY id DESC"


class Home:
    """An installation in a folder: its environment, its database, its processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        write_workload(folder / "workloads")
        self.environment = {
            **{name: value for name, value in os.environ.items() if name != "DATABASE_URL"},
            "DJANGO_SETTINGS_MODULE": "hpweb.settings",
            "HPWEB_HOME": str(folder),
            "HPWEB_HOST": "here",
            "HPWEB_SLOTS": "1",
            "HPWEB_GRACE_SECONDS": "1",
            "HPWEB_WORKLOAD_DIR": str(folder / "workloads"),
            "HPWEB_LOG_LEVEL": "WARNING",
        }

    def manage(self, *words: str) -> None:
        result = subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=settings.BASE_DIR, env=self.environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert result.returncode == 0, result.stderr[-3000:]

    def ask(self, query: str) -> list[Any]:
        connection = sqlite3.connect(self.folder / "hpweb.sqlite3", timeout=10)
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()

    def processes(self) -> dict[int, str]:
        """Every process that was started with this home, by its command line."""
        mark = f"HPWEB_HOME={self.folder}".encode()
        found = {}
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and mark in (entry / "environ").read_bytes().split(b"\0"):
                    found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue  # it ended while we looked
        return {pid: line for pid, line in found.items() if line}

    def wait_for(self, what: Callable[[], Any], seconds: float = 120.0) -> Any:
        deadline = time.monotonic() + seconds
        while not (answer := what()):
            assert time.monotonic() < deadline, (self.ask("SELECT state, reason FROM tuning_trial"), self.processes())
            time.sleep(0.05)
        return answer


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path / "home")
    home.manage("migrate", "--skip-checks", "--verbosity", "0")
    yield home
    for pid in home.processes():  # only after a failed test
        os.kill(pid, signal.SIGKILL)


def test_a_study_runs_to_its_end_through_a_killed_sentinel_and_sigterm_leaves_nothing(home):
    home.manage("shell", "--no-imports", "-c", SETUP)
    worker = subprocess.Popen(
        [sys.executable, "manage.py", "worker"], cwd=settings.BASE_DIR, env=home.environment, start_new_session=True
    )
    try:
        home.wait_for(lambda: home.ask("SELECT 1 FROM tuning_trial WHERE state = 'RUNNING' AND resource_done > 0"))
        note = home.folder / "locks" / "cluster-here.json"
        main = json.loads(note.read_text())["session"]
        (sentinel,) = children(main)
        os.kill(sentinel, signal.SIGKILL)
        home.wait_for(lambda: json.loads(note.read_text() or "{}").get("session", main) != main)
        assert main not in home.processes()

        home.wait_for(lambda: home.ask("SELECT 1 FROM tuning_study WHERE name = 'short' AND state = 'FINISHED'"))
        short = home.ask(
            "SELECT number, t.state, resource_done, value IS NOT NULL FROM tuning_trial t "
            "JOIN tuning_study s ON s.id = t.study_id WHERE s.name = 'short' ORDER BY number"
        )
        assert short == [(number, "COMPLETE", 3, 1) for number in range(2)]
        struck = home.ask("SELECT fence, retries FROM tuning_trial WHERE number = 0 ORDER BY study_id")[0]
        assert struck in ((2, 1), (1, 0)), "struck in the middle, or just between two trials"

        home.wait_for(lambda: home.ask("SELECT 1 FROM tuning_trial WHERE resource = 5000 AND checkpoint_step > 2"))
        assert any("tuning.runner" in line for line in home.processes().values())
        # The killed sentinel took a trial with it, which counts; a shutdown does not.
        ((lost,),) = home.ask("SELECT retries FROM tuning_trial WHERE resource = 5000")
        worker.send_signal(signal.SIGTERM)
        began = time.monotonic()
        worker.wait(10)
        took = time.monotonic() - began
        assert home.processes() == {}
        assert took < 2.0 * overload()
    finally:
        if worker.poll() is None:
            worker.kill()
            worker.wait()
    state, retries, step = home.ask("SELECT state, retries, checkpoint_step FROM tuning_trial WHERE resource = 5000")[0]
    assert (state, retries, step > 2) == ("WAITING", lost, True)
    assert home.ask("SELECT last_seen, draining FROM tuning_host") == [(None, 0)]


def test_refresh_is_answered_while_every_slot_trains_and_a_file_that_loops_holds_up_nothing(home):
    home.manage("shell", "--no-imports", "-c", LONG)
    loop = home.folder / "workloads" / "a_loop.py"
    loop.write_text("while True:\n    pass\n")
    home.environment["HPWEB_DESCRIBE_SECONDS"] = str(int(16 * overload()))
    worker = subprocess.Popen(
        [sys.executable, "manage.py", "worker"], cwd=settings.BASE_DIR, env=home.environment, start_new_session=True
    )
    busy = "SELECT 1 FROM tuning_trial WHERE state = 'RUNNING' AND resource_done > 0"
    try:
        home.wait_for(lambda: home.ask(busy))  # its file comes after the one that loops, which it does not import
        home.wait_for(lambda: home.ask(DESCRIBED)[0][0] not in ("WAITING", "RUNNING"))
        assert home.ask(DESCRIBED)[0][:2] == ("COMPLETE", "")
        ((error,),) = home.ask("SELECT error FROM tuning_workload WHERE name = 'a_loop.py'")
        assert "HPWEB_DESCRIBE_SECONDS" in error
        assert home.ask(f"SELECT error FROM tuning_workload WHERE name = '{NAME}'") == [("",)]

        loop.unlink()
        home.manage("shell", "--no-imports", "-c", REFRESH)
        home.wait_for(lambda: home.ask(DESCRIBED)[0][0] not in ("WAITING", "RUNNING"))
        state, error, seconds = home.ask(DESCRIBED)[0]
        assert home.ask(busy), "the trial has its slot all the time"
        print(f"Refresh is answered after {seconds:.1f} s beside a trial on the only slot")
        assert (state, error) == ("COMPLETE", "")
        assert seconds < 5.0 * overload()
        assert home.ask("SELECT name FROM tuning_workload WHERE name = 'a_loop.py'") == []
        worker.send_signal(signal.SIGTERM)
        worker.wait(10 * overload())
        assert home.processes() == {}
    finally:
        if worker.poll() is None:
            worker.kill()
            worker.wait()
