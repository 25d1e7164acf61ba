"""The log page: search with numbers and neighbours, a download, and the trial page that follows what is printed."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.factories import make_running, make_slot, make_study
from tests.web.conftest import poll, words
from tuning.models import Attempt, Trial
from tuning.selectors.artifacts import stored, trial_folder
from tuning.workers.logs import LogWriter


@pytest.fixture
def trial(alice: User) -> Trial:
    return make_running(make_study(alice, workload="tiny", name="wide search", started=True), make_slot())


@pytest.fixture
def writer(trial: Trial) -> LogWriter:
    writer = LogWriter(trial_folder(trial) / "attempt-1.log")
    Attempt.objects.update(log=stored(writer.path))
    return writer


def test_words_are_found_with_their_lines_and_neighbours(as_alice: Client, trial: Trial, writer: LogWriter) -> None:
    writer.write(b"".join(b"<b>line %d</b>\n" % n for n in range(1, 101)))
    answer = as_alice.get(f"/trials/{trial.pk}/log/?q=LINE+42")
    text = words(answer)
    assert "1 line with “LINE 42”" in text
    assert "40 <b>line 40</b> 41 <b>line 41</b> 42 <b>line 42</b> 43" in text
    assert "line 45<" not in text
    assert b"<b>line" not in answer.content
    assert b'value="LINE 42"' in answer.content
    assert "No line has these words" in words(as_alice.get(f"/trials/{trial.pk}/log/?q=absent"))


def test_words_that_look_like_markup_stay_text(as_alice: Client, trial: Trial, writer: LogWriter) -> None:
    answer = as_alice.get(f"/trials/{trial.pk}/log/", {"q": '"><script>alert(1)</script>'})
    assert b"<script>alert" not in answer.content


def test_the_whole_log_is_a_file(as_alice: Client, as_charlie: Client, trial: Trial, writer: LogWriter) -> None:
    writer.write(b"x" * 1_200_000 + b"\n\xff end\n")
    answer = as_alice.get(f"/trials/{trial.pk}/log/?download=1")
    assert b"".join(answer.streaming_content) == b"x" * 1_200_000 + b"\n\xff end\n"
    assert answer["Content-Type"].startswith("text/plain")
    assert answer["Content-Disposition"].startswith("attachment; filename=")
    assert answer["X-Content-Type-Options"] == "nosniff"
    for wrong in ("2", "x", "-1", "9" * 30, ""):
        assert as_alice.get(f"/trials/{trial.pk}/log/?download={wrong}").status_code == 404
    trial.study.__class__.objects.update(visibility="private")
    assert as_charlie.get(f"/trials/{trial.pk}/log/?download=1").status_code == 404
    assert as_charlie.get(f"/trials/{trial.pk}/log/?q=x").status_code == 404


def test_a_log_that_is_not_here_says_so(as_alice: Client, trial: Trial) -> None:
    assert "not in the artifact folder" in words(as_alice.get(f"/trials/{trial.pk}/log/?q=x"))
    assert as_alice.get(f"/trials/{trial.pk}/log/?download=1").status_code == 404


def test_the_trial_page_follows_what_is_printed(as_alice: Client, trial: Trial, writer: LogWriter) -> None:
    address = f"/trials/{trial.pk}/"
    page = as_alice.get(address)
    assert poll(as_alice, address, page["ETag"]).status_code == 304
    writer.write(b"a new line\n")
    answer = poll(as_alice, address, page["ETag"])
    assert answer.status_code == 200
    assert "a new line" in words(answer)
    assert poll(as_alice, address, answer["ETag"]).status_code == 304
