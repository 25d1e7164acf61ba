#!/usr/bin/env python3
"""hpweb's one entry point for people: `demo`, `test`, `check`. Standard library only.

python3 dev.py demo            set up, seed a study on real data, start the web server and this machine's workers
python3 dev.py demo --once     the same without a browser: train the study to its end, print the leaderboard
python3 dev.py test [ARGS]     set up the rest and run the whole suite (ARGS go to pytest)
python3 dev.py check           ruff, mypy, and whether a migration is missing
"""

import argparse
import ctypes
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import venv
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENV = HERE / ".venv"
PYTHON = VENV / "bin" / "python"
STATE = Path(os.environ.get("HPWEB_HOME") or HERE / ".hpweb").resolve()
PYTHONS = ((3, 11), (3, 13))
STOP_SECONDS = 1.8  # after Ctrl-C, until what is left is killed
START_SECONDS = 60.0
PR_SET_PDEATHSIG = 1


def say(text: str) -> None:
    print(text, flush=True)


def stop_with(text: str) -> None:
    raise SystemExit(f"dev.py: {text}")


def check_python() -> None:
    """Refuse a Python that the pinned packages do not support."""
    low, high = PYTHONS
    if not low <= sys.version_info[:2] <= high:
        stop_with(
            f"this is Python {sys.version.split()[0]}; hpweb runs on {low[0]}.{low[1]} to {high[0]}.{high[1]}. "
            f"Start it with one of them, such as `python3.{high[1]} dev.py demo`."
        )


def digest_of(paths: Iterable[Path]) -> str:
    """One digest over names and contents, to notice what has changed since the last run."""
    total = hashlib.sha256()
    for path in sorted(paths):
        total.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()


def run(command: list[str], **settings: object) -> None:
    """Run a command to its end; its failure ends dev.py with the same exit code."""
    code = subprocess.call(command, cwd=HERE, **settings)  # type: ignore[call-overload]
    if code:
        raise SystemExit(code)


def manage(*words: str) -> None:
    run([str(PYTHON), "manage.py", *words])


def ensure_packages(*names: str) -> None:
    """Make .venv if it is missing, and install each requirements file that changed since it was installed."""
    check_python()
    if not PYTHON.exists():
        say(f"Making {VENV.name} …")
        venv.EnvBuilder(with_pip=True, clear=VENV.exists()).create(VENV)
    for name in names:
        stamp = VENV / f".installed-{name}"
        wanted = digest_of([HERE / name])
        if stamp.exists() and stamp.read_text() == wanted:
            continue
        size = " (PyTorch is large; this is done once)" if name == "requirements.txt" else ""
        say(f"Installing {name}{size} …")
        quiet = ["--quiet", "--disable-pip-version-check", "--no-warn-script-location"]
        run([str(PYTHON), "-m", "pip", "install", *quiet, "-r", name])
        stamp.write_text(wanted)


def unchanged(stamp_name: str, paths: Iterable[Path]) -> bool:
    """Whether `paths` are as they were when `remember` was last called for this stamp."""
    stamp = STATE / stamp_name
    return stamp.exists() and stamp.read_text() == digest_of(paths)


def remember(stamp_name: str, paths: Iterable[Path]) -> None:
    (STATE / stamp_name).write_text(digest_of(paths))


def files_below(folder: str, pattern: str) -> list[Path]:
    return [path for path in (HERE / folder).rglob(pattern) if path.is_file()]


def prepare_state() -> None:
    """Bring the database and the static files up to date, only where something has changed."""
    STATE.mkdir(parents=True, exist_ok=True, mode=0o700)
    tables = [*files_below("tuning/migrations", "*.py"), HERE / "requirements.txt"]
    database_is_here = bool(os.environ.get("DATABASE_URL")) or (STATE / "hpweb.sqlite3").exists()
    if not (database_is_here and unchanged(".migrated", tables)):
        say("Bringing the database up to date …")
        manage("migrate", "--skip-checks", "--verbosity", "0")
        remember(".migrated", tables)
    static = [*files_below("static", "*"), HERE / "requirements.txt"]
    if not ((STATE / "static").exists() and unchanged(".collected", static)):
        say("Collecting static files …")
        manage("collectstatic", "--noinput", "--verbosity", "0")
        remember(".collected", static)


