"""The README keeps its word: its workloads load and train, its files and variables exist."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workers import scripts
from tuning.models import Workload
from tuning.workers.describing import describe_here

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def block_with(words: str) -> str:
    found = [block for block in BLOCKS if words in block]
    assert len(found) == 1, f"{len(found)} blocks of the README have {words!r}"
    return found[0]


@pytest.mark.django_db
def test_the_program_of_the_readme_is_allowed_and_its_script_is_the_tested_one(tmp_path, settings) -> None:
    table = re.search(r"```toml\n(.*?)```", README, re.DOTALL)[1]
    settings.WORKLOADS = settings.WORKLOAD_DIR = ""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "train.py").write_text(block_with("SGDClassifier"))
    (tmp_path / "digits.csv").write_text("1,2\n")
    table = table.replace("/srv/digits", str(tmp_path / "code")).replace("/srv/data/digits", str(tmp_path))
    (tmp_path / "programs.toml").write_text(table)
    describe_here()
    digits = Workload.objects.get(name="digits")
    assert (digits.error, digits.document["kind"], digits.document["max_resource"]) == ("", "command", 20)
    assert scripts.SKLEARN.strip() == re.sub(r"  # these where.*", "", block_with("SGDClassifier")).strip()


@pytest.mark.django_db
def test_the_workloads_of_the_readme_are_found_and_described(tmp_path, settings) -> None:
    (tmp_path / "wine.py").write_text(block_with("class Wine(Workload)"))
    (tmp_path / "ripples.py").write_text(block_with("def objective(trial)"))
    settings.WORKLOAD_DIR = str(tmp_path)
    describe_here()
    wine, ripples = Workload.objects.get(name="wine"), Workload.objects.get(name="ripples")
    assert (wine.error, ripples.error) == ("", "")
    assert wine.document["kind"] == "pytorch"
    assert wine.document["max_resource"] == 30
    assert ripples.document["kind"] == "objective"


def test_the_readme_workload_is_about_forty_lines() -> None:
    lines = [line for line in block_with("class Wine(Workload)").splitlines() if line.strip()]
    assert len(lines) <= 45


def test_every_file_that_the_readme_names_exists() -> None:
    names = re.findall(r"`((?:tuning|tests|static|hpweb)/[\w./-]+)`|\]\((static/[\w./-]+)\)", README)
    missing = [name for pair in names for name in pair if name and not (ROOT / name).exists()]
    assert missing == []


def test_every_setting_is_in_the_readme_or_an_internal_of_the_workers() -> None:
    """A variable that settings.py reads is documented; the rest are timings that only tests change."""
    internal = {
        "HPWEB_DEBUG",
        "HPWEB_API_RATE",
        "HPWEB_LOG_LEVEL",
        "HPWEB_TIME_ZONE",
        "HPWEB_HEARTBEAT_SECONDS",
        "HPWEB_CONTROL_SECONDS",
        "HPWEB_FLUSH_SECONDS",
        "HPWEB_CLUSTER_WORKERS",
    }
    read = set(re.findall(r'"(HPWEB_[A-Z_]+|DATABASE_URL)"', (ROOT / "hpweb/settings.py").read_text()))
    for_programs = {"HPWEB_PARAMS", "HPWEB_PARAMS_FILE"}  # what a program is given, not what it takes
    told = set(re.findall(r"`(HPWEB_[A-Z_]+|DATABASE_URL)`", README)) - for_programs
    assert read - internal - told == set(), "read by settings.py, not in the README"
    assert told - read == set(), "in the README, not read by settings.py"


def test_no_other_file_reads_the_environment() -> None:
    """Settings reads it; the trial process, which knows no Django, gets its variables from the launcher."""
    allowed = {"hpweb/settings.py", "hpweb/wsgi.py", "manage.py", "dev.py"}
    readers = set()
    for path in [*ROOT.glob("*.py"), *(ROOT / "hpweb").rglob("*.py"), *(ROOT / "tuning").rglob("*.py")]:
        text = path.read_text()
        if re.search(r"os\.environ|os\.getenv", text):
            readers.add(str(path.relative_to(ROOT)))
    assert readers - allowed == {
        "tuning/workers/launcher.py",  # hands the environment on, without its secrets
        "tuning/workers/supervisor.py",
        "tuning/runner/__main__.py",
        "tuning/runner/command.py",  # hands the environment on to a program
        "tuning/client.py",  # in the program: where its worker listens
        "tuning/training/determinism.py",
        "tuning/training/surroundings.py",  # puts back what a trial changed
    }


def test_dev_py_needs_the_standard_library_alone() -> None:
    """Isolated from site-packages, `dev.py --help` answers."""
    answer = subprocess.run(
        [sys.executable, "-I", "-S", str(ROOT / "dev.py"), "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": os.environ["PATH"]},
    )
    assert answer.returncode == 0, answer.stderr
    assert "demo" in answer.stdout
