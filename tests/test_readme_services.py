"""The README's units and Procfile: systemd and honcho run them, a stop leaves and loses nothing."""

import configparser
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import systemd
from tests.benchmarks.installation import Installation
from tests.benchmarks.runtime import PROBE
from tests.missing import missing
from tests.systemd import NoNamespaces, Systemd
from tests.workers.workloads import NAME, overload, write_workload
from tuning.workers import supervisor

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
UNITS = dict(re.findall(r"```ini\n# /etc/systemd/system/([\w.-]+)\n(.*?)```", README, re.DOTALL))
PROCFILE_TEXT = re.search(r"```procfile\n(.*?)```", README, re.DOTALL)[1]
PROCFILE = dict(line.split(": ", 1) for line in PROCFILE_TEXT.strip().splitlines())
PROGRAMS = Path(sys.executable).parent
EPOCHS = 100_000


def unit(name: str) -> configparser.SectionProxy:
    parser = configparser.ConfigParser()
    parser.optionxform = str
    parser.read_string(UNITS[f"hpweb-{name}.service"])
    return parser["Service"]


def here(command: str) -> list[str]:
    """A command of the README with this checkout's folder and Python."""
    return [re.sub(r"^(/srv/hpweb/)?\.venv/bin", str(PROGRAMS), word) for word in shlex.split(command)]


@pytest.fixture
def place(tmp_path) -> Installation:
    found = Installation(tmp_path / "home", HPWEB_GRACE_SECONDS="20")
    found.python("manage.py", "migrate", "--skip-checks", "--verbosity", "0")
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
        missing("systemd-analyze is not installed; on Debian: apt-get install systemd")
    for name, text in UNITS.items():
        text = text.replace("/srv/hpweb/.venv/bin", str(PROGRAMS)).replace("/srv/hpweb", str(ROOT))
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


