"""Paths of artifacts never leave their folder; logs are read from their end."""

import os

import pytest

from tests.factories import make_running, make_slot, make_study
from tuning.models import Attempt
from tuning.selectors.artifacts import opened, stored, trial_folder
from tuning.selectors.errors import NotFound
from tuning.selectors.logs import attempt_log


@pytest.fixture
def folder(settings):
    settings.ARTIFACT_DIR.mkdir(parents=True)
    (settings.ARTIFACT_DIR.parent / "secret_key").write_text("secret")
    return settings.ARTIFACT_DIR


@pytest.mark.parametrize(
    "relative",
    ["", ".", "..", "../secret_key", "a/../../secret_key", "/etc/passwd", "missing", "sub", "nul\x00", "x" * 300],
)
def test_no_path_leads_out_or_to_no_file(folder, relative):
    (folder / "sub").mkdir()
    with pytest.raises(NotFound):
        opened(relative)


def test_links_do_not_lead_out(folder):
    os.symlink(folder.parent / "secret_key", folder / "link")
    os.symlink(folder.parent, folder / "outside")
    for relative in ("link", "outside/secret_key"):
        with pytest.raises(NotFound):
            opened(relative)
    with pytest.raises(ValueError, match="secret_key"):
        stored(folder / "link")


def test_paths_survive_the_way_there_and_back(folder, settings):
    path = folder / "study-1" / "trial-2" / "last.pt"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    assert stored(path) == "study-1/trial-2/last.pt"
    assert opened(stored(path)) == path
    linked = folder.parent / "mounted elsewhere"
    os.symlink(folder, linked)
    settings.ARTIFACT_DIR = linked
    assert opened("study-1/trial-2/last.pt") == path
    assert stored(linked / "study-1" / "trial-2" / "last.pt") == "study-1/trial-2/last.pt"


@pytest.fixture
def attempt(alice, folder):
    trial = make_running(make_study(alice, started=True, workload="tiny"), make_slot())
    path = trial_folder(trial) / "attempt-1.log"
    path.parent.mkdir(parents=True)
    Attempt.objects.update(log=stored(path))
    return Attempt.objects.get()


def write(attempt, settings, text, suffix=""):
    (settings.ARTIFACT_DIR / (attempt.log + suffix)).write_bytes(text)


def test_a_short_log_is_whole(attempt, settings):
    write(attempt, settings, "one\ntwö\n".encode())
    log = attempt_log(attempt)
    assert (log.text, log.truncated, log.size) == ("one\ntwö\n", False, 9)


def test_the_end_of_a_long_log_from_a_whole_line(attempt, settings):
    write(attempt, settings, b"".join(b"line %d\n" % n for n in range(1000)))
    log = attempt_log(attempt, limit_bytes=100)
    assert log.truncated
    assert log.text.startswith("line 9")
    assert log.text.endswith("line 999\n")
    assert len(log.text) <= 100


def test_the_tail_beside_a_log_that_is_being_written_is_read(attempt, settings):
    write(attempt, settings, b"head\n")
    write(attempt, settings, b"older\n", ".tail.old")
    write(attempt, settings, b"newest\n", ".tail")
    assert attempt_log(attempt).text == "head\nolder\nnewest\n"
    assert attempt_log(attempt, limit_bytes=9).text == "newest\n"


def test_bytes_that_are_no_text_are_shown_as_such(attempt, settings):
    write(attempt, settings, b"\xff\xfe ok\n")
    assert attempt_log(attempt).text == "�� ok\n"


def test_a_log_that_was_not_kept(attempt):
    with pytest.raises(NotFound):
        attempt_log(attempt)
    attempt.log = ""
    with pytest.raises(NotFound):
        attempt_log(attempt)