def die_with_parent() -> None:
    """In the child: SIGTERM when dev.py is gone, however it went (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def start(command: list[str], **environment: str) -> "subprocess.Popen[bytes]":
    """Start a server in a session of its own, so that Ctrl-C reaches dev.py alone and the order of the end is ours."""
    return subprocess.Popen(
        command,
        cwd=HERE,
        env={**os.environ, **environment},
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        preexec_fn=die_with_parent,
    )


def stop(processes: list["subprocess.Popen[bytes]"]) -> None:
    """End all of them together: SIGTERM, and SIGKILL to the sessions of those that are left after STOP_SECONDS."""
    for process in processes:
        if process.poll() is None:
            process.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    for note in (STATE / "locks").glob("cluster-*.json"):
        end_orphans(note)


def end_orphans(note: Path) -> None:
    """End the cluster of a supervisor that was killed and so could not; an orderly one leaves no note."""
    former = json.loads(note.read_text())
    boot = Path("/proc/sys/kernel/random/boot_id")
    if boot.exists() and boot.read_text().strip() == former["boot_id"]:
        try:
            os.killpg(former["session"], signal.SIGKILL)
        except ProcessLookupError:
            return  # it has ended by itself


def free_port(wanted: int) -> int:
    """`wanted`, or the next port that nobody listens on."""
    for port in range(wanted, wanted + 100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise SystemExit(f"dev.py: ports {wanted} to {wanted + 99} are all taken; choose another with --port.")


def wait_for(address: str, processes: list["subprocess.Popen[bytes]"]) -> None:
    """Wait until the web server answers; a server that ends meanwhile ends dev.py."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if any(process.poll() is not None for process in processes):
            raise SystemExit("dev.py: a server ended while it started; its words are above.")
        try:
            with urllib.request.urlopen(f"{address}healthz/", timeout=2):  # noqa: S310 (our own address)
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise SystemExit(f"dev.py: no answer from {address} within {START_SECONDS:.0f} s; its words are above.")


