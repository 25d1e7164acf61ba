"""tuning/client.py in a program: alone without the rest of hpweb, by hand without a worker."""

import shutil
import subprocess
import sys

import pytest

from tuning import client
from tuning.client import ConnectionFailed, CurrentTrial, NoTrial, current_trial


@pytest.fixture(autouse=True)
def _by_hand(monkeypatch, tmp_path):
    monkeypatch.delenv("HPWEB_SOCKET", raising=False)
    monkeypatch.chdir(tmp_path)


def test_outside_of_hpweb_the_error_says_what_to_do():
    with pytest.raises(NoTrial, match=r"current_trial\(\{...\}\)"):
        current_trial()


def test_by_hand_a_program_runs_with_its_default_parameters(capsys, tmp_path):
    trial = current_trial({"lr": 0.1})
    assert (trial.params, trial.number, trial.seed, trial.resource, trial.resume_step) == ({"lr": 0.1}, 0, 0, None, 0)
    assert trial.report(1, {"validation/loss": 0.25}, speed=2) == "continue"
    assert capsys.readouterr().out == "step 1: validation/loss 0.25, speed 2\n"
    assert not trial.should_stop
    assert (trial.resume_from, trial.checkpoint_dir) == (None, None)
    with trial.checkpoint(1) as folder:
        (folder / "state").write_text("x")
    assert list(tmp_path.iterdir()) == [], "there is nobody who would go on from it"
    trial.tell(0.25)


def test_the_default_is_not_changed():
    default = {"lr": 0.1}
    current_trial(default).params["lr"] = 0.5
    assert default == {"lr": 0.1}


def test_a_worker_that_is_gone_is_a_failed_connection(monkeypatch, tmp_path):
    monkeypatch.setenv("HPWEB_SOCKET", str(tmp_path / "gone"))
    with pytest.raises(ConnectionFailed, match="gone"):
        current_trial({"lr": 0.1})


def test_old_checkpoints_go_once_no_attempt_can_need_them(tmp_path, monkeypatch):
    trial = CurrentTrial("", {"params": {}, "checkpoint_dir": str(tmp_path / "own"), "resume_step": 3})
    for step in range(1, 5):
        with trial.checkpoint(step) as folder:
            (folder / "state").write_text(str(step))
    assert sorted(path.name for path in (tmp_path / "own").iterdir()) == [f"step-{step}" for step in range(1, 5)]
    assert (trial.resume_from / "state").read_text() == "3"
    monkeypatch.setattr(client, "KEPT_SECONDS", -1.0)
    with trial.checkpoint(5) as folder:
        (folder / "state").write_text("5")
    assert sorted(path.name for path in (tmp_path / "own").iterdir()) == ["step-4", "step-5"]


def test_a_checkpoint_that_is_gone_is_no_start_from_the_beginning(tmp_path):
    trial = CurrentTrial("", {"params": {}, "checkpoint_dir": str(tmp_path / "own"), "resume_step": 3})
    with pytest.raises(FileNotFoundError, match="step 3"):
        trial.resume_from  # noqa: B018


def test_a_checkpoint_that_fails_half_way_leaves_nothing(tmp_path):
    trial = CurrentTrial("", {"params": {}, "checkpoint_dir": str(tmp_path / "own")})

    def write() -> None:
        with trial.checkpoint(1) as folder:
            (folder / "state").write_text("x")
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        write()
    assert list((tmp_path / "own").iterdir()) == []


def test_the_file_needs_nothing_but_the_standard_library(tmp_path):
    shutil.copy(client.__file__, tmp_path / "hpweb_client.py")
    code = (
        "import sys; sys.path.insert(0, '.'); import hpweb_client; print(hpweb_client.current_trial({'x': 1}).params)"
    )
    answer = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (answer.returncode, answer.stdout) == (0, "{'x': 1}\n"), answer.stderr
