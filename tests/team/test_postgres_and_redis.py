"""A team's installation: PostgreSQL for the state, Redis for the hints, a supervised worker, a study to its end."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from tests.missing import missing

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.services

WORKLOAD = """
import torch
from torch import nn
from tuning.training import Splits, TensorDataset, Workload

class Line(Workload):
    \"\"\"y = 2 x, learnt.\"\"\"
    name, title = "line", "A line"
    max_epochs = 3
    space = {"lr": {"type": "float", "low": 0.01, "high": 0.1, "log": True}}

    def data(self):
        x = torch.linspace(-1, 1, 64).reshape(-1, 1)
        return Splits(TensorDataset(x[::2], 2 * x[::2]), TensorDataset(x[1::2], 2 * x[1::2]))

    def test_data(self):
        x = torch.linspace(1, 2, 8).reshape(-1, 1)
        return TensorDataset(x, 2 * x)

    def build_model(self, params):
        return nn.Linear(1, 1)

    def build_optimizer(self, model, params):
        return torch.optim.SGD(model.parameters(), lr=params["lr"])

    def loss(self, output, target):
        return nn.functional.mse_loss(output, target)

    def metrics(self, output, target):
        return {}
"""
SCRIPT = """
import time
from django.contrib.auth import get_user_model
from tuning.models import Study
from tuning.selectors.workloads import workload_list
from tuning.services.jobs import request_describe
from tuning.services.lifecycle import start_study
from tuning.services.studies import create_study

alice = get_user_model().objects.create_user("alice")
request_describe(actor=alice)
deadline = time.monotonic() + 90
while not any(row.name == "line" and not row.error for row in workload_list()):
    assert time.monotonic() < deadline, "the workload was not described"
    time.sleep(0.2)
study = create_study(owner=alice, name="a team's", workload="line", n_trials=3, parallel=2, seed=1)
start_study(study_id=study.pk, actor=alice, despite="it is about something else")
while (study := Study.objects.get(pk=study.pk)).state == "RUNNING":
    assert time.monotonic() < deadline, f"still {study.n_complete} of 3"
    time.sleep(0.2)
print(study.state, study.n_complete, study.n_failed)
"""


def service(variable: str) -> str:
    address = os.environ.get(variable)
    if not address:
        missing(f"{variable} is not set; it names a server for this test, such as one on 127.0.0.1")
    return address


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A database of its own on the test's PostgreSQL, Redis for the hints, and a folder for the rest."""
    server, redis = service("HPWEB_TEST_POSTGRES_URL"), service("HPWEB_TEST_REDIS_URL")
    name = f"team_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    (tmp_path / "workloads").mkdir()
    (tmp_path / "workloads" / "line.py").write_text(WORKLOAD)
    yield {
        **os.environ,
        "DATABASE_URL": urlunsplit(urlsplit(server)._replace(path=f"/{name}")),
        "HPWEB_REDIS_URL": redis,
        "HPWEB_HOME": str(tmp_path / "state"),
        "HPWEB_HOST": f"host-{name}",
        "HPWEB_SLOTS": "2",
        "HPWEB_GRACE_SECONDS": "1",
        "HPWEB_WORKLOAD_DIR": str(tmp_path / "workloads"),
    }
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def manage(environment: dict[str, str], *words: str) -> str:
    answer = subprocess.run(
        [sys.executable, "manage.py", *words], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=180,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


def test_a_study_runs_to_its_end(environment: dict[str, str], tmp_path: Path) -> None:
    manage(environment, "migrate", "--skip-checks", "--verbosity", "0")
    log = tmp_path / "worker.log"
    worker = subprocess.Popen(
        [sys.executable, "manage.py", "worker"], cwd=ROOT, env=environment, stdout=log.open("wb"),
        stderr=subprocess.STDOUT, start_new_session=True,
    )
    try:
        assert manage(environment, "shell", "-v", "0", "-c", SCRIPT).split() == ["FINISHED", "3", "0"], log.read_text()
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait(20)
    deadline = time.monotonic() + 5
    while (left := processes_of(environment["HPWEB_HOST"])) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []


def processes_of(host: str) -> list[str]:
    """Command lines of the processes that carry this host's name in their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if f"HPWEB_HOST={host}".encode() in (entry / "environ").read_bytes().split(b"\0"):
                    found.append((entry / "cmdline").read_text().replace("\0", " "))
            except OSError:
                continue  # it ended while we looked
    return found