def interrupted(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def demo(once: bool, port: int) -> int:
    """Set up and run the demonstration; returns the exit code."""
    ensure_packages("requirements.txt")
    prepare_state()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # SIGINT too: a shell may have started us ignoring it
        signal.signal(number, interrupted)
    worker = {
        "HPWEB_GRACE_SECONDS": os.environ.get("HPWEB_GRACE_SECONDS", "1"),
        "HPWEB_LOG_LEVEL": os.environ.get("HPWEB_LOG_LEVEL", "WARNING"),
    }
    processes: list[subprocess.Popen[bytes]] = []
    try:
        if once:
            processes.append(start([str(PYTHON), "manage.py", "worker"], **worker))
            return subprocess.call([str(PYTHON), "manage.py", "demo", "--watch"], cwd=HERE)
        port = free_port(port)
        address = f"http://127.0.0.1:{port}/"
        processes.append(
            start(
                [
                    str(PYTHON),
                    "-m",
                    "gunicorn",
                    "hpweb.wsgi",
                    "--bind",
                    f"127.0.0.1:{port}",
                    "--worker-class",
                    "gthread",
                    "--workers",
                    "1",
                    "--threads",
                    "8",
                    "--graceful-timeout",
                    "1",
                    "--log-level",
                    "warning",
                ]
            )
        )
        processes.append(start([str(PYTHON), "manage.py", "worker"], **worker))
        wait_for(address, processes)
        say(f"\n  hpweb answers at {address}   (Ctrl-C ends it)\n")
        manage("demo")
        while all(process.poll() is None for process in processes):
            time.sleep(0.2)
        say("dev.py: a server has ended; its words are above.")
        return 1
    except KeyboardInterrupt:
        say("\nStopping: running trials go back to waiting, from their last checkpoint …")
        return 0 if not once else 130
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        stop(processes)


# A process for each core and one that waits: it runs the tests of whole installations, in turn, the others everything
# else by files (tests/conftest.py).
PARALLEL = ["-n", str((os.cpu_count() or 1) + 1), "--dist", "loadfile", "--no-loadscope-reorder"]
DATABASE_TESTS = [
    *(f"tests/{room}" for room in ("models", "services", "selectors", "workers", "api")),
    "tests/test_client.py",
]
# What these are about is the same on every database: processes, files and devices, what is computed from rows that are
# only read, and the state machine's own tests.
# Trials from their start to their end run on PostgreSQL in tests/team and tests/workers/test_cluster.py.
ONCE = [
    "tests/api/test_importance.py",
    "tests/api/test_surrogate.py",
    "tests/selectors/test_what_if.py",
    "tests/services/test_importance.py",
    "tests/services/test_state_machine_mutants.py",
    "tests/services/test_surrogates.py",
    "tests/workers/test_checkpoints.py",
    "tests/workers/test_control.py",
    "tests/workers/test_data_pins.py",
    "tests/workers/test_devices.py",
    "tests/workers/test_end_to_end.py",
    "tests/workers/test_finalise.py",
    "tests/workers/test_frozen.py",
    "tests/workers/test_job_run.py",
    "tests/workers/test_launchers.py",
    "tests/workers/test_logs.py",
    "tests/workers/test_lr_finding.py",
    "tests/workers/test_oom.py",
    "tests/workers/test_preflight.py",
    "tests/workers/test_programs.py",
    "tests/workers/test_tried_advice.py",
    "tests/workers/test_warm.py",
]


def test(arguments: list[str]) -> int:
    """Run the suite: all of it on SQLite, then what touches the database again on PostgreSQL where one is named."""
    ensure_packages("requirements.txt", "requirements-dev.txt")
    if arguments:
        return pytest(arguments)
    code = pytest(PARALLEL)
    address = os.environ.get("HPWEB_TEST_POSTGRES_URL")
    if not address:
        say("PostgreSQL: not tested. Set HPWEB_TEST_POSTGRES_URL=postgresql://user:password@127.0.0.1/name to do so.")
        return code
    say("The database tests again, on PostgreSQL:")
    return code or pytest([*DATABASE_TESTS, *(f"--ignore={path}" for path in ONCE), *PARALLEL], DATABASE_URL=address)


def pytest(arguments: list[str], **environment: str) -> int:
    """Run pytest with a state folder of its own and one thread a process. Its hundreds of processes keep what they have
    compiled, whatever the environment says of that."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory(prefix="hpweb-test-") as folder:
        return subprocess.call(
            [str(PYTHON), "-m", "pytest", *arguments],
            cwd=HERE,
            env={**kept, "OMP_NUM_THREADS": "1", "HPWEB_HOME": folder, **environment},
        )


def check() -> int:
    """Run every static check, also when an earlier one has failed."""
    ensure_packages("requirements.txt", "requirements-dev.txt")
    codes = [
        subprocess.call([str(PYTHON), "-m", *words], cwd=HERE)
        for words in (
            ["ruff", "check", "."],
            ["mypy"],
        )
    ]
    codes.append(subprocess.call([str(PYTHON), "manage.py", "makemigrations", "--check", "--dry-run"], cwd=HERE))
    return max(codes)


def main() -> int:
    parser = argparse.ArgumentParser(prog="dev.py", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    demonstration = commands.add_parser("demo", help="set up and run hpweb with a study on real data")
    demonstration.add_argument(
        "--once", action="store_true", help="train the study to its end and print the leaderboard"
    )
    demonstration.add_argument("--port", type=int, default=8000)
    tests = commands.add_parser("test", help="run the whole suite", add_help=False)
    tests.add_argument("arguments", nargs=argparse.REMAINDER)
    commands.add_parser("check", help="ruff, mypy, migrations")
    words = sys.argv[1:]
    if words[:1] == ["test"]:
        return test(words[1:])
    options = parser.parse_args(words)
    return check() if options.command == "check" else demo(options.once, options.port)


if __name__ == "__main__":
    raise SystemExit(main())
