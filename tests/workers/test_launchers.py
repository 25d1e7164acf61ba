"""Both launchers under one contract: children of the worker, and jobs of a batch system that has only names."""

import re
from pathlib import Path

import pytest
from django.conf import settings

from tests.workers.launcher_contract import LauncherContract, RuntimeContract, attempt_for
from tuning import workers

LOCAL, BATCH = "tuning.workers.local.LocalLauncher", "tests.workers.batch_launcher.BatchLauncher"


class TestLocal(LauncherContract):
    path = LOCAL


class TestBatch(LauncherContract):
    path = BATCH
    rests = False

    def test_a_job_that_still_waits_in_the_queue_can_be_cancelled(self, tmp_path, monkeypatch):
        monkeypatch.setenv("BATCH_WAIT", "600")
        process = self.launcher().launch(self.slot, tmp_path / "log")
        process.start({"type": "start", "kind": "puppet", "spec": {}})
        assert process.exit_code() is None
        assert self.launcher().alive(attempt_for(process, self.slot))
        self.launcher().clear(self.slot)
        assert process.exit_code() == -9
        assert process.end() == -9


@pytest.mark.django_db(transaction=True)
class TestLocalUnderTheRuntime(RuntimeContract):
    path = LOCAL


@pytest.mark.django_db(transaction=True)
class TestBatchUnderTheRuntime(RuntimeContract):
    path = BATCH


def test_only_the_local_launcher_knows_how_trial_processes_are_found_and_ended():
    """Runs, tasks and the supervisor ask the launcher; frozen.py and end_session are about the cluster's processes."""
    words = re.compile(r"\b(attempt_alive|end_marked|marked|Gauge|MemoryKills|LocalLauncher|LocalProcess)\b")
    (folder,) = workers.__path__
    knowing = {path.name for path in Path(folder).glob("*.py") if words.search(path.read_text())}
    assert knowing == {"local.py", "processes.py", "gauges.py", "oom.py"}
    assert settings.LAUNCHER == LOCAL
