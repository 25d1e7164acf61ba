"""An interrupted run goes on where it was, and never with values of other code."""

from pathlib import Path

import pytest

from tests.benchmarks import kept
from tests.benchmarks.kept import Kept
from tests.benchmarks.searches import Task

TASKS = [Task("branin", "tpe", 1000, 100), Task("branin", "gp", 1000, 50)]


def test_what_was_played_is_found_again(tmp_path: Path) -> None:
    Kept(tmp_path).add(TASKS[0], [1.0, 0.5, 0.1 + 0.2])
    values, missing = Kept(tmp_path).split(TASKS)
    assert values == {"branin": {"tpe": {1000: [1.0, 0.5, 0.1 + 0.2]}}}
    assert missing == [TASKS[1]]


def test_a_shorter_search_does_not_stand_for_a_longer_one(tmp_path: Path) -> None:
    Kept(tmp_path).add(Task("branin", "tpe", 1000, 50), [1.0, 0.5])
    assert Kept(tmp_path).split(TASKS)[1] == TASKS


def test_a_line_that_was_cut_short_is_played_again(tmp_path: Path) -> None:
    first = Kept(tmp_path)
    for task in TASKS:
        first.add(task, [1.0, 0.5, 0.25])
    first.path.write_text(first.path.read_text()[:-7])
    again = Kept(tmp_path)
    assert again.split(TASKS)[1] == [TASKS[1]]
    again.add(TASKS[1], [2.0, 1.0])
    assert Kept(tmp_path).split(TASKS)[1] == []


def test_other_code_or_libraries_have_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = kept.digest()
    assert kept.digest() == before
    monkeypatch.setattr(kept, "PROBLEMS", kept.PROBLEMS[:-1])
    assert kept.digest() != before
    monkeypatch.undo()
    monkeypatch.setattr(kept.metadata, "version", lambda package: "0")
    assert kept.digest() != before