def ports(text: str) -> tuple[str, str]:
    """A Procfile with this checkout's programs and a free port, and the web server's address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    return text.replace(".venv/bin", str(PROGRAMS)).replace("127.0.0.1:8000", address), f"http://{address}/healthz/"


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            return answer.status == 200
    except (ConnectionError, urllib.error.URLError):
        return False


def trains(place: Installation) -> list:
    return place.ask("SELECT fence FROM tuning_trial WHERE state = 'RUNNING' AND resource_done > 2")


def test_honcho_runs_the_procfile_and_ctrl_c_ends_it_in_time(place) -> None:
    """The web server answers, the worker trains; then all are gone before honcho kills, and the trial waits."""
    write_workload(place.folder / "workloads", seconds=0.005, epochs=EPOCHS)
    place.python("-m", PROBE, "start", "study", NAME, "2", str(EPOCHS))
    place.python("manage.py", "collectstatic", "--noinput", "--verbosity", "0")
    text, address = ports(PROCFILE_TEXT)
    (place.folder / "Procfile").write_text(text)
    environment = {name: value for name, value in place.environment.items() if name != "HPWEB_GRACE_SECONDS"}
    log = (place.folder / "honcho.log").open("wb")
    honcho = subprocess.Popen(
        [PROGRAMS / "honcho", "--app-root", ROOT, "--procfile", place.folder / "Procfile", "start"],
        cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
    )  # fmt: skip
    try:
        until(lambda: answers(address), 30)
        until(lambda: place.ask("SELECT 1 FROM tuning_host WHERE name = 'here' AND last_seen IS NOT NULL"), 30)
        until(lambda: trains(place), 60)
        os.killpg(honcho.pid, signal.SIGINT)
        began = time.monotonic()
        honcho.wait(5.0 * overload() + 5.0)
        took = time.monotonic() - began
    finally:
        remaining = end_rest(place)
        log.close()
    words = (place.folder / "honcho.log").read_text()
    assert remaining == [], words
    assert "SIGKILL" not in words or overload() > 2, words
    print(f"honcho and all its processes were gone {took:.1f} s after Ctrl-C")
    assert place.ask("SELECT state, retries FROM tuning_trial") == [("WAITING", 0)]
    assert place.ask("SELECT last_seen FROM tuning_host") == [(None,)], "the worker has signed off"


def end_rest(place: Installation) -> list[int]:
    """What is left of an installation, killed."""
    remaining = left(place)
    for pid in remaining:
        os.kill(pid, signal.SIGKILL)
    return remaining


def test_a_stopped_worker_leaves_nothing_running_and_loses_nothing(place) -> None:
    """What systemd does by the unit: SIGTERM to the main process alone; SIGKILL to the rest finds nobody."""
    write_workload(place.folder / "workloads", seconds=0.005, epochs=EPOCHS)
    place.python("-m", PROBE, "start", "study", NAME, "2", str(EPOCHS))
    log = (place.folder / "worker.log").open("wb")
    worker = subprocess.Popen(
        here(unit("worker")["ExecStart"]), cwd=ROOT, env=place.environment, stderr=log, start_new_session=True
    )
    try:
        until(lambda: trains(place), 60)
        worker.send_signal(signal.SIGTERM)
        worker.wait(float(unit("worker")["TimeoutStopSec"]))
    finally:
        remaining = end_rest(place)
        log.close()
    assert remaining == [], (place.folder / "worker.log").read_text()
    waits_at_its_checkpoint(place, retries=0)


def waits_at_its_checkpoint(place: Installation, *, retries: int) -> None:
    rows = place.ask("SELECT state, retries, resource_done, checkpoint_step FROM tuning_trial")
    ((state, tried, done, checkpoint),) = rows
    assert (state, tried) == ("WAITING", retries)
    assert done >= checkpoint > 2
    assert place.ask("SELECT MAX(n) FROM tuning_curvesummary")[0][0] == done


@pytest.fixture
def machine(tmp_path) -> Iterator[tuple[Installation, Systemd]]:
    """systemd with the units of the README as they stand there, and an installation of the user hpweb."""
    if not systemd.installed():
        missing("systemd is not installed; on Debian: apt-get install systemd")
    with tempfile.TemporaryDirectory(prefix="hpweb-units-") as folder:  # pytest's own is closed to other users
        place = Installation(Path(folder) / "home", HPWEB_GRACE_SECONDS="20", HPWEB_LOG_LEVEL="INFO")
        place.python("manage.py", "migrate", "--skip-checks", "--verbosity", "0")
        place.python("manage.py", "collectstatic", "--noinput", "--verbosity", "0")
        write_workload(place.folder / "workloads", seconds=0.005, epochs=EPOCHS)
        place.python("-m", PROBE, "start", "study", NAME, "2", str(EPOCHS))
        subprocess.run(["chown", "-R", f"{systemd.USER}:{systemd.USER}", folder], check=True)
        os.chmod(folder, 0o755)
        ours = {name: value for name, value in place.environment.items() if name.startswith("HPWEB_")}
        units = {name: text.replace("/srv/hpweb/.venv/bin", str(PROGRAMS)) for name, text in UNITS.items()}
        running = Systemd(Path(folder) / "systemd", ROOT, units, ours)
        try:
            running.start()
            yield place, running
        except NoNamespaces as error:
            pytest.skip(f"systemd cannot have namespaces of its own here ({error}): its units are verified, not run")
        finally:
            running.stop()


def test_systemd_runs_the_units(machine) -> None:
    """As the user hpweb; a killed supervisor comes back, a stop sends the trial back to waiting and leaves nobody."""
    place, running = machine
    web, worker = "hpweb-web.service", "hpweb-worker.service"
    running.systemctl("start", web, worker)
    until(lambda: running.answers("http://127.0.0.1:8000/healthz/"), 60)
    ((fence,),) = until(lambda: trains(place), 60)
    owners = {Path(f"/proc/{pid}").stat().st_uid for pid in left(place)}
    assert owners == {systemd.USER}
    assert running.show(worker, "OOMPolicy") == "continue"

    running.systemctl("kill", "--kill-who=main", "--signal=KILL", worker)
    again = until(lambda: [row for row in trains(place) if row[0] > fence], 60)
    assert running.show(worker, "NRestarts") == "1", again

    began = time.monotonic()
    running.systemctl("stop", worker)
    assert time.monotonic() - began < float(unit("worker")["TimeoutStopSec"])
    assert (running.show(worker, "ActiveState"), running.show(worker, "Result")) == ("inactive", "success")
    running.systemctl("stop", web)
    assert (running.show(web, "ActiveState"), running.show(web, "Result")) == ("inactive", "success")
    assert left(place) == []
    waits_at_its_checkpoint(place, retries=1)
