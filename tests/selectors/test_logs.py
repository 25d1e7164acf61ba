"""Searching a log: the lines with their true numbers and neighbours, also while it is written and across its gap."""

import pytest

from tests.factories import make_running, make_slot, make_study
from tuning.models import Attempt
from tuning.selectors.artifacts import stored, trial_folder
from tuning.selectors.errors import NotFound
from tuning.selectors.logs import (
    LONGEST_LINE,
    MOST_MATCHES,
    attempt_log,
    attempt_of_trial,
    log_mark,
    log_parts,
    search_log,
)
from tuning.workers.logs import LogWriter


@pytest.fixture
def writer(alice, settings):
    """The writer of a running attempt's log."""
    trial = make_running(make_study(alice, started=True, workload="tiny"), make_slot())
    writer = LogWriter(trial_folder(trial) / "attempt-1.log")
    Attempt.objects.update(log=stored(writer.path))
    yield writer
    writer.close()


def search(words):
    return search_log(Attempt.objects.get(), words)


def flat(found):
    return [[(line.number, line.text, line.found) for line in group] for group in found.groups]


def test_lines_come_with_numbers_and_neighbours(writer):
    writer.write("".join(f"line {n}\n" for n in range(1, 21)).encode())
    assert flat(search("LINE 7")) == [
        [(5, "line 5", False), (6, "line 6", False), (7, "line 7", True), (8, "line 8", False), (9, "line 9", False)]
    ]
    assert flat(search("line 20")) == [[(18, "line 18", False), (19, "line 19", False), (20, "line 20", True)]]
    assert (search("nothing").total, flat(search("nothing"))) == (0, [])


def test_neighbours_share_a_group_and_no_line_comes_twice(writer):
    writer.write(b"hit\na\nhit\nb\nc\nd\ne\nf\nhit\n")
    groups = flat(search("hit"))
    assert [[number for number, _, _ in group] for group in groups] == [[1, 2, 3, 4, 5], [7, 8, 9]]
    assert [number for group in groups for number, _, found in group if found] == [1, 3, 9]


@pytest.mark.parametrize("closed", [False, True])
def test_numbers_are_true_behind_the_gap(writer, closed):
    """Of 20 MB in lines of odd lengths, each that was kept says its own number."""
    n, block = 0, bytearray()
    size = 0
    while size < 20_000_000:
        n += 1
        line = b"this is line %d%s\n" % (n, b"." * (n % 61))
        block += line
        size += len(line)
        if len(block) > 60_000:
            writer.write(bytes(block))
            block.clear()
    writer.write(bytes(block) + b"the needle\n")
    if closed:
        writer.close()
    (group,) = flat(search("the needle"))
    assert group[-1] == (n + 1, "the needle", True)
    assert group[0][1].startswith(f"this is line {n - 1}.") or group[0][1] == f"this is line {n - 1}"
    found = search("this is line")
    numbers = [(line.number, line.text) for group in found.groups for line in group if line.found]
    assert found.shown == MOST_MATCHES <= len(numbers), "and the neighbours that hold the words too"
    assert all(text.rstrip(".") == f"this is line {number}" for number, text in numbers)
    assert found.total > 50_000
    kept = b"".join(log_parts(Attempt.objects.get()))
    assert b"lines left out" in kept and 3_000_000 < len(kept) < 5_100_000


def test_long_lines_are_cut_around_the_words(writer):
    writer.write(b"x" * 5000 + b"needle" + b"y" * 5000 + b"\n")
    ((line,),) = flat(search("needle"))
    assert "needle" in line[1] and len(line[1]) < LONGEST_LINE + 10


def test_a_progress_bar_is_its_last_state_and_windows_line_ends_are_no_text(writer):
    writer.write(b"10 %\r50 %\r100 % done\nplain\r\n")
    ((first, second),) = flat(search("done"))
    assert (first, second) == ((1, "100 % done", True), (2, "plain", False))


def test_the_mark_moves_with_everything_that_is_printed(writer):
    trial = Attempt.objects.get().trial
    marks = [log_mark(trial)]
    for _ in range(30):
        writer.write(b"x" * 400_000 + b"\n")
        marks.append(log_mark(trial))
    assert marks == sorted(set(marks))
    assert attempt_log(Attempt.objects.get()).size < 5_100_000


def test_an_attempt_without_a_log(alice):
    trial = make_running(make_study(alice, started=True, workload="tiny"), make_slot())
    assert log_mark(trial) == 0
    with pytest.raises(NotFound):
        search_log(attempt_of_trial(trial, 1), "x")
    with pytest.raises(NotFound):
        list(log_parts(attempt_of_trial(trial, 1)))
    with pytest.raises(NotFound, match="no attempt 7"):
        attempt_of_trial(trial, 7)
