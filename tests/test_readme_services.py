"""The README's units and Procfile: systemd takes them, the commands run, a stop leaves and loses nothing."""

import configparser
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.benchmarks.installation import Installation
from tests.benchmarks.runtime import PROBE
from tests.workers.workloads import NAME, overload, write_workload
from tuning.workers import supervisor

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
UNITS = dict(re.findall(r"```ini\n# /etc/systemd/system/([\w.-]+)\n(.*?)```", README, re.DOTALL))
PROCFILE = dict(
    line.split(": ", 1) for line in re.search(r"```procfile\n(.*?)```", README, re.DOTALL)[1].strip().splitlines()
)
EPOCHS = 100_000


def unit(name: str) -> configparser.SectionProxy:
    parser = configparser.ConfigParser()
    parser.optionxform = str
    parser.read_string(UNITS[f"hpweb-{name}.service"])
    return parser["Service"]


def here(command: str) -> list[str]:
    """A command of the README with this checkout's folder and Python."""
    programs = str(Path(sys.executable).parent)
    return [re.sub(r"^(/srv/hpweb/)?\.venv/bin", programs, word) for word in shlex.split(command)]


@pytest.fixture
def place(tmp_path) -> Installation:
    found = Installation(tmp_path / "home", HPWEB_GRACE_SECONDS="20")
    found.python("manage.py", "migrate", "--verbosity", "0")
    return found


def left(place: Installation) -> list[int]:
    """Processes of this installation, as a control group would have them."""
    mark, found = f"HPWEB_HOME={place.folder}".encode(), []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
            except OSError:
                continue  # another person's, or it ended while we looked
    return found


def until(what, seconds: float):
    deadline = time.monotonic() + seconds * overload()
    while not (answer := what()):
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.05)
    return answer


def test_systemd_takes_the_units(tmp_path) -> None:
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("systemd-analyze is not installed; it comes with systemd")
    for name, text in UNITS.items():
        text = text.replace("/srv/hpweb/.venv/bin", str(Path(sys.executable).parent)).replace("/srv/hpweb", str(ROOT))
        text = text.replace("User=hpweb", "User=root").replace("/etc/hpweb.env", "-/etc/hpweb.env")
        (tmp_path / name).write_text(text)
        answer = subprocess.run(
            [verify, "verify", "--man=no", str(tmp_path / name)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert answer.returncode == 0 and name not in answer.stderr, answer.stderr


def test_units_and_procfile_have_the_same_commands() -> None:
    assert set(UNITS) == {"hpweb-web.service", "hpweb-worker.service"}
    assert here(unit("web")["ExecStart"]) == here(PROCFILE["web"])
    assert here(unit("worker")["ExecStart"]) == here(PROCFILE["worker"])[2:]


def test_a_stop_of_the_unit_waits_for_the_grace_and_reaches_the_supervisor_alone() -> None:
    worker = unit("worker")
    assert (worker["KillMode"], worker["Restart"]) == ("mixed", "always")
    grace = float(re.search(r'"HPWEB_GRACE_SECONDS", (\d+)', (ROOT / "hpweb/settings.py").read_text())[1])
    assert float(worker["TimeoutStopSec"]) >= grace + supervisor.STOP_SECONDS + 30
    words = here(PROCFILE["worker"])
    assert words[0] == "env" and float(words[1].partition("=")[2]) < 5.0, "Procfile runners kill after 5 s"


def test_the_web_command_serves(place) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    command = [word.replace("127.0.0.1:8000", address) for word in here(PROCFILE["web"])]
    place.python("manage.py", "collectstatic", "--noinput", "--verbosity", "0")
    server = subprocess.Popen(command, cwd=ROOT, env=place.environment, stderr=subprocess.DEVNULL)

    def answers() -> bool:
        assert server.poll() is None, "the web server has ended"
        try:
            with urllib.request.urlopen(f"http://{address}/healthz/", timeout=10) as answer:
                return answer.status == 200
        except (ConnectionError, urllib.error.URLError):
            return False

    try:
        until(answers, 30)
    finally:
        server.terminate()
        server.wait(30)
    assert left(place) == []


@pytest.mark.parametrize("how", ["unit", "procfile"])
def test_a_stopped_worker_leaves_nothing_running_and_loses_nothing(place, how) -> None:
    """SIGTERM to the main process alone; SIGKILL to the rest of its control group finds nobody."""
    write_workload(place.folder / "workloads", seconds=0.005, epochs=EPOCHS)
    place.python("-m", PROBE, "start", "study", NAME, "2", str(EPOCHS))
    command = here(unit("worker")["ExecStart"]) if how == "unit" else here(PROCFILE["worker"])
    seconds = float(unit("worker")["TimeoutStopSec"]) if how == "unit" else 5.0 * overload()
    log = (place.folder / "worker.log").open("wb")
    worker = subprocess.Popen(command, cwd=ROOT, env=place.environment, stderr=log, start_new_session=True)
    try:
        until(lambda: place.ask("SELECT 1 FROM tuning_trial WHERE state = 'RUNNING' AND resource_done > 2"), 60)
        worker.send_signal(signal.SIGTERM)
        worker.wait(seconds)
    finally:
        remaining = left(place)
        for pid in remaining:
            os.kill(pid, signal.SIGKILL)
        log.close()
    assert remaining == [], (place.folder / "worker.log").read_text()
    rows = place.ask("SELECT state, retries, resource_done, checkpoint_step FROM tuning_trial")
    ((state, retries, done, checkpoint),) = rows
    assert (state, retries) == ("WAITING", 0)
    assert done >= checkpoint > 2 if how == "unit" else done > 2
    points = place.ask("SELECT MAX(n) FROM tuning_curvesummary")[0][0]
    assert points == done
