"""What the chaos bench says of a storm, and that an option belongs to its bench."""

import pytest
from django.core.management import CommandError, call_command

from tests.benchmarks import chaos
from tests.chaos.causes import Violation
from tests.chaos.storm import Aftermath
from tests.chaos.verdict import PROMISES

KILL, FREEZE = "kill -9 of a trial process", "SIGSTOP of a busy worker past its lease"
LOSS = "the loss of a second host past its lease"


def aftermath(**seconds):
    found = Aftermath("SQLite", attempts=7, steps=90, left_out=["a full disk for some seconds"])
    for kind, times in seconds.items():
        found.seconds[kind] += times
    found.trials.update(COMPLETE=4, lost_host=1)
    return found


def test_a_row_has_how_often_and_how_long():
    (row,) = chaos.rows_of(aftermath(**{KILL: [1.0, 4.0, 2.0]}))
    assert row == {"disturbance": KILL, "database": "SQLite", "times": 3, "median s": 2.0, "worst s": 4.0}


def test_every_promise_has_a_mark_and_a_broken_one_is_missed():
    found = aftermath(**{KILL: [9.9], FREEZE: [15.9], LOSS: [15.8]})
    assert all(mark.met for mark in chaos.marks_of(found))
    assert len(chaos.marks_of(found)) == len(PROMISES) + 3
    found.violations.append(Violation("twice", "twice"))
    found.seconds[KILL].append(10.1)
    found.seconds[FREEZE].append(16.1)
    found.seconds[LOSS].append(16.2)
    missed = [mark for mark in chaos.marks_of(found) if not mark.met]
    assert [mark.measured for mark in missed] == ["1", 10.1, 16.1, 16.2]


def test_a_line_says_what_the_storm_went_over():
    line = chaos.note_of(aftermath(**{KILL: [1.0]}))
    assert line == (
        "SQLite: 1 disturbances, 5 trials (4 complete, 1 lost_host) in 7 attempts, 90 steps, "
        "0 new starts of a cluster that no blow had ended; left out: a full disk for some seconds"
    )


def test_an_option_is_refused_by_another_bench():
    with pytest.raises(CommandError, match="--kills is an option of `bench chaos`, not of asks"):
        call_command("bench", "asks", "--kills", "3")
